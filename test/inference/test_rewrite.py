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
"""Networks rewritten for compilation keep their values."""

from typing import Any

import pytest
import torch
from torch import nn

from spssn_ros.inference.rewrite import ClassesLast, separate_max_pools


def test_pools_by_row_and_column_give_the_same_bits(random_network: tuple[nn.Module, Any]) -> None:
    model, _ = random_network
    rewritten = separate_max_pools(model)
    kernels = {m.kernel_size for m in rewritten.modules() if isinstance(m, nn.MaxPool2d)}
    assert kernels == {(1, 5), (5, 1)}
    x = torch.rand(1, 3, 75, 53)
    with torch.inference_mode():
        assert torch.equal(rewritten(x), model(x))
    # The network itself is as it was.
    assert {m.kernel_size for m in model.modules() if isinstance(m, nn.MaxPool2d)} == {5}


@pytest.mark.parametrize(
    'pool',
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d((3, 5), stride=1),
        nn.MaxPool2d(3, stride=1, dilation=2),
        nn.MaxPool2d(3, stride=1, return_indices=True),
    ],
)
def test_other_pools_stay(pool: nn.MaxPool2d) -> None:
    assert repr(separate_max_pools(nn.Sequential(pool))) == repr(nn.Sequential(pool))


def test_classes_come_last() -> None:
    x = torch.rand(1, 4, 3, 2)
    assert torch.equal(ClassesLast(nn.Identity())(x), x.movedim(1, -1))
