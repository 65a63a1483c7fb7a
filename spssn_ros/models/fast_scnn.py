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
"""Fast-SCNN, the fast segmentation network whose trunk SPSSN extends.

Poudel, Liwicki, Cipolla, "Fast-SCNN: fast semantic segmentation network", 2019: Fig. 1 and
Table 1. The comments give the paper's sections.
"""

from torch import Tensor, nn

from spssn_ros.errors import ConfigError
from spssn_ros.models.blocks import (
    AuxiliaryHead,
    Classifier,
    ConvBNReLU,
    FeatureFusion,
    LearningToDownsample,
    PyramidPooling,
    bottleneck_unit,
    initialise,
)
from spssn_ros.models.network import Network, check_options


class FastSCNN(Network):
    """Fast-SCNN: 1,114,371 parameters at 19 classes, batch norm not counted.

    Args:
        num_classes: number of output channels.
        first_stride: stride of the first bottleneck unit: 2, or 1 as the SPSSN paper does for
            CamVid.
        skip: whether the shallow branch, which skips the bottlenecks, contributes. Without it the
            parameters stay, so that the paper's ablation (sec. 4.2) takes the same weights.
        dropout: probability before the last convolution, in training.
        auxiliary: also make heads for auxiliary losses behind learning to downsample, at stride 8,
            and behind the global feature extractor, at stride 32 (sec. 4.1).

    Raises:
        ConfigError: a value outside its range.

    """

    output_stride = 8
    channels = 128

    def __init__(
        self,
        num_classes: int = 19,
        first_stride: int = 2,
        skip: bool = True,
        dropout: float = 0.1,
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        check_options(num_classes, dropout)
        # 1.0 and true, which a file may hold, are equal to 1 and no stride.
        if type(first_stride) is not int or first_stride not in (1, 2):
            raise ConfigError(f'first_stride is {first_stride}; give 1 or 2')
        self.skip = skip
        self.downsample = LearningToDownsample()
        # Global feature extractor (sec. 3.2.2).
        self.units = nn.ModuleList(
            [
                bottleneck_unit(64, 64, first_stride),
                bottleneck_unit(64, 96, 2),
                bottleneck_unit(96, self.channels, 1),
            ]
        )
        self.pyramid = PyramidPooling(self.channels)
        # Linear: its ReLU comes after fusion (sec. 3.2.3).
        self.shallow = ConvBNReLU(64, self.channels, bias=True, relu=False)
        self.fusion = FeatureFusion(self.channels)
        self.classifier = Classifier(self.channels, num_classes, dropout)
        if auxiliary:
            self.auxiliary = nn.ModuleList(
                AuxiliaryHead(width, num_classes) for width in (64, self.channels)
            )
        initialise(self)

    def run(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `Network.run`; H and W must be at least 32."""
        stages = [self.downsample(x)]
        for unit in self.units:
            stages.append(unit(stages[-1]))
        deep = self.pyramid(stages[-1])
        logits = self.classifier(self.fusion(deep, self.shallow_branch(stages)))
        return logits, (stages[0], deep)

    def shallow_branch(self, stages: list[Tensor]) -> Tensor:
        """Return what fusion adds to the deep branch.

        Args:
            stages: outputs of learning to downsample, (N, 64, h, w), and of the three units.

        Returns:
            (N, 128, h, w), or what broadcasts to it.

        """
        if not self.skip:
            return stages[0].new_zeros(1, 1, *stages[0].shape[-2:])
        y: Tensor = self.shallow(stages[0])
        return y
