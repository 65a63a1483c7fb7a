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

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import torch

from spssn_ros.inference import Segmenter
from spssn_ros.inference.threads import available_threads, limit_threads


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.mark.parametrize(
    ('cpus', 'siblings', 'threads'),
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
    threads: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: cpus, raising=False)
    for cpu, text in siblings.items():
        folder = tmp_path / f'cpu{cpu}' / 'topology'
        folder.mkdir(parents=True)
        (folder / 'thread_siblings_list').write_text(f'{text}\n')
    assert available_threads(tmp_path) == threads


@pytest.mark.parametrize('threads', [1, 2])
def test_pytorch_and_opencv_take_what_is_asked_for(threads: int) -> None:
    assert limit_threads(threads) == threads
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (threads, threads)


def test_a_lower_limit_of_pytorch_is_kept() -> None:
    torch.set_num_threads(1)
    assert limit_threads(0) == 1
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize('backend', ['torch', 'openvino'])
@pytest.mark.parametrize('threads', [1, 2])
def test_backends_hand_it_on(
    random_weights: Path, backend: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(backend, reason=f'{backend} is not installed')
    segmenter = Segmenter.from_weights(
        random_weights, device='cpu', precision='float32', backend=backend, cpu_threads=threads
    )
    assert torch.get_num_threads() == threads
    seen = []
    module = f'spssn_ros.inference.{backend}_backend'
    monkeypatch.setattr(
        f'{module}.upsample_argmax', lambda logits, size, threads: seen.append(threads)
    )
    segmenter.warm_up()
    assert seen == [threads]
