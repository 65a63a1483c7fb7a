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

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spssn_ros.bags.labelled import LABEL_TOPIC, LabelledFrame, write_labelled_bag
from spssn_ros.bags.writer import BagWriter
from spssn_ros.errors import BagError, ConfigError
from spssn_ros.evaluation import quantization
from spssn_ros.evaluation.quantization import CalibrationFrames, QuantizationConfig, cost
from spssn_ros.inference import Segmenter
from spssn_ros.models import load_graph, load_weights
from spssn_ros.tools.main import main

Paint = Callable[..., np.ndarray]
SIZE = (96, 64)
FRAMES = 7

pytest.importorskip('openvino', reason='openvino is not installed')


@pytest.fixture(scope='module')
def floats(random_weights: Path) -> Segmenter:
    return Segmenter.from_weights(random_weights, 'cpu', 'auto', 'openvino', cpu_threads=1)


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory, picture: Paint, floats: Segmenter) -> Path:
    """Pictures, with what floats make of them as truth."""
    pictures = [picture(*SIZE, seed) for seed in range(FRAMES)]
    path = tmp_path_factory.mktemp('bags') / 'bag'
    write_labelled_bag(path, [LabelledFrame(rgb, floats(rgb).labels) for rgb in pictures], 1.0)
    return path


