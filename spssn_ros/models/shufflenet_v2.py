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
"""ShuffleNet V2 1.0x as a feature extractor at 1/16 of the input's resolution.

Ma et al., "ShuffleNet V2: practical guidelines for efficient CNN architecture design", 2018, cut
off after stage 4, whose downsampling Türkmen and Heikkilä, "An efficient solution for semantic
segmentation", 2019, replace by atrous convolutions (Table 1).
"""

import torch
from torch import Tensor, nn

from spssn_ros.models.blocks import ConvBNReLU


class ShuffleNetV2(nn.Sequential):
    """Feature extractor: (N, 3, H, W) -> (N, 464, ceil(H/16), ceil(W/16))."""

    out_channels = 464

    def __init__(self) -> None:
        super().__init__(
            ConvBNReLU(3, 24, 3, stride=2),
            nn.MaxPool2d(3, stride=2, padding=1),
            stage(24, 116, units=4),
            stage(116, 232, units=8),
            stage(232, self.out_channels, units=4, stride=1, dilation=2),
        )


def stage(
    in_channels: int, out_channels: int, units: int, stride: int = 2, dilation: int = 1
) -> nn.Sequential:
    """Return a widening unit, which carries the stride, and basic units of that dilation."""
    rest = (BasicUnit(out_channels, dilation) for _ in range(units - 1))
    return nn.Sequential(WideningUnit(in_channels, out_channels, stride), *rest)


def shuffle(left: Tensor, right: Tensor) -> Tensor:
    """Interleave the channels of two (N, C, H, W) to (N, 2C, H, W)."""
    return torch.stack((left, right), dim=2).flatten(1, 2)


class BasicUnit(nn.Module):
    """Half of the channels stay as they are, the others pass three convolutions (Fig. 3c)."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            ConvBNReLU(half, half),
            ConvBNReLU(half, half, 3, groups=half, relu=False, dilation=dilation),
            ConvBNReLU(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        kept, changed = x.chunk(2, dim=1)
        return shuffle(kept, self.branch(changed))


class WideningUnit(nn.Module):
    """Both branches see all channels and make half of the output each (Fig. 3d)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.shortcut = nn.Sequential(
            ConvBNReLU(in_channels, in_channels, 3, stride, groups=in_channels, relu=False),
            ConvBNReLU(in_channels, half),
        )
        self.branch = nn.Sequential(
            ConvBNReLU(in_channels, half),
            ConvBNReLU(half, half, 3, stride, groups=half, relu=False),
            ConvBNReLU(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H/stride), ceil(W/stride))."""
        return shuffle(self.shortcut(x), self.branch(x))
