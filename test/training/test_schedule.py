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
"""The learning rate's course and the running average follow their formulas."""

import pytest
import torch
from torch import nn

from spssn_ros.training.schedule import WeightAverage, poly_factor


def test_poly_falls_from_one_to_zero() -> None:
    factors = [poly_factor(i, 10, 0, 0.9) for i in range(11)]
    assert factors[0] == 1.0
    assert factors[5] == 0.5**0.9
    assert factors[10] == 0.0
    assert factors == sorted(factors, reverse=True)
    assert poly_factor(5, 10, 0, 2.0) == 0.25


def test_warm_up_rises_linearly_under_the_poly_curve() -> None:
    assert poly_factor(0, 100, 4, 0.9) == 0.25
    assert poly_factor(1, 100, 4, 0.9) == 0.5 * 0.99**0.9
    assert poly_factor(3, 100, 4, 0.9) == 0.97**0.9
    assert poly_factor(50, 100, 4, 0.9) == 0.5**0.9


def set_to(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(value)


def test_the_average_follows_its_formula() -> None:
    model = nn.BatchNorm2d(2)
    set_to(model, 0)
    average = WeightAverage(model, 0.5)
    expected = 0.0
    for n, value in enumerate((8.0, 4.0, 2.0, 100.0, -3.0, 7.0, 1.0, 9.0), start=1):
        set_to(model, value)
        average.update(model)
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
        for key, tensor in average.model.state_dict().items():
            # Counters are no averages.
            wanted = int(value) if key == 'num_batches_tracked' else expected
            assert tensor.flatten().tolist() == pytest.approx([wanted] * tensor.numel()), key
    assert average.updates == 8
    # The decay was both below its limit and at it.
    assert (1 + 1) / (10 + 1) < 0.5 < (1 + 9) / (10 + 9)


def test_the_average_is_a_network_of_its_own() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Dropout(0.5)).train()
    average = WeightAverage(model, 0.9)
    before = average.model[0].weight.clone()
    set_to(model, 5)
    assert torch.equal(average.model[0].weight, before)
    assert not average.model.training
    assert not any(p.requires_grad for p in average.model.parameters())
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
