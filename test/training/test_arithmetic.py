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
"""The precision that training chooses is one that the device has instructions for."""

import pytest
import torch

from spssn_ros.inference.config import Precision
from spssn_ros.training.arithmetic import Arithmetic


@pytest.mark.parametrize(
    ('generation', 'expected'),
    [('ampere', Precision.BFLOAT16), ('turing', Precision.FLOAT32)],
)
def test_a_gpu_that_only_emulates_bfloat16_computes_in_float32(
    generation: str, expected: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return generation == 'ampere' or including_emulation

    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', is_bf16_supported)
    assert Arithmetic(torch.device('cuda'), Precision.AUTO).precision is expected
