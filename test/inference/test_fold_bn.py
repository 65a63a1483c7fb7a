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
"""Folding batch norm leaves a network's values as they are."""

from typing import Any

import torch
from torch import nn

from spssn_ros.inference.fold_bn import fold_batch_norm


def test_a_folded_network_maps_alike(random_network: tuple[nn.Module, Any]) -> None:
    model, _ = random_network
    before = {key: value.clone() for key, value in model.state_dict().items()}
    folded = fold_batch_norm(model)
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    x = torch.rand(2, 3, 72, 56)
    with torch.inference_mode():
        expected, logits = model(x), folded(x)
        plain = nn.Module.__call__(without_norms(model), x)
    assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()
    # The statistics matter: without them the values are others.
    assert (plain - expected).abs().max() > 0.1 * expected.abs().max()
    # The network itself is as it was.
    after = model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def without_norms(model: nn.Module) -> nn.Module:
    bare = fold_batch_norm(model)
    convs = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    for name, module in bare.named_modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data.copy_(convs[name].weight.data)
    return bare


def test_only_neighbours_are_folded() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.BatchNorm2d(2), nn.Conv2d(2, 3, 1), nn.ReLU(), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1)
    )
    for module in layers.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    folded = fold_batch_norm(layers)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in folded) == 2
    x = torch.randn(1, 2, 4, 4)
    torch.testing.assert_close(folded(x), layers.eval()(x))


def test_training_mode_ends(random_network: tuple[nn.Module, Any]) -> None:
    dropping = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Dropout(0.5)).train()
    assert not fold_batch_norm(dropping).training
    assert dropping.training
