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
"""Building blocks shared by the networks.

Shapes are (N, C, H, W) throughout. A 3x3 convolution with stride 2 and padding 1 maps a side of
length n to ceil(n / 2), so that strides multiply to ceil(n / stride) for every input size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvBNReLU(nn.Sequential):
    """Convolution without bias, batch norm, ReLU: (N, in, H, W) -> (N, out, H/stride, W/stride).

    `relu=False` leaves the result linear, `groups=in_channels` makes the convolution depthwise.
    Neither kernel nor dilation changes the size: the border is padded with zeros.
    """

    activation: type[nn.ReLU] | type[nn.ReLU6] = nn.ReLU

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
        relu: bool = True,
        dilation: int | tuple[int, int] = 1,
    ) -> None:
        rows, columns = (dilation, dilation) if isinstance(dilation, int) else dilation
        layers: list[nn.Module] = [
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size,
                stride,
                padding=(kernel_size // 2 * rows, kernel_size // 2 * columns),
                dilation=(rows, columns),
                groups=groups,
                bias=bias,
            ),
            nn.BatchNorm2d(out_channels),
        ]
        if relu:
            layers.append(self.activation(inplace=True))
        super().__init__(*layers)


class DSConv(nn.Sequential):
    """Depthwise separable 3x3 convolution, linear between its two parts (Fast-SCNN, sec. 3.2)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            ConvBNReLU(in_channels, in_channels, 3, stride, groups=in_channels, relu=False),
            ConvBNReLU(in_channels, out_channels),
        )


class InvertedResidual(nn.Module):
    """MobileNet V2's bottleneck: 1x1 expand, 3x3 depthwise, 1x1 linear projection.

    The input is added where stride is 1 and the channels agree.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, expansion: int = 6
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.layers = nn.Sequential(
            ConvBNReLU(in_channels, hidden),
            ConvBNReLU(hidden, hidden, 3, stride, groups=hidden),
            ConvBNReLU(hidden, out_channels, relu=False),
        )
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in, H, W) to (N, out, ceil(H/stride), ceil(W/stride))."""
        y: Tensor = self.layers(x)
        return x + y if self.has_skip else y


def bottleneck_unit(
    in_channels: int, out_channels: int, stride: int, repeats: int = 3
) -> nn.Sequential:
    """Return `repeats` inverted residuals in a row; the first one carries the stride."""
    first = InvertedResidual(in_channels, out_channels, stride)
    rest = [InvertedResidual(out_channels, out_channels) for _ in range(repeats - 1)]
    return nn.Sequential(first, *rest)


class LearningToDownsample(nn.Sequential):
    """Fast-SCNN's learning-to-downsample module: (N, 3, H, W) -> (N, 64, H/8, W/8)."""

    out_channels = 64

    def __init__(self) -> None:
        super().__init__(
            ConvBNReLU(3, 32, 3, stride=2),
            DSConv(32, 48, stride=2),
            DSConv(48, self.out_channels, stride=2),
        )


def pooling_matrix(size: int, bins: int, like: Tensor) -> Tensor:
    """Return the (bins, size) matrix that averages `size` samples into adaptive bins.

    Bin i covers floor(i * size / bins) to ceil((i + 1) * size / bins), as adaptive pooling does.
    """
    matrix = torch.zeros(bins, size)
    for i in range(bins):
        start, end = i * size // bins, -(-(i + 1) * size // bins)
        matrix[i, start:end] = 1 / (end - start)
    return matrix.to(like)


class PyramidPooling(nn.Module):
    """Pyramid pooling (Zhao et al. 2017), bins 1, 2, 3, 6: (N, C, H, W) -> (N, C, H, W).

    Adaptive average pooling is written as a product with two fixed matrices: equal in value, and
    unlike `adaptive_avg_pool2d` exportable to ONNX where a map is not a multiple of the bins.

    Attributes:
        matrices: where to keep the matrices, which otherwise are made for each call: on CUDA they
            come from the host, which a captured graph cannot repeat.

    """

    bins = (1, 2, 3, 6)
    matrices: dict[tuple[object, ...], Tensor] | None = None

    def __init__(self, channels: int) -> None:
        super().__init__()
        branch = channels // len(self.bins)
        self.branches = nn.ModuleList(ConvBNReLU(channels, branch) for _ in self.bins)
        self.project = ConvBNReLU(channels + branch * len(self.bins), channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        height, width = x.shape[-2:]
        pyramid = [x]
        for bins, branch in zip(self.bins, self.branches, strict=True):
            rows, columns = self._matrix(height, bins, x), self._matrix(width, bins, x)
            pooled = branch(rows @ x @ columns.T)
            pyramid.append(resize(pooled, (height, width)))
        y: Tensor = self.project(torch.cat(pyramid, dim=1))
        return y

    def _matrix(self, size: int, bins: int, like: Tensor) -> Tensor:
        if self.matrices is None:
            return pooling_matrix(size, bins, like)
        key = (size, bins, like.dtype, like.device)
        if key not in self.matrices:
            self.matrices[key] = pooling_matrix(size, bins, like)
        return self.matrices[key]


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) bilinearly (half-pixel centres) to (N, C, *size)."""
    if x.shape[-2:] == size:
        return x
    return functional.interpolate(x, size, mode='bilinear', align_corners=False)


class FeatureFusion(nn.Module):
    """Add the deep branch, upsampled, to the shallow branch (Fast-SCNN, sec. 3.2.3).

    The paper's depthwise convolution has dilation 4 (Table 3), this one none: docs/networks.md.

    Args:
        channels: of both branches and of the output.

    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = ConvBNReLU(channels, channels, 3, groups=channels)
        self.pointwise = ConvBNReLU(channels, channels, bias=True, relu=False)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """Map deep (N, C, h, w) and shallow (N, C, H, W) to (N, C, H, W)."""
        size = (shallow.shape[-2], shallow.shape[-1])
        return functional.relu(self.pointwise(self.depthwise(resize(deep, size))) + shallow)


class AuxiliaryHead(nn.Sequential):
    """Logits from inside a network, for a loss in training: (N, in, H, W) -> (N, classes, H, W).

    The paper (Fast-SCNN, sec. 4.1) leaves its layers open: a 3x3 convolution to 32 channels and a
    1x1 convolution here.
    """

    def __init__(self, in_channels: int, num_classes: int, dropout: float = 0.1) -> None:
        super().__init__(
            ConvBNReLU(in_channels, 32, 3), nn.Dropout(dropout), nn.Conv2d(32, num_classes, 1)
        )


class Classifier(nn.Sequential):
    """Two DSConvs, dropout and a 1x1 convolution: (N, C, H, W) -> (N, num_classes, H, W)."""

    def __init__(self, channels: int, num_classes: int, dropout: float = 0.1) -> None:
        super().__init__(
            DSConv(channels, channels),
            DSConv(channels, channels),
            nn.Dropout(dropout),
            nn.Conv2d(channels, num_classes, 1),
        )


def initialise(model: nn.Module) -> None:
    """Initialise in place for training from scratch: He normal (fan out), biases zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
            if module.bias is not None:
                nn.init.zeros_(module.bias)
