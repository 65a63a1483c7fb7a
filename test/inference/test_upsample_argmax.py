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
"""Labels and confidence from small logits equal PyTorch's on the full-size volume."""

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.nn import functional

from spssn_ros.inference.say_once import say_once
from spssn_ros.inference.upsample_argmax import upsample_argmax, upsample_argmax_confidence

HAS_NUMBA = importlib.util.find_spec('numba') is not None


@pytest.fixture(
    params=[
        pytest.param(
            'numba', marks=pytest.mark.skipif(not HAS_NUMBA, reason='numba is not installed')
        ),
        'opencv',
    ],
    autouse=True,
)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every test holds for both ways."""
    if request.param == 'opencv':
        # What an import finds where numba is not installed.
        monkeypatch.setitem(sys.modules, 'numba', None)
        for name in ('upsample_cells', 'cell_loops'):
            monkeypatch.delitem(sys.modules, f'spssn_ros.inference.{name}', raising=False)
    return request.param


SIZES = [
    # logits (C, h, w), labels (width, height)
    ((11, 45, 60), (480, 360)),
    ((19, 5, 8), (57, 33)),
    ((3, 8, 6), (41, 61)),
    ((2, 1, 1), (7, 5)),
    ((4, 6, 8), (8, 6)),
    ((4, 1, 9), (70, 3)),
    ((5, 40, 30), (13, 17)),
    ((1, 4, 4), (32, 32)),
    # Parts of the rows for several threads.
    ((7, 30, 40), (640, 480)),
]


def reference(logits: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    volume = torch.from_numpy(logits)[None].double()
    return functional.interpolate(volume, size[::-1], mode='bilinear', align_corners=False)[0]


def noise(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, shape).astype(np.float32)


def regions(shape: tuple[int, int, int]) -> np.ndarray:
    """Classes that win by far over whole regions, as in a real frame, with narrow borders."""
    classes, height, width = shape
    y, x = np.mgrid[:height, :width]
    middle = np.random.default_rng(1).uniform(0, 1, (classes, 2))
    distance = np.hypot(
        y[None] - middle[:, 0, None, None] * height, x[None] - middle[:, 1, None, None] * width
    )
    return (-4 * distance).astype(np.float32)


@pytest.mark.parametrize('threads', [1, 3])
@pytest.mark.parametrize('logits_of', [noise, regions])
@pytest.mark.parametrize(('shape', 'size'), SIZES)
def test_labels_and_confidence(
    shape: tuple[int, int, int], size: tuple[int, int], logits_of: object, threads: int
) -> None:
    logits = logits_of(shape)
    volume = reference(logits, size)
    labels, confidence = upsample_argmax_confidence(logits, size, threads)
    alone = upsample_argmax(logits, size, threads)
    assert (alone != labels).sum() <= 1e-4 * labels.size
    assert labels.shape == confidence.shape == (size[1], size[0])
    assert labels.dtype == confidence.dtype == np.uint8
    # Another winner only where two are as good as equal.
    chosen = volume.gather(0, torch.from_numpy(labels)[None].long())[0]
    tolerance = 1e-6 * max(10.0, float(volume.abs().max()))
    assert (volume.amax(0) - chosen).max() <= tolerance
    chosen = volume.gather(0, torch.from_numpy(alone)[None].long())[0]
    assert (volume.amax(0) - chosen).max() <= tolerance
    probability = volume.softmax(0).amax(0).numpy()
    assert np.abs(confidence - 255 * probability).max() <= 0.6


def test_the_lower_class_wins_a_tie() -> None:
    assert not upsample_argmax(np.ones((3, 2, 2), np.float32), (5, 5)).any()
    logits = np.array([0, 2, 2], np.float32).reshape(3, 1, 1)
    assert (upsample_argmax(logits, (3, 3)) == 1).all()


def test_confidence_of_known_odds() -> None:
    # Probabilities 0.8, 0.1, 0.1, and 1/3 each.
    odds = np.log(np.array([0.8, 0.1, 0.1], np.float32)).reshape(3, 1, 1)
    assert (upsample_argmax_confidence(odds, (4, 4))[1] == 204).all()
    assert (upsample_argmax_confidence(odds * 0, (4, 4))[1] == 85).all()


def test_great_logits_do_not_overflow() -> None:
    logits = np.array([1e4, -1e4, 9.9e3], np.float32).reshape(3, 1, 1)
    labels, confidence = upsample_argmax_confidence(logits, (2, 2))
    assert (labels == 0).all()
    assert (confidence == 255).all()


def test_the_classes_may_lie_last_in_memory() -> None:
    logits = regions((5, 9, 7))
    last = np.ascontiguousarray(logits.transpose(1, 2, 0)).transpose(2, 0, 1)
    for one, other in zip(
        upsample_argmax_confidence(logits, (50, 60)),
        upsample_argmax_confidence(last, (50, 60)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not HAS_NUMBA, reason='numba is not installed')
def test_a_forked_process_has_threads_of_its_own() -> None:
    code = (
        'import os, numpy\n'
        'from spssn_ros.inference.upsample_argmax import upsample_argmax_confidence as upsample\n'
        'logits = numpy.zeros((3, 30, 40), numpy.float32)\n'
        'upsample(logits, (640, 480), 2)\n'
        'child = os.fork()\n'
        'if child == 0:\n'
        '    upsample(logits, (640, 480), 2)\n'
        '    os._exit(7)\n'
        'print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout == '7\n'


@pytest.mark.skipif(not HAS_NUMBA, reason='numba is not installed')
def test_a_frame_is_finished_while_python_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from spssn_ros.inference import upsample_cells

    class Ending(ThreadPoolExecutor):
        """Takes one task before the end."""

        def submit(self, *task: object) -> object:
            future = super().submit(*task)
            tasks.append(task)
            self.shutdown()
            return future

    tasks: list[object] = []
    pool = Ending(2)
    monkeypatch.setattr(upsample_cells, '_pool', lambda threads: pool)
    logits = noise((7, 30, 40))
    labels, _ = upsample_cells.upsample_cells(logits, (640, 480), True, 3)
    assert len(tasks) == 1
    np.testing.assert_array_equal(labels, upsample_argmax_confidence(logits, (640, 480), 1)[0])


def test_a_missing_numba_is_said_once(way: str, caplog: pytest.LogCaptureFixture) -> None:
    say_once.cache_clear()
    with caplog.at_level(logging.WARNING, 'spssn_ros'):
        for _ in range(3):
            upsample_argmax(np.zeros((2, 2, 2), np.float32), (8, 8))
    expected = [] if way == 'numba' else ['labels are upsampled by OpenCV, several times slower']
    assert [record.message.split(', since')[0] for record in caplog.records] == expected
