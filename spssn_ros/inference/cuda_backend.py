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
"""Inference by PyTorch on CUDA: a frame goes up, labels come down, all between is one graph."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spssn_ros.inference.backend import Segmentation
from spssn_ros.inference.config import Precision, Size
from spssn_ros.inference.cuda_queue import CudaQueue, DeviceQueue
from spssn_ros.inference.device_winners import WinnersWriter
from spssn_ros.inference.gpu_memory import explained, is_out_of_memory
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.inference.threads import limit_threads
from spssn_ros.inference.torch_backend import DTYPES
from spssn_ros.models.blocks import PyramidPooling

_log = logging.getLogger(__name__)

_MAX_PROGRAMS = 12
_MAX_BATCH = 4
# Two frames one after the other are answered as soon as a batch that is half empty.
_FEWEST_TOGETHER = 3
_LANES = 2
# The host converts and resizes frames; more threads wait for one another longer than they save.
_HOST_THREADS = 4

_Matrices = dict[tuple[object, ...], Tensor]
_Compute = Callable[[_Matrices, Tensor, Tensor], None]


class CudaBackend:
    """Runs a network on CUDA.

    For each shape of work (one frame or a batch, input size, output size) buffers are allocated
    and a graph is captured once, which takes seconds; the twelve used last are kept. A frame is
    then a copy from pinned memory, one launch, and one copy back; the next frame may go up
    meanwhile. More frames than `max_begun`, of several streams, each take buffers of their own for
    as long as they last. The confidence is always computed, at next to no cost: asked for in the
    middle of a stream, it would else have to be prepared for.

    Args:
        network: batch norm folded, on the CPU.
        precision: of the network; logits are upsampled in float32.
        cpu_threads: of OpenCV and PyTorch on the host; 0 for a few.
        queue: to a device other than the current CUDA one.

    Attributes:
        max_batch: most frames at once.
        expected: see `BatchBackend`.
        max_begun: most that gain by being begun and not yet ended.

    Raises:
        GpuMemoryError: the network does not fit.

    """

    max_batch = _MAX_BATCH
    max_begun = _LANES

    def __init__(
        self,
        network: FromUint8,
        precision: Precision,
        cpu_threads: int = 0,
        queue: DeviceQueue | None = None,
    ) -> None:
        limit_threads(cpu_threads, most=_HOST_THREADS)
        self.expected = 1
        self._queue = queue or CudaQueue(torch.device('cuda', torch.cuda.current_device()))
        device = self._queue.device
        with explained('the network'), self._queue.entered():
            network.to(device)
            # Only the network itself: the scale of its input is applied in float32.
            network.model.to(dtype=DTYPES[precision], memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = network
        self._compute = partial(_compute, network, DTYPES[precision], WinnersWriter())
        self._programs: OrderedDict[_Shape, _Program] = OrderedDict()
        name = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type
        self.precision = precision
        self.description = f'torch {precision.value} on cuda ({name})'

    def segment(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Segmentation:
        """See `Backend.segment`; GpuMemoryError where a frame does not fit."""
        return self.segment_batch([rgb], input_size, output_size, with_confidence)[0]

    def begin(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Callable[[], Segmentation]:
        """See `AheadBackend.begin`; GpuMemoryError, here or there, where a frame does not fit."""
        end = self._begin([rgb], _Shape(1, input_size, output_size), with_confidence)
        return lambda: end()[0]

    def segment_batch(
        self,
        frames: Sequence[NDArray[np.uint8]],
        input_size: Size,
        output_size: Size,
        with_confidence: bool,
    ) -> list[Segmentation]:
        """See `BatchBackend.segment_batch`; GpuMemoryError where the frames do not fit.

        Fewer than a batch holds go through the network as one all the same: each number of frames
        would have to be prepared for.
        """
        if len(frames) < _FEWEST_TOGETHER:
            begun: list[Callable[[], Segmentation]] = []
            try:
                for rgb in frames:
                    begun.append(self.begin(rgb, input_size, output_size, with_confidence))
            finally:
                # Also those before one that cannot be begun: they hold buffers.
                results = [end() for end in begun]
            return results
        shape = _Shape(_MAX_BATCH, input_size, output_size)
        return self._begin(frames, shape, with_confidence)()

    def _begin(
        self, frames: Sequence[NDArray[np.uint8]], shape: '_Shape', with_confidence: bool
    ) -> Callable[[], list[Segmentation]]:
        occasion = 'network input {}x{}'.format(*shape.input_size)
        with explained(occasion), torch.inference_mode():
            program = self._program(shape)
            if shape.frames == 1 and self.expected >= _FEWEST_TOGETHER:
                self._expect(replace(shape, frames=_MAX_BATCH))
            end = program.begin(frames, with_confidence)

        def explained_end() -> list[Segmentation]:
            with explained(occasion):
                return end()

        return explained_end

    def _expect(self, batch: '_Shape') -> None:
        try:
            self._program(batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            # One by one will do, and leaves the GPU in use.
            _log.warning('no GPU memory for %d frames at once; one by one', batch.frames)
            self.max_batch = self.expected = 1

    def _program(self, shape: '_Shape') -> '_Program':
        if shape in self._programs:
            self._programs.move_to_end(shape)
            return self._programs[shape]
        while len(self._programs) >= _MAX_PROGRAMS:
            self._programs.popitem(last=False)
            self._queue.release()
        program: _Program | None = None
        try:
            program = _Program(self._compute, self._queue, shape)
        except RuntimeError as error:
            if not self._programs or not is_out_of_memory(error):
                raise
        if program is None:
            # Outside the handler, whose traceback keeps tensors alive: again, with nothing else.
            self._programs.clear()
            self._queue.release()
            program = _Program(self._compute, self._queue, shape)
        self._programs[shape] = program
        return program


@dataclass(frozen=True)
class _Shape:
    """What a program is made for."""

    frames: int
    input_size: Size
    output_size: Size


class _Lane:
    """Where one frame, or batch, lies before and after the work."""

    def __init__(self, queue: DeviceQueue, taken: tuple[int, ...], given: tuple[int, ...]) -> None:
        self.host_frames = queue.host_buffer(taken)
        self.host_result = queue.host_buffer(given)
        with queue.entered():
            self.frames = torch.zeros(taken, dtype=torch.uint8, device=queue.device)


class _Program:
    """The buffers of one shape, and the work between them, which always uses the same memory."""

    def __init__(self, compute: _Compute, queue: DeviceQueue, shape: _Shape) -> None:
        self._queue, self._shape = queue, shape
        taken = (shape.frames, *shape.input_size[::-1], 3)
        given = (2, shape.frames, *shape.output_size[::-1])
        self._make_lane = partial(_Lane, queue, taken, given)
        self._free = [self._make_lane() for _ in range(_LANES)]
        with queue.entered():
            self._frames = torch.zeros(taken, dtype=torch.uint8, device=queue.device)
            self._result = torch.zeros(given, dtype=torch.uint8, device=queue.device)
        matrices: _Matrices = {}
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
                # NumPy's copies, here and back, take this thread alone. PyTorch's wake others for
                # a large frame, which late on a busy machine, or asleep, take longer than it does.
                np.copyto(place, resize_frame(rgb, self._shape.input_size))
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
        if len(self._free) < _LANES:
            self._free.append(lane)


def _compute(
    network: FromUint8,
    dtype: torch.dtype,
    write_winners: WinnersWriter,
    matrices: _Matrices,
    frames: Tensor,
    result: Tensor,
) -> None:
    """Segment `frames`, (N, H, W, 3) uint8, into `result`; see `write_winners`."""
    for module in network.modules():
        if isinstance(module, PyramidPooling):
            module.matrices = matrices
    logits = network.model(network.normalised(frames).to(dtype))
    write_winners(logits, network.inverse_temperature, result)
