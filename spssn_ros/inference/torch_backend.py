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
"""Inference by PyTorch on the CPU."""

import contextlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from spssn_ros.inference.backend import Segmentation
from spssn_ros.inference.config import Precision, Size
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.inference.threads import limit_threads, take_threads
from spssn_ros.inference.upsample_argmax import upsample_argmax, upsample_argmax_confidence

DTYPES = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT16: torch.float16,
}


class TorchBackend:
    """Runs a network eagerly on the CPU.

    Args:
        network: batch norm folded.
        precision: of the convolutions.
        cpu_threads: on the CPU; 0 for `limit_threads` to choose.

    Attributes:
        max_batch: most frames at once: one; a CPU was not seen to gain by more.
        expected: see `BatchBackend`; nothing has to be prepared.

    """

    max_batch = 1
    expected = 1

    def __init__(self, network: FromUint8, precision: Precision, cpu_threads: int) -> None:
        self.threads = limit_threads(cpu_threads)
        self.dtype = DTYPES[precision]
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.precision = precision
        self.description = f'torch {precision.value} on cpu'

    def segment(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Segmentation:
        """See `Backend.segment`."""
        return self.segment_batch([rgb], input_size, output_size, with_confidence)[0]

    @torch.inference_mode()
    def segment_batch(
        self,
        frames: Sequence[NDArray[np.uint8]],
        input_size: Size,
        output_size: Size,
        with_confidence: bool,
    ) -> list[Segmentation]:
        """See `BatchBackend.segment_batch`."""
        # The number is the process's, and another segmenter may have another.
        take_threads(self.threads)
        stacked = np.stack([resize_frame(rgb, input_size) for rgb in frames])
        with self._autocast():
            logits = self.network(torch.from_numpy(stacked))
        winners = upsample_argmax_confidence if with_confidence else _labels_alone
        return [
            Segmentation(*winners(grid, output_size, self.threads))
            for grid in logits.float().numpy()
        ]

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.dtype is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast('cpu', self.dtype)


def _labels_alone(
    logits: NDArray[np.float32], size: Size, threads: int
) -> tuple[NDArray[np.uint8]]:
    return (upsample_argmax(logits, size, threads),)
