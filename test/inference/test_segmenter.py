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
"""The segmenter labels frames as the network behind it would, on every backend."""

import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from spssn_ros.errors import BadImageError
from spssn_ros.inference import Segmentation, Segmenter
from spssn_ros.inference.config import Precision
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.inference.say_once import say_once
from spssn_ros.models import load_weights

Paint = Callable[..., np.ndarray]
SIZE = (117, 77)

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU')


@pytest.fixture(scope='module')
def segmenter(random_weights: Path) -> Segmenter:
    return Segmenter.from_weights(
        random_weights, device='cpu', precision='float32', backend='torch', input_size='native'
    )


@pytest.fixture(scope='module')
def openvino_segmenter(random_weights: Path) -> Segmenter:
    pytest.importorskip('openvino')
    return Segmenter.from_weights(
        random_weights,
        device='cpu',
        precision='float32',
        backend='openvino',
        input_size='native',
        cpu_threads=1,
    )


def full_size_logits(network: Any, rgb: np.ndarray) -> torch.Tensor:
    """Compute (C, H, W) float32 logits the plain way, from the definition of the weights."""
    model, info = network
    mean, std = np.array(info.normalisation.mean), np.array(info.normalisation.std)
    x = ((rgb / 255 - mean) / std).astype(np.float32).transpose(2, 0, 1)
    with torch.inference_mode():
        logits = model(torch.from_numpy(x)[None])
        return functional.interpolate(logits, rgb.shape[:2], mode='bilinear')[0]


def worst_loss(logits: torch.Tensor, labels: np.ndarray) -> float:
    """How much less the chosen classes' logits are than the best, in standard deviations."""
    chosen = logits.gather(0, torch.from_numpy(labels)[None].long())[0]
    return float((logits.amax(0) - chosen).max() / logits.std())


def test_labels_are_those_of_the_network(
    segmenter: Segmenter, random_network: Any, picture: Paint
) -> None:
    rgb = picture(*SIZE)
    logits = full_size_logits(random_network, rgb)
    result = segmenter(rgb, with_confidence=True)
    assert result.labels.shape == result.confidence.shape == rgb.shape[:2]
    assert result.labels.dtype == result.confidence.dtype == np.uint8
    assert len(np.unique(result.labels)) >= 3
    assert worst_loss(logits, result.labels) < 1e-4
    probability = logits.softmax(0).amax(0).numpy()
    assert np.abs(result.confidence / 255 - probability).max() <= 1.01 / 255
    # Swapped channels would not go unseen.
    assert worst_loss(logits, segmenter(rgb[..., ::-1]).labels) > 0.02


def test_confidence_comes_only_when_asked_for(segmenter: Segmenter, picture: Paint) -> None:
    rgb = picture(*SIZE)
    plain, full = segmenter(rgb), segmenter(rgb, with_confidence=True)
    assert plain.confidence is None
    np.testing.assert_array_equal(plain.labels, full.labels)


def test_a_stream_on_the_cpu_gives_each_result_before_it_takes_the_next_frame(
    segmenter: Segmenter, picture: Paint
) -> None:
    frames = [np.roll(picture(*SIZE), 11 * i, 1) for i in range(3)]
    taken = []

    def camera() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    stream = segmenter.stream(camera(), lambda number: frames[number], with_confidence=True)
    for expected, (number, result) in enumerate(stream):
        assert (number, taken[-1]) == (expected, expected)
        alone = segmenter(frames[number], with_confidence=True)
        np.testing.assert_array_equal(result.labels, alone.labels)
        np.testing.assert_array_equal(result.confidence, alone.confidence)
    assert taken == [0, 1, 2]


def test_frames_are_resized_to_the_input_size_and_labels_back(
    random_weights: Path, random_network: Any, picture: Paint
) -> None:
    segmenter = Segmenter.from_weights(
        random_weights, device='cpu', precision='float32', backend='torch', input_size='auto'
    )
    rgb = picture(240, 160)
    # Trained for 96x64: a 240x160 frame enters at that size, shrunk by area.
    assert segmenter.input_size_for((240, 160)) == (96, 64)
    small = cv2.resize(rgb, (96, 64), interpolation=cv2.INTER_AREA)
    model, info = random_network
    mean, std = np.array(info.normalisation.mean), np.array(info.normalisation.std)
    x = ((small / 255 - mean) / std).astype(np.float32).transpose(2, 0, 1)[None]
    with torch.inference_mode():
        logits = functional.interpolate(model(torch.from_numpy(x)), (160, 240), mode='bilinear')
    labels = segmenter(rgb).labels
    assert labels.shape == (160, 240)
    assert worst_loss(logits[0], labels) < 1e-4


