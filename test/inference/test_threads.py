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
"""The number of threads is as asked for, or leaves a core free."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pytest
import torch

from spssn_ros.inference import Segmenter, cuda_backend, threads
from spssn_ros.inference.threads import available_threads, limit_threads


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    # As in a process in which nothing was set so far.
    monkeypatch.setattr(threads, '_limit', threads._Limit())
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.mark.parametrize(
    ('cpus', 'siblings', 'number'),
    [
        ({0}, {}, 1),
        ({0, 1}, {0: '0', 1: '1'}, 2),
        ({0, 1, 2}, {}, 2),
        ({2, 3, 5, 7}, {}, 3),
        # Two threads a core, on four cores.
        (set(range(8)), {cpu: f'{cpu % 4},{cpu % 4 + 4}' for cpu in range(8)}, 3),
        # Of which two may be used.
        ({0, 1, 4, 5}, {cpu: f'{cpu % 4},{cpu % 4 + 4}' for cpu in range(8)}, 2),
    ],
)
def test_a_thread_for_each_core_and_one_core_left(
    cpus: set[int],
    siblings: dict[int, str],
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: cpus, raising=False)
    for cpu, text in siblings.items():
        folder = tmp_path / f'cpu{cpu}' / 'topology'
        folder.mkdir(parents=True)
        (folder / 'thread_siblings_list').write_text(f'{text}\n')
    assert available_threads(tmp_path) == number


@pytest.mark.parametrize('number', [1, 2])
def test_pytorch_and_opencv_take_what_is_asked_for(number: int) -> None:
    assert limit_threads(number) == number
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (number, number)


def test_a_lower_limit_of_pytorch_is_kept() -> None:
    torch.set_num_threads(1)
    assert limit_threads(0) == 1
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(('asked', 'number'), [(0, 4), (1, 1), (6, 6)])
def test_beside_a_gpu_the_host_takes_few_threads_or_what_is_asked_for(
    asked: int, number: int, random_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_backend, 'available_threads', lambda: 6)
    torch.set_num_threads(8)
    cv2.setNumThreads(8)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(cuda_backend, 'CudaQueue', lambda device: CpuQueue())
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 0)
    Segmenter.from_weights(random_weights, 'cuda', 'float32', cpu_threads=asked)
    # PyTorch has no work there, and the program's own may want its threads.
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (8, number)


class CpuQueue:
    """Stands in for a queue of CUDA's, for the time in which a network is moved to its device."""

    device = torch.device('cpu')

    def entered(self) -> contextlib.AbstractContextManager[object]:
        return contextlib.nullcontext()


def test_what_was_asked_for_once_does_not_limit_what_is_automatic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, 'available_threads', lambda: 3)
    torch.set_num_threads(4)
    assert [limit_threads(asked) for asked in (0, 1, 0, 5, 0)] == [3, 1, 3, 5, 3]
    # Another's limit holds for as long as nobody sets another, asked for or not in between.
    torch.set_num_threads(2)
    assert [limit_threads(asked) for asked in (0, 1, 0, 5, 0)] == [2, 1, 2, 5, 2]
    torch.set_num_threads(8)
    assert [limit_threads(asked) for asked in (1, 0)] == [1, 3]


def test_the_number_of_one_thread_is_no_limit_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, 'available_threads', lambda: 3)
    torch.set_num_threads(4)
    assert limit_threads(1) == 1
    with ThreadPoolExecutor(1) as other:
        assert other.submit(limit_threads, 2).result() == 2
    assert limit_threads(0) == 3


def test_segmenters_keep_their_own_numbers(
    random_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, 'available_threads', lambda: 3)
    torch.set_num_threads(4)
    seen: list[int] = []
    segmenters = [
        Segmenter.from_weights(random_weights, 'cpu', 'float32', 'torch', '32x32', asked)
        for asked in (0, 1, 0)
    ]
    for segmenter in segmenters:
        segmenter.backend.network.register_forward_hook(
            lambda *_: seen.append(torch.get_num_threads())
        )
    for segmenter in (*segmenters, segmenters[1]):
        segmenter.warm_up()
    assert seen == [3, 1, 3, 1]
    # Neither is what a frame sets another's limit.
    assert limit_threads(0) == 3
    # But what another has set between frames is, though the frames go on as before.
    torch.set_num_threads(2)
    segmenters[1].warm_up()
    assert seen[-1] == 1
    assert limit_threads(0) == 2


@pytest.mark.parametrize('backend', ['torch', 'openvino'])
def test_a_forked_process_does_not_wait_for_its_parent_s_threads(
    random_weights: Path, backend: str
) -> None:
    pytest.importorskip(backend, reason=f'{backend} is not installed')
    code = (
        'import faulthandler, os, sys, cv2, numpy, torch\n'
        'from spssn_ros.inference import Segmenter\n'
        'frame = numpy.random.default_rng(0).integers(0, 256, (480, 640, 3), numpy.uint8)\n'
        'def make():\n'
        '    return Segmenter.from_weights(\n'
        "        sys.argv[1], 'cpu', 'float32', sys.argv[2], '320x240', cpu_threads=2\n"
        '    )\n'
        'segmenter = make()\n'
        'expected = segmenter(frame).labels\n'
        '# A pool that surely is there.\n'
        'torch.zeros(1 << 20).add(1)\n'
        'child = os.fork()\n'
        'if child == 0:\n'
        '    faulthandler.dump_traceback_later(60, exit=True)\n'
        '    same = [(s(frame).labels == expected).mean() > 0.999 for s in (segmenter, make())]\n'
        '    os._exit(7 if all(same) else 8)\n'
        'print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), torch.get_num_threads())\n'
    )
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code, str(random_weights), backend],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout == '7 2\n', done.stderr


@pytest.mark.parametrize('backend', ['torch', 'openvino'])
@pytest.mark.parametrize('number', [1, 2])
def test_backends_hand_it_on(
    random_weights: Path, backend: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(backend, reason=f'{backend} is not installed')
    segmenter = Segmenter.from_weights(
        random_weights, device='cpu', precision='float32', backend=backend, cpu_threads=number
    )
    assert torch.get_num_threads() == number
    seen = []
    module = f'spssn_ros.inference.{backend}_backend'
    monkeypatch.setattr(
        f'{module}.upsample_argmax', lambda logits, size, threads: seen.append(threads)
    )
    segmenter.warm_up()
    assert seen == [number]
