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
"""ShuffleNet V2 and MobileNet V2 with DeepLab heads: the networks of Türkmen and Heikkilä.

"An efficient solution for semantic segmentation: ShuffleNet V2 with atrous separable
convolutions", 2019: Fig. 2, Tables 1 and 5. Parameter counts are for 19 classes and include batch
norm, as the published sizes do.
"""

from torch import Tensor, nn

from spssn_ros.models.blocks import initialise
from spssn_ros.models.deeplab_heads import BasicHead, DPCHead
from spssn_ros.models.mobilenet_v2 import MobileNetV2
from spssn_ros.models.network import Network, check_options
from spssn_ros.models.shufflenet_v2 import ShuffleNetV2


class DeepLab(Network):
    """Features at 1/16, a head, and a 1x1 convolution to the classes.

    Args:
        backbone: (N, 3, H, W) -> (N, C, ceil(H/16), ceil(W/16)).
        head: (N, C, h, w) -> (N, 256, h, w).
        num_classes: number of output channels.
        dropout: probability before the last convolution, in training.

    Raises:
        ConfigError: a value outside its range.

    """

    output_stride = 16

    def __init__(
        self,
        backbone: ShuffleNetV2 | MobileNetV2,
        head: BasicHead | DPCHead,
        num_classes: int,
        dropout: float,
    ) -> None:
        super().__init__()
        check_options(num_classes, dropout)
        self.backbone = backbone
        self.head = head
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Conv2d(head.out_channels, num_classes, 1)
        )
        initialise(self)

    def run(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `Network.run`; the paper has no auxiliary losses."""
        return self.classifier(self.head(self.backbone(x))), ()


class ShuffleNetV2Basic(DeepLab):
    """ShuffleNet V2 with the basic head: 1,151,479 parameters."""

    def __init__(self, num_classes: int = 19, dropout: float = 0.1) -> None:
        backbone = ShuffleNetV2()
        super().__init__(backbone, BasicHead(backbone.out_channels), num_classes, dropout)


class ShuffleNetV2DPC(DeepLab):
    """ShuffleNet V2 with the dense prediction cell: 1,509,351 parameters."""

    def __init__(self, num_classes: int = 19, dropout: float = 0.1) -> None:
        backbone = ShuffleNetV2()
        super().__init__(backbone, DPCHead(backbone.out_channels), num_classes, dropout)


class MobileNetV2Basic(DeepLab):
    """MobileNet V2 with the basic head: 2,113,043 parameters."""

    def __init__(self, num_classes: int = 19, dropout: float = 0.1) -> None:
        backbone = MobileNetV2()
        super().__init__(backbone, BasicHead(backbone.out_channels), num_classes, dropout)


class MobileNetV2DPC(DeepLab):
    """MobileNet V2 with the dense prediction cell: 2,506,195 parameters."""

    def __init__(self, num_classes: int = 19, dropout: float = 0.1) -> None:
        backbone = MobileNetV2()
        super().__init__(backbone, DPCHead(backbone.out_channels), num_classes, dropout)
