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
"""The calls of CUDA itself: streams, pinned memory, graphs."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor

from spssn_ros.errors import one_line

_log = logging.getLogger(__name__)

# What libraries set up at their first calls must be there before a capture; PyTorch's notes on
# CUDA graphs ask for a few.
WARM_UPS = 3

# A second capture in the process spoils the first: it begins by waiting for the whole device. How
# cuDNN chooses is the process's, too.
_preparing = threading.Lock()


class DeviceQueue(Protocol):
    """Work for one device, done in order.

    Attributes:
        device: where tensors for it lie.

    """

    device: torch.device

    def host_buffer(self, shape: tuple[int, ...]) -> Tensor:
        """Return a uint8 tensor on the host that copies to and from the device go fastest with."""

    def entered(self) -> AbstractContextManager[object]:
        """Return a context in which what is called goes into the queue."""

    def uploading(self) -> AbstractContextManager[object]:
        """Return a context for copies to the device, which run beside what is in the queue.

        The queue does what comes into it later when the copies are done.
        """

    def prepare(self, work: Callable[[], None]) -> Callable[[], None]:
        """Run the work and return what repeats it, on the same tensors, at the least cost."""

    def mark(self) -> Callable[[], None]:
        """Return what waits until everything that is now in the queue is done."""

    def wait(self) -> None:
        """Wait until everything in the queue is done."""

    def release(self) -> None:
        """Give memory that nothing uses back to the device."""


class CudaQueue:
    """Streams of its own on a CUDA device; work is repeated as a captured graph.

    Args:
        device: of type cuda.

    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)
        self._uploads = torch.cuda.Stream(device)

    def host_buffer(self, shape: tuple[int, ...]) -> Tensor:
        """See `DeviceQueue.host_buffer`: pinned."""
        return torch.empty(shape, dtype=torch.uint8, pin_memory=True)

    def entered(self) -> AbstractContextManager[object]:
        """See `DeviceQueue.entered`."""
        return torch.cuda.stream(self._stream)

    @contextlib.contextmanager
    def uploading(self) -> Iterator[None]:
        """See `DeviceQueue.uploading`: on a stream of their own."""
        try:
            with torch.cuda.stream(self._uploads):
                yield
        finally:
            self._stream.wait_stream(self._uploads)

    def prepare(self, work: Callable[[], None]) -> Callable[[], None]:
        """See `DeviceQueue.prepare`; where capturing fails, the work itself is what repeats it."""
        # The graph's context waits for the current device, and where a capture fails it may leave
        # its stream the current one: entering before puts both right.
        with _preparing, _fastest_algorithms(), self.entered():
            for _ in range(WARM_UPS):
                work()
            self.wait()
            repeat = self._captured(work)
        if repeat is None:
            # What the capture took; not in its handler, whose traceback keeps tensors alive.
            self.release()
        return repeat or work

    def _captured(self, work: Callable[[], None]) -> Callable[[], None] | None:
        graph = torch.cuda.CUDAGraph()
        try:
            # Another thread may allocate meanwhile; only this one's calls must be capturable.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode='thread_local'):
                work()
        # A graph has memory of its own beside what the warm-up took, which may be too much.
        except RuntimeError as error:
            _log.warning('no CUDA graph (%s); running without one, slower', one_line(error, 200))
            return None
        return graph.replay

    def mark(self) -> Callable[[], None]:
        """See `DeviceQueue.mark`."""
        return self._stream.record_event().synchronize

    def wait(self) -> None:
        """See `DeviceQueue.wait`."""
        self._stream.synchronize()

    def release(self) -> None:
        """See `DeviceQueue.release`."""
        torch.cuda.empty_cache()


@contextlib.contextmanager
def _fastest_algorithms() -> Iterator[None]:
    """Have cuDNN choose by measurement: a size that is prepared is used again and again."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
