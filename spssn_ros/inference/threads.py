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
"""How many threads inference takes on the CPU."""

import os
import threading
from pathlib import Path

import cv2
import torch

_TOPOLOGY = Path('/sys/devices/system/cpu')


def available_threads(topology: Path = _TOPOLOGY) -> int:
    """Return the threads for `cpu_threads: 0`.

    One for each physical core that this process may use, as a core's second thread adds nothing
    to arithmetic; where there are more than two, one is left to drivers and other nodes.
    """
    usable = os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else set[int]()
    if not usable:
        usable = set(range(os.cpu_count() or 1))
    cores = {_siblings(topology, cpu) for cpu in usable}
    return len(cores) if len(cores) <= 2 else len(cores) - 1


def limit_threads(cpu_threads: int) -> int:
    """Give PyTorch and OpenCV, in this process, so many threads, and return the number.

    0 stands for `available_threads`, but for no more than the program itself has given PyTorch.
    In a process forked off one that has called this, both work on the calling thread alone.
    """
    _limit.note()
    threads = cpu_threads or min(available_threads(), _limit.by_others)
    take_threads(threads)
    limit_opencv(threads)
    return threads


def limit_opencv(threads: int) -> None:
    """Give OpenCV alone so many threads; see `limit_threads` for forked processes."""
    if not _pools.lost:
        _pools.made = True
        cv2.setNumThreads(threads)


def take_threads(threads: int) -> None:
    """Give PyTorch so many threads again: others may have set another number since."""
    if _pools.lost:
        threads = 1
    if torch.get_num_threads() != threads:
        _limit.note()
        torch.set_num_threads(threads)
    _limit.by_us = threads


class _Limit(threading.local):
    """Tells the number of threads that the program has given PyTorch from those set here.

    OpenMP, and so PyTorch, has a number for each thread that calls it.
    """

    def __init__(self) -> None:
        self.by_others = torch.get_num_threads()
        self.by_us = self.by_others

    def note(self) -> None:
        if torch.get_num_threads() != self.by_us:
            self.by_others = torch.get_num_threads()


_limit = _Limit()


class _Pools:
    """Whether PyTorch and OpenCV have threads, or would wait for threads that there are not.

    A forked process has their pools but not the threads in them: PyTorch would hand those work,
    and OpenCV would stop those to have another number, and neither would ever come back.
    """

    def __init__(self) -> None:
        self.made = False
        self.lost = False

    def forked(self) -> None:
        if self.made:
            self.lost = True
            take_threads(1)


_pools = _Pools()
os.register_at_fork(after_in_child=_pools.forked)


def _siblings(topology: Path, cpu: int) -> str:
    """Return text that is the same for the threads of one core."""
    try:
        file = topology / f'cpu{cpu}' / 'topology' / 'thread_siblings_list'
        return file.read_text(encoding='ascii').strip()
    except OSError:
        return str(cpu)
