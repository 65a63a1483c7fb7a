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
"""From a frame to the network's input."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spssn_ros.errors import BadImageError
from spssn_ros.inference.config import Size
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.models import Network, Normalisation, WeightsInfo


def check_frame(rgb: NDArray[np.uint8]) -> None:
    """Raise BadImageError unless `rgb` is a non-empty (H, W, 3) uint8 array."""
    if not isinstance(rgb, np.ndarray):
        remedy = (
            'was its file read? cv2.imread gives None where it was not'
            if rgb is None
            else 'convert it by numpy.asarray'
        )
        raise BadImageError(
            f'a frame must be a NumPy array, (H, W, 3) uint8 RGB, not {type(rgb).__name__}; '
            f'{remedy}'
        )
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise BadImageError(
            f'a frame must be (H, W, 3) uint8 RGB, not {rgb.shape} {rgb.dtype}; '
            'convert it before segmentation'
        )


def resize_frame(rgb: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return `rgb`, (H, W, 3) uint8, at `size`, C-contiguous; by area when it shrinks."""
    height, width = rgb.shape[:2]
    if (width, height) == size:
        return np.ascontiguousarray(rgb)
    shrinks = size[0] * size[1] < width * height
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, size, interpolation=interpolation), np.uint8)


class FromUint8(nn.Module):
    """A network that takes frames as they are: (N, H, W, 3) uint8 RGB to its logits.

    Normalisation is part of it, and the temperature that calibrates the confidence, so that a
    compiled graph needs no step before or after it.
    """

    scale: Tensor
    offset: Tensor
    inverse_temperature: Tensor

    def __init__(
        self, model: nn.Module, normalisation: Normalisation, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.model = model
        mean, std = torch.tensor(normalisation.mean), torch.tensor(normalisation.std)
        self.register_buffer('scale', 1 / (255 * std))
        self.register_buffer('offset', -mean / std)
        self.register_buffer('inverse_temperature', torch.tensor(1 / temperature))

    @classmethod
    def deployed(cls, model: Network, info: WeightsInfo) -> 'FromUint8':
        """Return a copy of a network as it runs outside training, batch norm folded."""
        return cls(fold_batch_norm(model), info.normalisation, info.temperature).eval()

    def forward(self, frames: Tensor) -> Tensor:
        """Map (N, H, W, 3) uint8 to logits (N, C, ceil(H/stride), ceil(W/stride))."""
        logits: Tensor = self.model(self.normalised(frames))
        return logits * self.inverse_temperature

    def normalised(self, frames: Tensor) -> Tensor:
        """Map (N, H, W, 3) uint8 to the network's input, (N, 3, H, W) float."""
        # Channels last all the way: compiled graphs need not move a value.
        return (frames.float() * self.scale + self.offset).permute(0, 3, 1, 2)
