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
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spssn_ros.inference.backend import Segmentation
from spssn_ros.inference.config import Precision, Size
from spssn_ros.inference.cuda_program import LANES, Matrices, Program, Shape, Sizes
from spssn_ros.inference.cuda_queue import CudaQueue, DeviceQueue
from spssn_ros.inference.device_winners import WinnersWriter
from spssn_ros.inference.gpu_memory import explained, is_out_of_memory
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.inference.threads import available_threads, limit_opencv
from spssn_ros.inference.torch_backend import DTYPES
from spssn_ros.models.blocks import PyramidPooling

_log = logging.getLogger(__name__)

_MAX_PROGRAMS = 12
_MAX_BATCH = 4
# Two frames one after the other are answered as soon as a batch that is half empty.
_FEWEST_TOGETHER = 3
# OpenCV converts and resizes frames on the host; more threads save tenths of a millisecond.
_HOST_THREADS = 4


class CudaBackend:
    """Runs a network on CUDA.

    For each shape of work (one frame or a batch, input size, output size) buffers are allocated
    and a graph is captured once, which takes seconds; the twelve used last are kept. A frame is
    then a copy from pinned memory, one launch, and one copy back; the next frame may go up
    meanwhile. More frames than `max_begun`, of several streams, each take buffers of their own for
    as long as they last. The confidence is always computed, at next to no cost by Triton: asked
    for in the middle of a stream, it would else have to be prepared for.

    Args:
        network: batch norm folded, on the CPU.
        precision: of the network; logits are upsampled in float32.
        cpu_threads: of OpenCV on the host; 0 for a few.
        queue: to a device other than the current CUDA one.

    Attributes:
        max_batch: most frames at once; 1 once there was no memory for more.
        expected: see `BatchBackend`.
        max_begun: most that gain by being begun and not yet ended.

    Raises:
        GpuMemoryError: the network does not fit.

    """

    max_batch = _MAX_BATCH
    max_begun = LANES

    def __init__(
        self,
        network: FromUint8,
        precision: Precision,
        cpu_threads: int = 0,
        queue: DeviceQueue | None = None,
    ) -> None:
        limit_opencv(cpu_threads or min(available_threads(), _HOST_THREADS))
        self.expected = 1
        with explained('the network'):
            # On a device that others have filled this is what fails: its context takes memory.
            self._queue = queue or CudaQueue(torch.device('cuda', torch.cuda.current_device()))
            device = self._queue.device
            with self._queue.entered():
                network.to(device)
                # Only the network itself: the scale of its input is applied in float32.
                network.model.to(dtype=DTYPES[precision], memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = network
        self._compute = partial(_compute, network, DTYPES[precision], WinnersWriter())
        self._programs: OrderedDict[Shape, Program] = OrderedDict()
        name = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type
        self.precision = precision
        self.description = f'torch {precision.value} on cuda ({name})'

    def segment(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Segmentation:
        """See `Backend.segment`; GpuMemoryError where a frame does not fit."""
        return self.begin(rgb, input_size, output_size, with_confidence)()

    def begin(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Callable[[], Segmentation]:
        """See `AheadBackend.begin`; GpuMemoryError, here or there, where a frame does not fit."""
        sizes = Sizes(input_size, output_size)
        with sizes.explained(), torch.inference_mode():
            program = self._program(Shape(1, sizes))
            # Where many sizes fill the room, what is merely expected must not drive others out.
            if self.expected >= _FEWEST_TOGETHER and len(self._programs) < _MAX_PROGRAMS:
                self._together([], sizes, with_confidence)
            end = program.begin([rgb], with_confidence)

        def explained_end() -> Segmentation:
            with sizes.explained():
                return end()[0]

        return explained_end

    def segment_batch(
        self,
        frames: Sequence[NDArray[np.uint8]],
        input_size: Size,
        output_size: Size,
        with_confidence: bool,
    ) -> list[Segmentation]:
        """See `BatchBackend.segment_batch`; GpuMemoryError where the frames do not fit.

        Three go through the network as a batch of four, which each number of frames would else
        have to be prepared for; where there is no memory for a batch, one by one.
        """
        results: list[Segmentation] = []
        for start in range(0, len(frames), _MAX_BATCH):
            some = frames[start : start + _MAX_BATCH]
            results += self._segment_some(some, Sizes(input_size, output_size), with_confidence)
        return results

    def _segment_some(
        self, frames: Sequence[NDArray[np.uint8]], sizes: Sizes, with_confidence: bool
    ) -> list[Segmentation]:
        if len(frames) >= _FEWEST_TOGETHER:
            with sizes.explained(), torch.inference_mode():
                # Frames that come alone later must not have to wait for theirs.
                self._program(Shape(1, sizes))
                results = self._together(frames, sizes, with_confidence)
            if results is not None:
                return results
        begun: list[Callable[[], Segmentation]] = []
        try:
            for rgb in frames:
                begun.append(self.begin(rgb, *sizes, with_confidence))
        finally:
            # Also those before one that cannot be begun: they hold buffers.
            results = [end() for end in begun]
        return results

    def _together(
        self, frames: Sequence[NDArray[np.uint8]], sizes: Sizes, with_confidence: bool
    ) -> list[Segmentation] | None:
        """Segment frames at once, or only prepare for it if there are none.

        Returns:
            None where the GPU has no memory for it.

        """
        if self.max_batch == 1:
            return None
        batch = Shape(_MAX_BATCH, sizes)
        try:
            self._made(batch)
            return self._programs[batch].begin(frames, with_confidence)() if frames else []
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler, whose traceback keeps tensors alive. No batch is used again.
        self.max_batch = 1
        for shape in [shape for shape in self._programs if shape.frames > 1]:
            del self._programs[shape]
        self._queue.release()
        _log.warning('no GPU memory for %d frames at once; one by one', _MAX_BATCH)
        return None

    def _program(self, shape: Shape) -> Program:
        """Return what does the work of a shape, if need be at the cost of all other shapes."""
        try:
            return self._made(shape)
        except RuntimeError as error:
            if not self._programs or not is_out_of_memory(error):
                raise
        # Outside the handler, whose traceback keeps tensors alive: again, with nothing else.
        self._programs.clear()
        self._queue.release()
        return self._made(shape)

    def _made(self, shape: Shape) -> Program:
        if shape in self._programs:
            self._programs.move_to_end(shape)
            return self._programs[shape]
        while len(self._programs) >= _MAX_PROGRAMS:
            self._programs.popitem(last=False)
            self._queue.release()
        program = self._programs[shape] = Program(self._compute, self._queue, shape)
        return program


def _compute(
    network: FromUint8,
    dtype: torch.dtype,
    write_winners: WinnersWriter,
    matrices: Matrices,
    frames: Tensor,
    result: Tensor,
) -> None:
    """Segment `frames`, (N, H, W, 3) uint8, into `result`; see `write_winners`."""
    for module in network.modules():
        if isinstance(module, PyramidPooling):
            module.matrices = matrices
    logits = network.model(network.normalised(frames).to(dtype))
    write_winners(logits, network.inverse_temperature, result)