@pytest.mark.parametrize('size', [(1, 1), (31, 33), (57, 33), (200, 3)])
def test_any_size(segmenter: Segmenter, picture: Paint, size: tuple[int, int]) -> None:
    result = segmenter(picture(*size), with_confidence=True)
    assert result.labels.shape == result.confidence.shape == size[::-1]


@pytest.mark.parametrize('name', ['segmenter', 'openvino_segmenter'])
def test_frames_lie_in_memory_as_they_like(
    name: str, request: pytest.FixtureRequest, picture: Paint
) -> None:
    segmenter = request.getfixturevalue(name)
    width, height = SIZE
    sparse = picture(2 * width, 2 * height)[::2, ::2]
    packed = sparse.copy()
    padded = np.zeros((height, width + 5, 3), np.uint8)[:, :width]
    padded[:] = packed
    readonly = packed.copy()
    readonly.setflags(write=False)
    expected = segmenter(packed).labels
    np.testing.assert_array_equal(packed, sparse)
    assert len(np.unique(expected)) > 1
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for view in (sparse, padded, readonly):
            np.testing.assert_array_equal(segmenter(view).labels, expected)


@pytest.mark.parametrize(
    ('frame', 'text'),
    [
        (np.zeros((4, 4), np.uint8), r'not \(4, 4\) uint8; convert it before segmentation$'),
        (np.zeros((4, 4, 4), np.uint8), r'not \(4, 4, 4\) uint8'),
        (np.zeros((4, 4, 3), np.float32), r'not \(4, 4, 3\) float32'),
        (np.zeros((0, 4, 3), np.uint8), r'not \(0, 4, 3\) uint8'),
        (np.zeros((2, 4, 4, 3), np.uint8), r'not \(2, 4, 4, 3\) uint8'),
    ],
)
def test_frames_that_are_none(segmenter: Segmenter, frame: np.ndarray, text: str) -> None:
    with pytest.raises(BadImageError, match=r'^a frame must be \(H, W, 3\) uint8 RGB, ' + text):
        segmenter(frame)


@pytest.mark.parametrize(
    ('frame', 'text'),
    [
        (None, 'NoneType; was its file read? cv2.imread gives None where it was not'),
        ([[[1, 2, 3]]], 'list; convert it by numpy.asarray'),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), 'Tensor; convert it by numpy.asarray'),
    ],
)
def test_what_is_no_array(segmenter: Segmenter, frame: Any, text: str) -> None:
    with pytest.raises(BadImageError) as error:
        segmenter(frame)
    assert str(error.value) == f'a frame must be a NumPy array, (H, W, 3) uint8 RGB, not {text}'


@pytest.mark.parametrize('name', ['segmenter', 'openvino_segmenter'])
def test_a_batch_has_one_size(name: str, request: pytest.FixtureRequest, picture: Paint) -> None:
    segmenter = request.getfixturevalue(name)
    frames = [picture(40, 32), picture(33, 47)]
    with pytest.raises(BadImageError, match=r'one size, not 33x47 and 40x32; give them one by'):
        segmenter.batch(frames)
    labels = [result.labels for result in segmenter.batch([frames[0]] * 2)]
    np.testing.assert_array_equal(labels, [segmenter(frames[0]).labels] * 2)
    assert segmenter.batch([]) == []


@pytest.mark.parametrize('name', ['segmenter', 'openvino_segmenter'])
def test_threads_share_a_segmenter_frame_after_frame(
    name: str,
    request: pytest.FixtureRequest,
    picture: Paint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segmenter = request.getfixturevalue(name)
    frame = picture(40, 32)
    inside, both_inside = threading.Semaphore(1), []
    segment = segmenter.backend.segment

    def alone(*arguments: Any) -> Any:
        if not inside.acquire(blocking=False):
            both_inside.append(True)
            return None
        time.sleep(0.01)
        result = segment(*arguments)
        inside.release()
        return result

    expected = segmenter(frame).labels
    monkeypatch.setattr(segmenter.backend, 'segment', alone)
    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(segmenter, [frame] * 6))
    assert not both_inside
    for result in results:
        np.testing.assert_array_equal(result.labels, expected)


