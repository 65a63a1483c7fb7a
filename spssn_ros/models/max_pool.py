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
"""5x5 max pooling, the operation that chained residual pooling consists of."""

from functools import partial

from torch import Tensor, nn

from spssn_ros.models.fused import Fused

_fused = Fused('max pooling')


class MaxPool5(nn.MaxPool2d):
    """5x5 max pool, stride 1: (N, C, H, W) -> (N, C, H, W); a kernel of its own on CUDA."""

    def __init__(self) -> None:
        super().__init__(5, stride=1, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        plain = partial(super().forward, x)
        return _fused(partial(_by_triton, x), plain) if x.is_cuda else plain()


def _by_triton(x: Tensor) -> Tensor:
    # Neither installed nor needed everywhere, and slow to import.
    from spssn_ros.models.triton_max_pool import TritonMaxPool5

    pooled: Tensor = TritonMaxPool5.apply(x)
    return pooled
