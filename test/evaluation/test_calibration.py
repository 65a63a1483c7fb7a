# Copyright 2026 The spssn_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Calibration compares confidence with accuracy, and the fitted temperature mends it."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from spssn_ros.bags.labelled import LabelledFrame, write_labelled_bag
from spssn_ros.errors import ConfigError, WeightsError
from spssn_ros.evaluation.calibration import Calibration
from spssn_ros.evaluation.temperature import fit_temperature
from spssn_ros.inference import Segmenter
from spssn_ros.models import load_weights, read_info, save_weights
from spssn_ros.tools.main import main


def row(values: list[int]) -> np.ndarray:
    return np.array([values], np.uint8)


def test_error_of_four_pixels_by_hand() -> None:
    calibration = Calibration()
    # The last pixel is void; 204 is 0.8 and in the 13th of 15 bins, 102 is 0.4 and in the 7th.
    calibration.update(
        row([0, 1, 1, 2, 255]), row([0, 1, 0, 1, 0]), row([204, 204, 204, 102, 255])
    )
    bins = calibration.bins()
    assert [number for number, part in enumerate(bins) if part.share] == [6, 12]
    assert bins[12].confidence == pytest.approx(0.8)
    assert bins[12].accuracy == pytest.approx(2 / 3)
    assert (bins[6].share, bins[6].accuracy) == (0.25, 0)
    assert calibration.expected_error() == pytest.approx(0.75 * (0.8 - 2 / 3) + 0.25 * 0.4)


def test_certainty_is_in_the_last_bin_and_no_pixel_is_no_number() -> None:
    calibration = Calibration()
    assert np.isnan(calibration.expected_error())
    calibration.update(row([3]), row([3]), row([255]))
    assert calibration.bins()[-1].share == 1
    assert calibration.expected_error() == 0


def test_merged_counts_are_those_of_all_frames() -> None:
    rng = np.random.default_rng(0)
    frames = [[rng.integers(0, high, (8, 9), np.uint8) for high in (3, 3, 255)] for _ in range(2)]
    together, first, second = Calibration(), Calibration(), Calibration()
    for frame, part in zip(frames, (first, second), strict=True):
        together.update(*frame)
        part.update(*frame)
    first.merge(second)
    np.testing.assert_array_equal(first.counts, together.counts)
    np.testing.assert_array_equal(first.right, together.right)