def test_quantised_weights_give_nearly_the_labels_of_floats(
    bag: Path,
    random_weights: Path,
    floats: Segmenter,
    tmp_path: Path,
    picture: Paint,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip('nncf', reason='nncf is not installed')
    output = tmp_path / 'both.safetensors'
    command = ['quantize', str(bag), '--weights', str(random_weights), '--frames', '3']
    assert main([*command, '--output', str(output)]) == 0
    said, _ = capsys.readouterr()
    numbers = re.fullmatch(
        r'quantised for 96x64 by 3 frames; on 4 others (.*)% of the labels differ from those of '
        rf'floats, mIoU 100\.00% -> (.*)%; written to {re.escape(str(output))}\n',
        said,
    )
    assert numbers, said
    # Random weights leave the classes close together.
    assert 0 < float(numbers[1]) < 12
    assert 60 < float(numbers[2]) < 100
    # It would report each use to its makers.
    assert sys.modules['openvino_telemetry'] is None
    graph = load_graph(output)
    assert (graph.size, graph.frames, graph.versions.keys()) == (SIZE, 3, {'nncf', 'openvino'})
    assert b'FakeQuantize' in graph.xml
    assert b'element_type="i8"' in graph.xml
    integers = Segmenter.from_weights(output, precision='int8', cpu_threads=1)
    rgb = picture(*SIZE, 99)
    assert 0.75 < (integers(rgb).labels == floats(rgb).labels).mean() < 1
    state, expected = (load_weights(path)[0].state_dict() for path in (output, random_weights))
    assert all(torch.equal(state[key], value) for key, value in expected.items())
    small = tmp_path / 'small.safetensors'
    options = ['--half', '--input-size', '96x64']
    assert main([*command, *options, '--output', str(small)]) == 0
    assert f'; written to {small}; --input-size 96x64 is not stored: ' in capsys.readouterr().out
    assert small.stat().st_size < output.stat().st_size - 1.9 * sum(
        value.numel() for value in expected.values() if value.is_floating_point()
    )
    assert load_graph(small).weights == graph.weights


def test_calibration_takes_evenly_spaced_frames_at_the_input_size(
    bag: Path, picture: Paint
) -> None:
    frames = CalibrationFrames(QuantizationConfig(bag, frames=3), lambda size: size)
    assert (frames.count, frames.size) == (3, SIZE)
    # As often as asked.
    for found in (list(frames), list(frames)):
        for rgb, seed in zip(found, (1, 3, 5), strict=True):
            np.testing.assert_array_equal(rgb, picture(*SIZE, seed))
    # Others are left to compare on.
    assert len(list(CalibrationFrames(QuantizationConfig(bag), lambda size: size))) == 4
    smaller = CalibrationFrames(QuantizationConfig(bag, frames=1), lambda _: (48, 32))
    assert [rgb.shape for rgb in smaller] == [(32, 48, 3)]


class Halves:
    """A segmenter that finds class 2 on the left of a frame and `right` on its right."""

    def __init__(self, like: Segmenter, right: int) -> None:
        self.label_set, self.right = like.label_set, right
        self.seen: list[np.ndarray] = []

    def __call__(self, rgb: np.ndarray) -> Any:
        self.seen.append(rgb)
        labels = np.full(rgb.shape[:2], 2, np.uint8)
        labels[:, rgb.shape[1] // 2 :] = self.right
        return type('Found', (), {'labels': labels})


def write(path: Path, picture: Paint, count: int, truth: np.ndarray | None = None) -> Path:
    with BagWriter(path) as bag:
        for number in range(count):
            bag.write_image('/image', 10**9 + number, 'c', picture(*SIZE, number))
            if truth is not None:
                bag.write_image('/truth', 10**9 + number, 'c', truth)
    return path


@pytest.mark.parametrize('with_truth', [True, False])
def test_the_cost_is_that_of_the_frames_left(
    tmp_path: Path,
    picture: Paint,
    floats: Segmenter,
    monkeypatch: pytest.MonkeyPatch,
    with_truth: bool,
) -> None:
    truth = np.full(SIZE[::-1], 2, np.uint8)
    path = write(tmp_path / 'bag', picture, 6, truth if with_truth else None)
    config = QuantizationConfig(path, '/image', '/truth' if with_truth else '')
    before: Any = Halves(floats, 2)
    after: Any = Halves(floats, 4)
    used = {10**9 + number for number in (1, 4)}
    found = cost(config, used, before, after)
    assert (found.frames, found.differing) == (4, 0.5)
    # Half of class 2 is lost, and all of what is called class 4 is wrong.
    expected = (1.0, 0.25) if with_truth else (None, None)
    assert (found.miou_before, found.miou_after) == expected
    for rgb, seed in zip(after.seen, (0, 2, 3, 5), strict=True):
        np.testing.assert_array_equal(rgb, picture(*SIZE, seed))
    # A long bag's are evenly spaced.
    monkeypatch.setattr(quantization, 'MOST_COMPARED', 2)
    assert cost(config, used, before, after).frames == 2
    np.testing.assert_array_equal(after.seen[-1], picture(*SIZE, 3))
    every = {10**9 + number for number in range(6)}
    assert cost(config, every, before, after).frames == 0


def test_the_usual_label_topic_is_found(bag: Path, floats: Segmenter) -> None:
    found = cost(QuantizationConfig(bag), set(), floats, floats)
    assert (found.frames, found.differing, found.miou_before) == (FRAMES, 0, 1)
    assert found == cost(QuantizationConfig(bag, label_topic=LABEL_TOPIC), set(), floats, floats)


def test_truth_that_fits_no_image(tmp_path: Path, picture: Paint, floats: Segmenter) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image('/image', 1, 'c', picture(*SIZE))
        bag.write_image('/truth', 2, 'c', np.zeros(SIZE[::-1], np.uint8))
    config = QuantizationConfig(tmp_path / 'bag', '/image', '/truth')
    with pytest.raises(BagError, match=r'no stamp is on both /image .* and /truth'):
        cost(config, set(), floats, floats)
    small = write(tmp_path / 'small', picture, 1, np.zeros((8, 8), np.uint8))
    with pytest.raises(BagError, match=r'frame of /image with stamp .*: truth is 8x8 but'):
        cost(QuantizationConfig(small, '/image', '/truth'), set(), floats, floats)


def test_values_that_cannot_be(tmp_path: Path, picture: Paint) -> None:
    path = write(tmp_path / 'bag', picture, 1)
    with pytest.raises(BagError, match=r"topic '/camera/image_raw' is not in bag .*; it has /ima"):
        CalibrationFrames(QuantizationConfig(path), lambda size: size)
    with pytest.raises(ConfigError, match=r'^frames is 0; give at least 1 to calibrate on$'):
        QuantizationConfig(path, frames=0)


@pytest.fixture
def refused(
    bag: Path, random_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return a function that runs `spssn quantize` and returns its complaint."""

    def run(*options: object) -> str:
        words = ['quantize', bag, '--weights', random_weights, '--output', tmp_path / 'out']
        assert main([*map(str, [*words, *options])]) == 2
        printed, errors = capsys.readouterr()
        assert printed == ''
        assert not [*tmp_path.iterdir()]
        return [line for line in errors.splitlines() if line.startswith('spssn: ')][-1]

    return run


def test_without_nncf(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'nncf', None)
    assert refused() == (
        'spssn: quantisation needs NNCF, which cannot be imported (import of nncf halted; None in '
        'sys.modules); run `pip install nncf==3.4.0`'
    )


def test_what_is_wrong_is_said_before_the_work(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # NNCF is not come to.
    monkeypatch.setattr('spssn_ros.tools.quantize.import_nncf', lambda: None)
    monkeypatch.setitem(sys.modules, 'nncf', None)
    for option, value, text in (
        ('--output', tmp_path / 'no' / 'out', f'{tmp_path}/no: No such file or directory'),
        ('--frames', 0, 'frames is 0; give at least 1'),
        ('--input-size', 'big', "input_size is 'big'; give auto, native or"),
        ('--image-topic', '/none', "topic '/none' is not in bag "),
        ('--label-topic', '/none', "topic '/none' is not in bag "),
        ('--slop', -1, '--slop is -1.0 ms; give 0 or more'),
        ('--truth', 'cityscapes-ids', "truth 'cityscapes-ids' tells the classes road, "),
        ('--weights', 'none', "no weights file 'none'"),
    ):
        assert refused(option, value).startswith(f'spssn: {text}')