@pytest.mark.parametrize('name', ['segmenter', 'openvino_segmenter'])
def test_a_segmenter_is_pickled_as_its_network(
    name: str, request: pytest.FixtureRequest, picture: Paint
) -> None:
    segmenter = request.getfixturevalue(name)
    frame = picture(40, 32)
    expected = segmenter(frame, True)
    other = pickle.loads(pickle.dumps(segmenter))
    assert (other.description, other.config) == (segmenter.description, segmenter.config)
    assert other.label_set == segmenter.label_set
    result = other(frame, True)
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.confidence, expected.confidence)


def test_openvino_agrees_with_torch(
    segmenter: Segmenter, openvino_segmenter: Segmenter, random_network: Any, picture: Paint
) -> None:
    assert openvino_segmenter.description == 'openvino float32 on cpu'
    rgb = picture(*SIZE)
    expected = segmenter(rgb, with_confidence=True)
    result = openvino_segmenter(rgb, with_confidence=True)
    assert (result.labels == expected.labels).mean() >= 0.999
    difference = result.confidence.astype(int) - expected.confidence
    assert np.abs(difference).max() <= 1
    assert worst_loss(full_size_logits(random_network, rgb), result.labels) < 1e-3


def test_openvino_forgets_old_sizes_and_says_once_that_they_come_again(
    random_weights: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip('openvino')
    say_once.cache_clear()
    backend = Segmenter.from_weights(random_weights, device='cpu', backend='openvino').backend
    compiled: list[tuple[int, int]] = []

    class Compiled:
        def create_infer_request(self) -> object:
            return object()

    def compile_for(size: tuple[int, int]) -> Compiled:
        compiled.append(size)
        return Compiled()

    monkeypatch.setattr(backend, '_load', lambda size: None)
    monkeypatch.setattr(backend, '_compile', compile_for)
    first, second, *others = sizes = [(32 * side, 32) for side in range(1, 9)]
    ninth = (320, 32)
    for size in [*sizes, first, ninth, first]:
        backend._request(size)
    assert compiled == [*sizes, ninth]
    assert not caplog.records
    # Eight are kept; the second was the one unused for longest when the ninth came.
    for size in (second, *others):
        backend._request(size)
    assert compiled == [*sizes, ninth, second, *others]
    (record,) = caplog.records
    assert record.message.startswith('frames enter the network at more than 8 sizes in turn, so')


@pytest.mark.parametrize(
    ('device', 'precision', 'tolerance'),
    [
        ('cpu', 'bfloat16', 0.15),
        # Convolutions in float32 use TF32 on recent GPUs.
        pytest.param('cuda', 'float32', 0.02, marks=needs_cuda),
        pytest.param('cuda', 'float16', 0.05, marks=needs_cuda),
        pytest.param('cuda', 'bfloat16', 0.25, marks=needs_cuda),
    ],
)
def test_other_precisions_and_devices_agree(
    random_weights: Path,
    random_network: Any,
    picture: Paint,
    device: str,
    precision: str,
    tolerance: float,
) -> None:
    segmenter = Segmenter.from_weights(
        random_weights, device=device, precision=precision, backend='torch', input_size='native'
    )
    assert segmenter.description.startswith(f'torch {precision} on {device}')
    rgb = picture(*SIZE)
    logits = full_size_logits(random_network, rgb)
    result = segmenter(rgb, with_confidence=True)
    assert result.labels.shape == result.confidence.shape == rgb.shape[:2]
    assert result.labels.dtype == result.confidence.dtype == np.uint8
    np.testing.assert_array_equal(segmenter(rgb).labels, result.labels)
    assert worst_loss(logits, result.labels) < tolerance
    # Random weights leave the classes close, so rounding to 8 bits turns some.
    assert (logits.argmax(0).numpy() == result.labels).mean() > 0.85
    probability = logits.softmax(0).amax(0).numpy()
    assert np.abs(result.confidence / 255 - probability).mean() < tolerance


def test_a_conversion_leaves_no_memory_behind(random_weights: Path) -> None:
    backend = pytest.importorskip('spssn_ros.inference.openvino_backend')
    model, info = load_weights(random_weights)
    network = FromUint8(model, info.normalisation).eval()

    def resident_mb() -> float:
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 1e6

    backend.to_openvino(network, (32, 32))
    before = resident_mb()
    for _ in range(4):
        backend.to_openvino(network, (32, 32))
        gc.collect()
    # Without the clearing it is about 80 MB.
    assert resident_mb() - before < 45


def test_openvino_says_in_which_precision_it_computes(
    random_weights: Path,
    openvino_segmenter: Segmenter,
    picture: Paint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = pytest.importorskip('spssn_ros.inference.openvino_backend')
    # What OpenVINO answers where the processor has no instructions for bfloat16.
    monkeypatch.setattr(backend, 'capabilities', lambda core: ['FP32', 'INT8'])
    say_once.cache_clear()
    for _ in range(2):
        segmenter = Segmenter.from_weights(
            random_weights, 'cpu', 'bfloat16', 'openvino', input_size='native', cpu_threads=1
        )
        assert segmenter.description == 'openvino float32 on cpu'
        assert segmenter.backend.precision is segmenter.plan.precision is Precision.FLOAT32
    rgb = picture(*SIZE)
    np.testing.assert_array_equal(segmenter(rgb).labels, openvino_segmenter(rgb).labels)
    assert segmenter.description == 'openvino float32 on cpu'
    assert [record.message for record in caplog.records] == [
        'OpenVINO cannot compute in bfloat16 on this processor, so float32 is taken'
    ]
    monkeypatch.setattr(backend, 'capabilities', lambda core: ['FP32', 'INT8', 'BF16'])
    segmenter = Segmenter.from_weights(random_weights, 'cpu', 'bfloat16', 'openvino')
    assert segmenter.description == 'openvino bfloat16 on cpu'
    assert segmenter.plan.precision is Precision.BFLOAT16


@pytest.mark.parametrize('threads', [1, 2])
def test_openvino_takes_the_number_of_threads(random_weights: Path, threads: int) -> None:
    pytest.importorskip('openvino', reason='openvino is not installed')
    segmenter = Segmenter.from_weights(
        random_weights, device='cpu', backend='openvino', cpu_threads=threads
    )
    segmenter.warm_up()
    request = next(iter(segmenter.backend._compiled.values()))
    assert request.get_compiled_model().get_property('INFERENCE_NUM_THREADS') == threads


def test_openvino_reports_nothing_over_the_network() -> None:
    pytest.importorskip('openvino', reason='openvino is not installed')
    code = (
        'import sys\n'
        'from spssn_ros.inference import openvino_backend\n'
        "print(sys.modules['openvino_telemetry'], 'openvino' in sys.modules)\n"
        "print([m for m in sys.modules if m.startswith('openvino_telemetry.')])\n"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == 'None True\n[]\n'


def test_warming_up_runs_the_training_size(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    monkeypatch.setattr(
        segmenter.backend, 'segment', lambda rgb, inner, outer, _: sizes.append((inner, outer))
    )
    segmenter.warm_up()
    segmenter.warm_up((64, 48))
    assert sizes == [((96, 64), (96, 64)), ((64, 48), (64, 48))]


def test_it_tells_when_it_was_last_at_the_first_frame_of_a_size(
    random_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Segmenter.from_weights(random_weights, device='cpu', backend='torch')
    now, seen = 100.0, []

    def compute(*_: object) -> Segmentation:
        nonlocal now
        now += 5
        seen.append(segmenter.prepared_at_s)
        return Segmentation(np.zeros((1, 1), np.uint8))

    monkeypatch.setattr('spssn_ros.inference.segmenter.time.monotonic', lambda: now)
    monkeypatch.setattr(segmenter.backend, 'segment', compute)
    assert segmenter.prepared_at_s == float('-inf')
    for size in ((96, 64), (96, 64), (64, 64), (96, 64)):
        segmenter.warm_up(size)
    assert seen == [105, 105, 115, 115], 'while at it, now'
    assert segmenter.prepared_at_s == 115


def test_the_shipped_weights_are_the_default() -> None:
    segmenter = Segmenter.from_weights(device='cpu', backend='torch', precision='float32')
    assert segmenter.label_set.names[3] == 'road'
    assert segmenter.info.model == 'spssn'


def test_frames_shrink_by_area_and_grow_bilinearly() -> None:
    checks = np.indices((4, 4)).sum(0) % 2 * 200
    rgb = np.repeat(checks[..., None], 3, 2).astype(np.uint8)
    assert (resize_frame(rgb, (2, 2)) == 100).all()
    row = resize_frame(np.array([[[0] * 3, [200] * 3]], np.uint8), (4, 1))
    assert row[0, :, 0].tolist() == [0, 50, 150, 200]
    assert resize_frame(rgb[:, ::-1], (4, 4)).flags.c_contiguous