@pytest.mark.parametrize('true_temperature', [0.5, 1.0, 3.0])
def test_the_temperature_of_labels_drawn_by_it_is_found(true_temperature: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(20000, 5, generator=generator)
    probabilities = (logits / true_temperature).softmax(1)
    truth = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
    assert fit_temperature(logits, truth) == pytest.approx(true_temperature, rel=0.05)


def test_a_network_that_is_always_right_has_no_temperature() -> None:
    logits = 50 * torch.eye(4)
    with pytest.raises(ConfigError, match='no temperature fits these frames'):
        fit_temperature(-logits, torch.arange(4))


@pytest.fixture
def bag(tmp_path: Path, picture: Callable[..., np.ndarray]) -> Path:
    """Five pictures, with truth drawn at random from two of the classes."""
    rng = np.random.default_rng(0)
    frames = [
        LabelledFrame(picture(96, 64, seed), rng.integers(0, 2, (64, 96)).astype(np.uint8))
        for seed in range(5)
    ]
    write_labelled_bag(tmp_path / 'bag', frames, 1.0)
    return tmp_path / 'bag'


def test_calibrated_weights_keep_their_labels_and_lose_their_error(
    bag: Path,
    random_weights: Path,
    tmp_path: Path,
    picture: Callable[..., np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:
    mended = tmp_path / 'mended.safetensors'
    command = ['calibrate', str(bag), '--weights', str(random_weights), '--output', str(mended)]
    assert main(command) == 0
    temperature = read_info(mended).temperature
    said = capsys.readouterr().out
    assert f'temperature {temperature:.4f} by 5 frames' in said
    assert said.endswith(f'; written to {mended}\n')
    assert temperature != 1
    errors = []
    for weights in (random_weights, mended):
        scores = tmp_path / 'scores.json'
        options = ['--calibration', '--backend', 'torch', '--precision', 'float32']
        command = ['evaluate', str(bag), '--weights', str(weights), '--json', str(scores)]
        assert main(command + options) == 0
        errors.append(json.loads(scores.read_text())['calibration_error'])
    assert errors[1] < errors[0]
    before, after = (
        Segmenter.from_weights(path, 'cpu', 'float32', 'torch')
        for path in (random_weights, mended)
    )
    rgb = picture(96, 64, 9)
    np.testing.assert_array_equal(before(rgb).labels, after(rgb).labels)
    assert (before(rgb, True).confidence != after(rgb, True).confidence).any()


def test_an_input_size_of_its_own_is_not_stored_and_it_is_said(
    bag: Path, random_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'mended.safetensors'
    command = ['calibrate', str(bag), '--weights', str(random_weights), '--input-size', '64x32']
    assert main([*command, '--output', str(output)]) == 0
    assert capsys.readouterr().out.endswith(
        f'; written to {output}; --input-size 64x32 is not stored: give it, or the parameter '
        'input_size, wherever the copy runs\n'
    )
    assert read_info(output).input_size == read_info(random_weights).input_size


@pytest.mark.parametrize(
    ('size', 'ids', 'options', 'message'),
    [
        ((64, 96), 20, [], r'with stamp 1\d*\.0+: truth holds ids that are no class: 20; the'),
        ((32, 48), 0, [], 'truth is 48x32 but the prediction is 96x64; both must have one size'),
        ((64, 96), 7, ['--truth', 'cityscapes-ids'], "truth 'cityscapes-ids' tells the classes"),
    ],
)
def test_truth_that_cannot_be_scored_gives_no_temperature(
    random_weights: Path,
    tmp_path: Path,
    picture: Callable[..., np.ndarray],
    capsys: pytest.CaptureFixture[str],
    size: tuple[int, int],
    ids: int,
    options: list[str],
    message: str,
) -> None:
    truth = np.full(size, ids, np.uint8)
    write_labelled_bag(tmp_path / 'bag', [LabelledFrame(picture(96, 64, 0), truth)], 1.0)
    output = tmp_path / 'calibrated.safetensors'
    command = ['calibrate', str(tmp_path / 'bag'), '--weights', str(random_weights)]
    assert main([*command, '--output', str(output), *options]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not output.exists()


def test_instances_are_not_needed(
    random_weights: Path, tmp_path: Path, picture: Callable[..., np.ndarray]
) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (64, 96)).astype(np.uint8)
    frames = [
        LabelledFrame(picture(96, 64, 0), truth, instances=truth.astype(np.uint16)),
        LabelledFrame(picture(96, 64, 1), truth),
    ]
    write_labelled_bag(tmp_path / 'bag', frames, 1.0)
    command = ['calibrate', str(tmp_path / 'bag'), '--weights', str(random_weights)]
    assert main([*command, '--output', str(tmp_path / 'calibrated.safetensors')]) == 0


@pytest.mark.parametrize('backend', ['torch', 'openvino'])
def test_the_engine_divides_logits_by_the_temperature(
    random_weights: Path, tmp_path: Path, picture: Callable[..., np.ndarray], backend: str
) -> None:
    if backend == 'openvino':
        pytest.importorskip('openvino')
    model, info = load_weights(random_weights)
    sharp = tmp_path / 'sharp.safetensors'
    save_weights(sharp, model, dataclasses.replace(info, temperature=0.01))
    rgb = picture(96, 64, 1)
    plain, sharpened = (
        Segmenter.from_weights(path, 'cpu', 'float32', backend)(rgb, True).confidence
        for path in (random_weights, sharp)
    )
    assert plain is not None
    assert sharpened is not None
    # A hundredth of the temperature makes nearly every pixel sure.
    assert np.median(plain) < 150
    assert np.median(sharpened) > 200


@pytest.mark.parametrize('value', ['0', '-1', 'NaN', '1e9'])
def test_a_temperature_that_cannot_be_is_refused(
    random_weights: Path, tmp_path: Path, value: str
) -> None:
    with safe_open(random_weights, framework='pt') as file:
        metadata = file.metadata() | {'temperature': value}
    path = tmp_path / 'tampered.safetensors'
    save_file(load_file(random_weights), path, metadata)
    with pytest.raises(WeightsError, match='temperature is'):
        read_info(path)


def test_recorded_predictions_have_no_confidence_to_compare(bag: Path) -> None:
    topic = '/camera/label_truth'
    command = ['evaluate', str(bag), '--prediction-topic', '/p', '--label-topic', topic]
    assert main([*command, '--calibration']) == 2
