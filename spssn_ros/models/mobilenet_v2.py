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
"""MobileNet V2 1.0x as a feature extractor at 1/16 of the input's resolution.

Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, Table 2, cut off
before the 1x1 convolution to 1280 channels. An atrous convolution replaces the last downsampling,
as in DeepLabV3.
"""

from torch import Tensor, nn

from spssn_ros.models.blocks import ConvBNReLU


class MobileNetV2(nn.Sequential):
    """Feature extractor: (N, 3, H, W) -> (N, 320, ceil(H/16), ceil(W/16))."""

    out_channels = 320

    def __init__(self) -> None:
        super().__init__(
            ConvBNReLU6(3, 32, 3, stride=2),
            stage(32, 16, blocks=1, expansion=1),
            stage(16, 24, blocks=2, stride=2),
            stage(24, 32, blocks=3, stride=2),
            stage(32, 64, blocks=4, stride=2),
            stage(64, 96, blocks=3),
            # Its first block would have stride 2.
            stage(96, 160, blocks=3, dilations=(1, 2)),
            stage(160, self.out_channels, blocks=1, dilations=(2, 2)),
        )


def stage(
    in_channels: int,
    out_channels: int,
    blocks: int,
    stride: int = 1,
    expansion: int = 6,
    dilations: tuple[int, int] = (1, 1),
) -> nn.Sequential:
    """Return bottlenecks in a row.

    The first one carries the stride; `dilations` are those of the first one and of the others.
    """
    first = Bottleneck(in_channels, out_channels, stride, expansion, dilations[0])
    rest = (
        Bottleneck(out_channels, out_channels, 1, expansion, dilations[1])
        for _ in range(blocks - 1)
    )
    return nn.Sequential(first, *rest)


class ConvBNReLU6(ConvBNReLU):
    """As `ConvBNReLU`, values cut off at 6 (sec. 3.2)."""

    activation = nn.ReLU6


class Bottleneck(nn.Module):
    """1x1 expansion (unless it is 1), 3x3 depthwise, 1x1 linear projection (sec. 3.4).

    The input is added where stride is 1 and the channels agree.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, expansion: int, dilation: int
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [ConvBNReLU6(in_channels, hidden)]
        layers += [
            ConvBNReLU6(hidden, hidden, 3, stride, groups=hidden, dilation=dilation),
            ConvBNReLU(hidden, out_channels, relu=False),
        ]
        self.layers = nn.Sequential(*layers)
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H/stride), ceil(W/stride))."""
        y: Tensor = self.layers(x)
        return x + y if self.has_skip else y
