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
"""Inference by PyTorch, on CUDA or the CPU."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from spssn_ros.errors import GpuMemoryError
from spssn_ros.inference.backend import Segmentation
from spssn_ros.inference.config import Device, Precision, Size
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.inference.threads import limit_threads
from spssn_ros.inference.upsample_argmax import upsample_argmax, upsample_argmax_confidence

_DTYPES = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT16: torch.float16,
}


class TorchBackend:
    """Runs a network eagerly.

    On CUDA everything between the uint8 frame and the uint8 labels stays on the device.

    Args:
        network: batch norm folded, on the CPU.
        device: CUDA or CPU.
        precision: of the convolutions.
        cpu_threads: on the CPU; 0 for `limit_threads` to choose.

    Raises:
        GpuMemoryError: the network does not fit.

    """

    def __init__(
        self, network: FromUint8, device: Device, precision: Precision, cpu_threads: int
    ) -> None:
        self.threads = limit_threads(cpu_threads) if device is Device.CPU else 0
        self.device = torch.device(device.value)
        self.dtype = _DTYPES[precision]
        with _explained('the network'):
            self.network = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.description = f'torch {precision.value} on {_device_name(self.device)}'

    @torch.inference_mode()
    def segment(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Segmentation:
        """See `Backend.segment`; GpuMemoryError where a frame does not fit."""
        with _explained(f'network input {input_size[0]}x{input_size[1]}'):
            return self._segment(rgb, input_size, output_size, with_confidence)

    def _segment(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Segmentation:
        frame = resize_frame(rgb, input_size)
        # torch has no read-only tensors; a bag's messages are read-only arrays.
        frame = frame if frame.flags.writeable else frame.copy()
        with self._autocast():
            logits = self.network(torch.from_numpy(frame[None]).to(self.device))
        if self.device.type == 'cpu':
            grid = logits[0].float().numpy()
            if with_confidence:
                return Segmentation(*upsample_argmax_confidence(grid, output_size, self.threads))
            return Segmentation(upsample_argmax(grid, output_size, self.threads))
        upsampled = functional.interpolate(
            logits.float(), output_size[::-1], mode='bilinear', align_corners=False
        )[0]
        best, winners = upsampled.max(0)
        labels = winners.to(torch.uint8).cpu().numpy()
        if not with_confidence:
            return Segmentation(labels)
        probability = torch.exp(best - upsampled.logsumexp(0))
        return Segmentation(labels, (probability * 255).round().to(torch.uint8).cpu().numpy())

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.dtype is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.dtype)


@contextlib.contextmanager
def _explained(occasion: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # PyTorch's own allocator has an error type; CUDA, cuDNN and cuBLAS only have words.
        words = ('CUDA error: out of memory', 'ALLOC_FAILED')
        if isinstance(error, torch.cuda.OutOfMemoryError) or any(w in str(error) for w in words):
            raise GpuMemoryError(
                f'out of GPU memory at {occasion}; give a smaller input_size or device cpu'
            ) from error
        raise


def _device_name(device: torch.device) -> str:
    if device.type == 'cuda':
        return f'cuda ({torch.cuda.get_device_name(device)})'
    return 'cpu'
