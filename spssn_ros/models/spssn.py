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

Mamoon et al., "SPSSNet: a real-time network for image semantic segmentation", Frontiers of
Information Technology & Electronic Engineering 21 (12), 2020: Fig. 1 and Table 1. The comments
give the paper's sections.
"""

from torch import Tensor, nn

from spssn_ros.errors import ConfigError
from spssn_ros.models.blocks import ConvBNReLU, initialise, resize
from spssn_ros.models.fast_scnn import FastSCNN
from spssn_ros.models.max_pool import MaxPool5


class ChainedResidualPooling(nn.Module):
    """Light-weight chained residual pooling (Nekrasov 2018): (N, C, H, W) -> (N, C, H, W).

    `length` pairs of a 5x5 max pool and a 1x1 convolution; each convolution's output joins the
    running sum and feeds the next pool. Without pairs it is the identity.

    Raises:
        ConfigError: `length` is negative.

    """

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        # The paper has four; without a bound, a tampered weights file could take all memory.
        if not 0 <= length <= 16:
            raise ConfigError(f'chain_length is {length}; give 0 (no pooling) to 16')
        self.pool = MaxPool5()
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


class SPSSN(FastSCNN):
    """The stage-pooling network: 1,421,571 parameters at 19 classes, batch norm not counted.

    Fast-SCNN, and four stage-pooling modules whose outputs join the shallow branch.

    Args:
        num_classes: number of output channels.
        chain_length: pool + conv pairs in a stage-pooling module. The published parameter count
            holds with 4; the paper's text and Fig. 2b speak of 2 (1,290,499 parameters). 0 leaves
            of stage pooling the 1x1 convolution and the upsampling.
        first_stride: stride of the first bottleneck unit: 2, or 1 as the paper does for CamVid.
        dropout: probability before the last convolution, in training.
        auxiliary: also make Fast-SCNN's heads for auxiliary losses.

    Raises:
        ConfigError: a value outside its range.

    """

    def __init__(
        self,
        num_classes: int = 19,
        chain_length: int = 4,
        first_stride: int = 2,
        dropout: float = 0.1,
        auxiliary: bool = False,
    ) -> None:
        super().__init__(num_classes, first_stride, dropout=dropout, auxiliary=auxiliary)
        self.stage_poolings = nn.ModuleList(
            StagePooling(width, self.channels, chain_length) for width in (64, 64, 96, 128)
        )
        initialise_pooling(self.stage_poolings)

    def shallow_branch(self, stages: list[Tensor]) -> Tensor:
        """See `FastSCNN.shallow_branch`: its 1x1 convolution plus every stage, pooled."""
        size = (stages[0].shape[-2], stages[0].shape[-1])
        total = super().shallow_branch(stages)
        for stage_pooling, stage in zip(self.stage_poolings, stages, strict=True):
            total = total + stage_pooling(stage, size)
        return total


def initialise_pooling(modules: nn.Module) -> None:
    """Initialise pooling modules in place for training from scratch.

    The convolutions of the chains have no batch norm behind them, so they start near zero: each
    chain begins as about the identity and the sums keep their scale.
    """
    initialise(modules)
    for module in modules.modules():
        if isinstance(module, ChainedResidualPooling):
            for conv in module.convs:
                assert isinstance(conv, nn.Conv2d)
                nn.init.normal_(conv.weight, std=0.01)
