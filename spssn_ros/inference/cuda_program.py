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
"""Work that CUDA repeats: buffers for one shape of it, and the graph between them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spssn_ros.inference.backend import Segmentation
from spssn_ros.inference.config import Size
from spssn_ros.inference.cuda_queue import DeviceQueue
from spssn_ros.inference.gpu_memory import explained
from spssn_ros.inference.preprocess import resize_frame

LANES = 2
"""Frames that may be begun and not yet ended without fresh buffers."""

Matrices = dict[tuple[object, ...], Tensor]
Compute = Callable[[Matrices, Tensor, Tensor], None]
"""Segments frames, (N, H, W, 3) uint8, into labels and confidence, (2, N, H, W) uint8."""


class Sizes(NamedTuple):
    """At which frames enter the network, and labels leave."""

    input: Size
    output: Size

    def explained(self) -> AbstractContextManager[None]:
        """Return a context that raises GpuMemoryError where memory runs out."""
        return explained('network input {}x{}'.format(*self.input))


@dataclass(frozen=True)
class Shape:
    """What a program is made for."""

    frames: int
    sizes: Sizes


class _Lane:
    """Where one frame, or batch, lies before and after the work."""

    def __init__(self, queue: DeviceQueue, taken: tuple[int, ...], given: tuple[int, ...]) -> None:
        self.host_frames = queue.host_buffer(taken)
        self.host_result = queue.host_buffer(given)
        with queue.entered():
            self.frames = torch.zeros(taken, dtype=torch.uint8, device=queue.device)


class Program:
    """The buffers of one shape, and the work between them, which always uses the same memory."""

    def __init__(self, compute: Compute, queue: DeviceQueue, shape: Shape) -> None:
        self._queue, self._shape = queue, shape
        taken = (shape.frames, *shape.sizes.input[::-1], 3)
        given = (2, shape.frames, *shape.sizes.output[::-1])
        self._make_lane = partial(_Lane, queue, taken, given)
        self._free = [self._make_lane() for _ in range(LANES)]
        with queue.entered():
            self._frames = torch.zeros(taken, dtype=torch.uint8, device=queue.device)
            self._result = torch.zeros(given, dtype=torch.uint8, device=queue.device)
        matrices: Matrices = {}
        self._repeat = queue.prepare(partial(compute, matrices, self._frames, self._result))
        # A graph knows them by their address only.
        self._matrices = matrices

    def begin(
        self, frames: Sequence[NDArray[np.uint8]], with_confidence: bool
    ) -> Callable[[], list[Segmentation]]:
        """Begin frames, at most as many as the shape has; what is returned waits for them."""
        count, planes = len(frames), 1 + with_confidence
        lane = self._take_lane()
        try:
            for place, rgb in zip(lane.host_frames.numpy(), frames, strict=False):
                # NumPy's copies, here and back, take this thread alone. PyTorch wakes one a core,
                # which are asleep between two frames, and waits for the last of them.
                np.copyto(place, resize_frame(rgb, self._shape.sizes.input))
            with self._queue.uploading():
                lane.frames[:count].copy_(lane.host_frames[:count], non_blocking=True)
            with self._queue.entered():
                self._frames[:count].copy_(lane.frames[:count])
                self._repeat()
                for plane in range(planes):
                    taken = self._result[plane, :count]
                    lane.host_result[plane, :count].copy_(taken, non_blocking=True)
            wait = self._queue.mark()
        except BaseException:
            # What was queued may still read from the lane.
            self._queue.wait()
            self._give_back(lane)
            raise

        def end() -> list[Segmentation]:
            try:
                wait()
                # The buffer belongs to another frame afterwards.
                labels, *confidence = lane.host_result[:planes, :count].numpy().copy()
            finally:
                self._give_back(lane)
            return [
                Segmentation(labels[i], *(plane[i] for plane in confidence)) for i in range(count)
            ]

        return end

    def _take_lane(self) -> _Lane:
        if self._free:
            return self._free.pop()
        lane = self._make_lane()
        # Uploads run beside the queue, which may still work in that memory, and has to clear it.
        self._queue.wait()
        return lane

    def _give_back(self, lane: _Lane) -> None:
        if len(self._free) < LANES:
            self._free.append(lane)
