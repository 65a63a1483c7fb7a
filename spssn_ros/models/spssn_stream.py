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
"""SPSSN with stream pooling, the variant of the paper's ablation (sec. 6, Fig. 5).

Where the stage-pooling modules are independent, each stream-pooling module also takes what the
one before it returns, and all of them pool at 1/8 of the input's resolution.
"""

from torch import Tensor, nn

from spssn_ros.models.blocks import ConvBNReLU, resize
from spssn_ros.models.fast_scnn import FastSCNN
from spssn_ros.models.spssn import ChainedResidualPooling, initialise_pooling


class StreamPooling(nn.Module):
    """Stream pooling: 1x1 conv and upsampling to 1/8, the previous module's output, pooling.

    Args:
        in_channels: of the stage.
        channels: of the output, and of the previous module's output.
        chain_length: pool + conv pairs.
        first: whether no module comes before it.

    """

    def __init__(self, in_channels: int, channels: int, chain_length: int, first: bool) -> None:
        super().__init__()
        self.pointwise = ConvBNReLU(in_channels, channels)
        self.link = None if first else ConvBNReLU(channels, channels, relu=False)
        self.pooling = ChainedResidualPooling(channels, chain_length)

    def forward(self, stage: Tensor, previous: Tensor | None, size: tuple[int, int]) -> Tensor:
        """Map (N, in, h, w), and (N, channels, *size) unless first, to (N, channels, *size)."""
        x = resize(self.pointwise(stage), size)
        if self.link is not None:
            x = x + self.link(previous)
        y: Tensor = self.pooling(x)
        return y


class SPSSNStream(FastSCNN):
    """The stream-pooling network: 1,470,723 parameters at 19 classes, batch norm not counted.

    Args:
        num_classes: number of output channels.
        chain_length: pool + conv pairs in a stream-pooling module; see `SPSSN`.
        first_stride: stride of the first bottleneck unit, 1 or 2.
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
        self.stream_poolings = nn.ModuleList(
            StreamPooling(width, self.channels, chain_length, first=i == 0)
            for i, width in enumerate((64, 64, 96, 128))
        )
        initialise_pooling(self.stream_poolings)

    def shallow_branch(self, stages: list[Tensor]) -> Tensor:
        """See `FastSCNN.shallow_branch`: its 1x1 convolution plus the last module's output."""
        size = (stages[0].shape[-2], stages[0].shape[-1])
        stream = None
        for stream_pooling, stage in zip(self.stream_poolings, stages, strict=True):
            stream = stream_pooling(stage, stream, size)
        assert stream is not None
        return super().shallow_branch(stages) + stream
