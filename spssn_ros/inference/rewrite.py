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
"""Changes to a network that leave its values as they are and make it faster when compiled."""

import copy

from torch import Tensor, nn


def separate_max_pools(network: nn.Module) -> nn.Module:
    """Return a copy whose square max pools of stride 1 are a row's and then a column's.

    The values are the same to the bit, from 2k instead of k x k comparisons.
    """
    network = copy.deepcopy(network)
    # A pool may be used several times: each is replaced where it is held.
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, _separated(child))
    return network


def _separated(pool: nn.MaxPool2d) -> nn.Module:
    size, pad = pool.kernel_size, pool.padding
    if not isinstance(size, int) or not isinstance(pad, int):
        return pool
    if (pool.stride, pool.dilation) != (1, 1) or pool.ceil_mode or pool.return_indices:
        return pool
    rows = nn.MaxPool2d((1, size), stride=1, padding=(0, pad))
    return nn.Sequential(rows, nn.MaxPool2d((size, 1), stride=1, padding=(pad, 0)))


class ClassesLast(nn.Module):
    """A network whose logits are (N, h, w, C), as convolutions lay them in memory anyway."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """Map what the network maps."""
        logits: Tensor = self.network(frames)
        return logits.permute(0, 2, 3, 1)
