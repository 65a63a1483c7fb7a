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
"""What all networks have in common."""

from abc import ABC, abstractmethod
from numbers import Integral

from torch import Tensor, nn

from spssn_ros.errors import ConfigError


class Network(nn.Module, ABC):
    """A segmentation network.

    Attributes:
        output_stride: pixels of the input to one of the logits, in each direction.
        auxiliary: heads for auxiliary losses, used in training only, or None.

    """

    output_stride: int

    def __init__(self) -> None:
        super().__init__()
        self.auxiliary: nn.ModuleList | None = None

    @abstractmethod
    def run(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits, and the features that the auxiliary heads look at.

        Args:
            x: (N, 3, H, W) float.

        Returns:
            (N, num_classes, ceil(H/stride), ceil(W/stride)), and features for each head.

        """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to logits (N, num_classes, ceil(H/stride), ceil(W/stride))."""
        return self.run(x)[0]

    def forward_auxiliary(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits of `forward` and those of the auxiliary heads, for training.

        The latter are (N, num_classes, h, w), each at the size of the features it looks at.

        Raises:
            ConfigError: the network has no auxiliary heads.

        """
        if self.auxiliary is None:
            raise ConfigError(
                'the network has no auxiliary heads; those that can have them (fast_scnn, spssn, '
                'spssn_stream) are made with auxiliary=True'
            )
        logits, features = self.run(x)
        heads = zip(self.auxiliary, features, strict=True)
        return logits, tuple(head(feature) for head, feature in heads)


def check_options(num_classes: int, dropout: float) -> None:
    """Raise ConfigError unless both are in range."""
    if not isinstance(num_classes, Integral) or num_classes < 1:
        raise ConfigError(f'num_classes is {num_classes!r}; give an integer, at least 1')
    if not 0 <= dropout < 1:
        raise ConfigError(f'dropout is {dropout}; give a probability from 0 to below 1')
