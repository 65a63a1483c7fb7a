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
"""Batches of processes beside those of a thread; a program, since loaders fork."""

import multiprocessing

import cv2
import numpy as np
import torch

from spssn_ros.training.batches import HostBatches, ProcessBatches
from spssn_ros.training.config import TrainConfig


def main() -> None:
    """Draw some epochs by both and compare them."""
    rng = np.random.default_rng(0)
    samples = [
        (rng.integers(0, 256, (64, 96, 3), np.uint8), rng.integers(0, 11, (64, 96), np.uint8))
        for _ in range(6)
    ]
    by_a_thread = HostBatches(samples, TrainConfig(crop=(64, 64), batch_size=2, workers=2))
    by_processes = ProcessBatches(by_a_thread)
    # Threads of OpenCV, on which a forked process must not wait.
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (9, 9), 2)
    # From an epoch that is left in the middle to another one, and in a row.
    next(by_processes.epoch(5))
    for epoch in (1, 2, 0):
        expected, found = (list(batches.epoch(epoch)) for batches in (by_a_thread, by_processes))
        same = all(
            torch.equal(a, b)
            for one, other in zip(expected, found, strict=True)
            for a, b in zip(one, other, strict=True)
        )
        print(f'epoch {epoch}: {len(found)} batches, {"the same" if same else "others"}')
    started = multiprocessing.active_children()
    by_processes.close()
    alive = sum(process.is_alive() for process in started)
    print(f'processes: {"some" if started else "none"}, {alive} after the end')


if __name__ == '__main__':
    main()
