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
"""SPSSN is the network of the paper: its size, its shapes and its wiring."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spssn_ros.errors import ConfigError
from spssn_ros.models import count_parameters, create_model
from spssn_ros.models.spssn import SPSSN, ChainedResidualPooling


@pytest.fixture(scope='module')
def network() -> nn.Module:
    torch.manual_seed(0)
    model = create_model('spssn', 5, chain_length=2)
    # One look at data gives batch norm its statistics; without them deep signals fade away.
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model(torch.rand(2, 3, 96, 96))
    return model.eval()


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({}, 1_421_571),
        ({'chain_length': 2}, 1_290_499),
        ({'chain_length': 0}, 1_159_427),
        ({'first_stride': 1}, 1_421_571),
    ],
)
def test_parameter_counts_are_the_published_ones(options: dict[str, int], expected: int) -> None:
    assert count_parameters(create_model('spssn', 19, **options)) == expected


def test_fewer_classes_take_only_the_classifier_s_parameters() -> None:
    # A weight for each of 128 channels and a bias a class.
    assert count_parameters(create_model('spssn', 11)) == 1_421_571 - 8 * 129


def test_batch_norm_is_not_counted() -> None:
    layers = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    assert count_parameters(layers) == 2 * 3 + 3


@pytest.mark.parametrize('first_stride', [1, 2])
def test_logits_are_an_eighth_of_any_input(first_stride: int) -> None:
    model = SPSSN(5, chain_length=1, first_stride=first_stride).eval()
    assert model.output_stride == 8
    for height, width in ((32, 32), (33, 57), (47, 41), (64, 32)):
        for batch in (1, 3):
            with torch.inference_mode():
                logits = model(torch.zeros(batch, 3, height, width))
            assert logits.shape == (batch, 5, -(-height // 8), -(-width // 8))
            assert logits.isfinite().all()


def test_chained_residual_pooling_by_hand() -> None:
    torch.manual_seed(0)
    module = ChainedResidualPooling(3, 2)
    x = torch.randn(1, 3, 6, 7)
    first, second = (conv.weight[:, :, 0, 0] for conv in module.convs)

    def pool(values: Tensor) -> Tensor:
        """Take the maximum of each 5x5 neighbourhood, cut off at the border."""
        out = torch.empty_like(values)
        for row in range(values.shape[2]):
            for column in range(values.shape[3]):
                rows = slice(max(0, row - 2), row + 3)
                columns = slice(max(0, column - 2), column + 3)
                out[:, :, row, column] = values[:, :, rows, columns].amax((2, 3))
        return out

    def mix(weight: Tensor, values: Tensor) -> Tensor:
        return torch.einsum('oc,nchw->nohw', weight, values)

    link_1 = mix(first, pool(x))
    link_2 = mix(second, pool(link_1))
    torch.testing.assert_close(module(x), x + link_1 + link_2)


def test_a_zeroed_pair_ends_the_chain() -> None:
    torch.manual_seed(0)
    module = ChainedResidualPooling(4, 3)
    x = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        module.convs[1].weight.zero_()
        link = module.convs[0](functional.max_pool2d(x, 5, 1, 2))
        # The third pair is fed by the second, which is zero, not by the running sum.
        torch.testing.assert_close(module(x), x + link)


def record(model: nn.Module, x: Tensor) -> dict[nn.Module, tuple[tuple[Any, ...], Tensor]]:
    """Run the network; return every module's inputs and output."""
    calls = {}

    def remember(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        calls[module] = (inputs, output)

    hooks = [module.register_forward_hook(remember) for module in model.modules()]
    with torch.inference_mode():
        model(x)
    for hook in hooks:
        hook.remove()
    return calls


def test_stage_pooling_taps_every_stage(network: nn.Module) -> None:
    calls = record(network, torch.rand(1, 3, 64, 96))
    stages = [network.downsample, *network.units]
    shapes = []
    for stage, pooling in zip(stages, network.stage_poolings, strict=True):
        tapped, size = calls[pooling][0]
        assert torch.equal(tapped, calls[stage][1])
        assert size == (8, 12)
        shapes.append(tuple(tapped.shape[1:]))
    assert shapes == [(64, 8, 12), (64, 4, 6), (96, 2, 3), (128, 2, 3)]
    # What joins the deep branch is the 1x1 convolution plus all four.
    deep, shallow = calls[network.fusion][0]
    outputs = [calls[pooling][1] for pooling in network.stage_poolings]
    torch.testing.assert_close(shallow, calls[network.shallow][1] + sum(outputs))
    assert torch.equal(deep, calls[network.pyramid][1])
    assert torch.equal(calls[network.pyramid][0][0], calls[network.units[2]][1])


@pytest.mark.parametrize(
    'part',
    [
        *(lambda model, i=i: model.stage_poolings[i] for i in range(4)),
        lambda model: model.shallow,
        lambda model: model.pyramid,
    ],
    ids=['stage_1', 'stage_2', 'stage_3', 'stage_4', 'shallow', 'deep'],
)
def test_every_branch_reaches_the_logits(
    network: nn.Module, part: Callable[[Any], nn.Module]
) -> None:
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        whole = network(x)
        hook = part(network).register_forward_hook(lambda module, inputs, out: out * 0)
        without = network(x)
        hook.remove()
        assert torch.equal(network(x), whole)
    assert (whole - without).abs().max() > 0.01 * whole.std()


def test_the_shallow_branch_is_linear(network: nn.Module) -> None:
    calls = record(network, torch.rand(1, 3, 64, 64))
    assert (calls[network.shallow][1] < 0).any()


def test_the_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    # In evaluation mode: in training, batch norm takes away any bias before it.
    model = create_model('spssn', 5).eval()
    logits = model(torch.rand(2, 3, 96, 128))
    functional.cross_entropy(logits, torch.randint(0, 5, (2, 12, 16))).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_a_seed_fixes_the_network() -> None:
    x = torch.rand(1, 3, 40, 40)
    logits = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = create_model('spssn', 5, chain_length=1).eval()
        with torch.inference_mode():
            logits.append(model(x))
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'num_classes': 0}, r'^num_classes is 0; give an integer, at least 1$'),
        ({'num_classes': 3.5}, r'^num_classes is 3\.5; give an integer, at least 1$'),
        ({'num_classes': '3'}, r"^num_classes is '3'; give an integer, at least 1$"),
        ({'chain_length': -1}, r'^chain_length is -1; give 0 \(no pooling\) to 16$'),
        ({'first_stride': 3}, r'^first_stride is 3; give 1 or 2$'),
        ({'dropout': 1.5}, r'^dropout is 1\.5; give a probability from 0 to below 1$'),
    ],
)
def test_options_out_of_range(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        create_model('spssn', **options)
