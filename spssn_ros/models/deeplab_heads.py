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
"""The two heads that Türkmen and Heikkilä put behind their feature extractors (Fig. 4)."""

import torch
from torch import Tensor, nn

from spssn_ros.models.blocks import ConvBNReLU


class BasicHead(nn.Module):
    """DeepLabV3's head without atrous convolutions: (N, in, H, W) -> (N, 256, H, W).

    A 1x1 convolution of the features beside one of their mean over the image.
    """

    out_channels = 256

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.image_pooling = ConvBNReLU(in_channels, self.out_channels)
        self.pointwise = ConvBNReLU(in_channels, self.out_channels)
        self.project = ConvBNReLU(2 * self.out_channels, self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, 256, H, W)."""
        pooled = self.image_pooling(x.mean((2, 3), keepdim=True))
        pooled = pooled.expand(-1, -1, x.shape[-2], x.shape[-1])
        y: Tensor = self.project(torch.cat((pooled, self.pointwise(x)), dim=1))
        return y


class AtrousSeparableConv(nn.Sequential):
    """3x3 depthwise convolution of a rate (rows, columns) and a 1x1 one, ReLU after both."""

    def __init__(self, in_channels: int, out_channels: int, rate: tuple[int, int]) -> None:
        super().__init__(
            ConvBNReLU(in_channels, in_channels, 3, groups=in_channels, dilation=rate),
            ConvBNReLU(in_channels, out_channels),
        )


class DPCHead(nn.Module):
    """The dense prediction cell: (N, in, H, W) -> (N, 256, H, W).

    Chen et al., "Searching for efficient multi-scale architectures for dense image prediction",
    2018: the best cell found on Cityscapes, whose rates are for features at 1/16.
    """

    out_channels = 256

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        width = self.out_channels
        self.rate_1_6 = AtrousSeparableConv(in_channels, width, (1, 6))
        self.rate_18_15 = AtrousSeparableConv(width, width, (18, 15))
        self.rate_6_21 = AtrousSeparableConv(width, width, (6, 21))
        self.rate_1_1 = AtrousSeparableConv(width, width, (1, 1))
        self.rate_6_3 = AtrousSeparableConv(width, width, (6, 3))
        self.project = ConvBNReLU(5 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, 256, H, W)."""
        first = self.rate_1_6(x)
        second = self.rate_18_15(first)
        branches = (
            first,
            second,
            self.rate_6_21(first),
            self.rate_1_1(first),
            self.rate_6_3(second),
        )
        y: Tensor = self.project(torch.cat(branches, dim=1))
        return y
