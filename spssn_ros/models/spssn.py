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
"""SPSSN, the light-weight stage-pooling segmentation network.

"A light-weight stage-pooling semantic segmentation network", Frontiers of Information Technology
& Electronic Engineering, 2020: Fig. 1 and Table 1. The comments give the paper's sections.
"""

from torch import Tensor, nn

from spssn_ros.errors import ConfigError
from spssn_ros.models.blocks import (
    Classifier,
    ConvBNReLU,
    FeatureFusion,
    LearningToDownsample,
    PyramidPooling,
    bottleneck_unit,
    resize,
)


class ChainedResidualPooling(nn.Module):
    """Light-weight chained residual pooling (Nekrasov 2018): (N, C, H, W) -> (N, C, H, W).

    `length` pairs of a 5x5 max pool and a 1x1 convolution; each convolution's output joins the
    running sum and feeds the next pool.
    """

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, 1, bias=False) for _ in range(length)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        total, link = x, x
        for conv in self.convs:
            link = conv(self.pool(link))
            total = total + link
        return total


class StagePooling(nn.Module):
    """Stage pooling (sec. 4.3, Fig. 2): 1x1 conv, chained residual pooling, upsampling to 1/8."""

    def __init__(self, in_channels: int, channels: int, chain_length: int) -> None:
        super().__init__()
        self.pointwise = ConvBNReLU(in_channels, channels)
        self.pooling = ChainedResidualPooling(channels, chain_length)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Map (N, in, h, w) to (N, channels, *size)."""
        return resize(self.pooling(self.pointwise(x)), size)


class SPSSN(nn.Module):
    """The stage-pooling network: 1,421,571 parameters at 19 classes, batch norm not counted.

    Args:
        num_classes: number of output channels.
        chain_length: pool + conv pairs in a stage-pooling module. The published parameter count
            holds with 4; the paper's text and Fig. 2b speak of 2 (1,290,499 parameters).
        first_stride: stride of the first bottleneck unit: 2, or 1 as the paper does for CamVid.
        dropout: probability before the last convolution, in training.

    Raises:
        ConfigError: a value outside its range.

    """

    output_stride = 8

    def __init__(
        self,
        num_classes: int = 19,
        chain_length: int = 4,
        first_stride: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ConfigError(f'num_classes is {num_classes}; give at least 1')
        if chain_length < 1:
            raise ConfigError(f'chain_length is {chain_length}; give at least 1 (4 or 2)')
        if first_stride not in (1, 2):
            raise ConfigError(f'first_stride is {first_stride}; give 1 or 2')
        if not 0 <= dropout < 1:
            raise ConfigError(f'dropout is {dropout}; give a probability from 0 to below 1')
        channels = 128
        self.downsample = LearningToDownsample()
        # Deep branch (sec. 4.2); the stage-pooling modules (sec. 4.3) tap what enters each unit
        # and what leaves the last one.
        self.units = nn.ModuleList(
            [
                bottleneck_unit(64, 64, first_stride),
                bottleneck_unit(64, 96, 2),
                bottleneck_unit(96, channels, 1),
            ]
        )
        self.stage_poolings = nn.ModuleList(
            StagePooling(width, channels, chain_length) for width in (64, 64, 96, channels)
        )
        self.pyramid = PyramidPooling(channels)
        # Shallow branch (sec. 4.4), linear: its ReLU comes after fusion (sec. 4.5).
        self.shallow = ConvBNReLU(64, channels, bias=True, relu=False)
        self.fusion = FeatureFusion(channels)
        self.classifier = Classifier(channels, num_classes, dropout)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) float, H and W at least 32, to logits (N, num_classes, H/8, W/8)."""
        x = self.downsample(x)
        size = (x.shape[-2], x.shape[-1])
        shallow = self.shallow(x) + self.stage_poolings[0](x, size)
        for unit, stage_pooling in zip(self.units, self.stage_poolings[1:], strict=True):
            x = unit(x)
            shallow = shallow + stage_pooling(x, size)
        logits: Tensor = self.classifier(self.fusion(self.pyramid(x), shallow))
        return logits


def initialise(model: nn.Module) -> None:
    """Initialise in place for training from scratch: He normal (fan out), biases zero.

    The convolutions of the chains have no batch norm behind them, so they start near zero: each
    chain begins as about the identity and the sums keep their scale.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, ChainedResidualPooling):
            for conv in module.convs:
                assert isinstance(conv, nn.Conv2d)
                nn.init.normal_(conv.weight, std=0.01)
