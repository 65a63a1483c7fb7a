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
"""The backbones and heads of Türkmen and Heikkilä's networks have the paper's structure."""

import torch
from torch import Tensor, nn

from spssn_ros.models.deeplab_heads import BasicHead, DPCHead
from spssn_ros.models.mobilenet_v2 import Bottleneck, MobileNetV2
from spssn_ros.models.shufflenet_v2 import BasicUnit, ShuffleNetV2, WideningUnit, shuffle


def depthwise(model: nn.Module) -> list[tuple[int, int, tuple[int, ...]]]:
    """Return channels, stride and dilation of each 3x3 depthwise convolution."""
    return [
        (conv.in_channels, conv.stride[0], conv.dilation)
        for conv in model.modules()
        if isinstance(conv, nn.Conv2d) and conv.groups > 1
    ]


def test_shufflenet_s_last_stage_is_atrous() -> None:
    network = ShuffleNetV2().eval()
    found = depthwise(network[4])
    # The widening unit's shortcut and branch, then three basic units.
    assert found == [(232, 1, (1, 1))] * 2 + [(232, 1, (2, 2))] * 3
    assert [len(stage) for stage in list(network)[2:]] == [4, 8, 4]
    shapes = []
    x = torch.zeros(1, 3, 97, 131)
    for layer in network:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(24, 49, 66), (24, 25, 33), (116, 13, 17), (232, 7, 9), (464, 7, 9)]


def test_shuffling_interleaves() -> None:
    left, right = torch.tensor([0, 1, 2]), torch.tensor([10, 11, 12])
    shuffled = shuffle(left.reshape(1, 3, 1, 1), right.reshape(1, 3, 1, 1))
    assert shuffled.flatten().tolist() == [0, 10, 1, 11, 2, 12]


def test_shufflenet_s_basic_unit_keeps_half_of_the_channels() -> None:
    torch.manual_seed(0)
    unit, x = BasicUnit(8).eval(), torch.randn(2, 8, 5, 5)
    y = unit(x)
    torch.testing.assert_close(y[:, ::2], x[:, :4])
    torch.testing.assert_close(y[:, 1::2], unit.branch(x[:, 4:]))


def test_shufflenet_s_widening_unit_feeds_all_channels_to_both_branches() -> None:
    torch.manual_seed(0)
    unit, x = WideningUnit(6, 16, stride=2).eval(), torch.randn(1, 6, 5, 7)
    y = unit(x)
    assert y.shape == (1, 16, 3, 4)
    torch.testing.assert_close(y[:, ::2], unit.shortcut(x))
    torch.testing.assert_close(y[:, 1::2], unit.branch(x))


def test_mobilenet_is_the_table_of_its_paper_at_a_sixteenth() -> None:
    network = MobileNetV2()
    blocks = [block for stage in list(network)[1:] for block in stage]
    widths = [16] + [24] * 2 + [32] * 3 + [64] * 4 + [96] * 3 + [160] * 3 + [320]
    assert [block.layers[-1][0].out_channels for block in blocks] == widths
    expanded = [32, *(6 * width for width in [16, *widths[1:-1]])]
    strided = {1, 3, 6}
    found = [depthwise(block)[0] for block in blocks]
    assert [channels for channels, _, _ in found] == expanded
    assert [stride for _, stride, _ in found] == [2 if i in strided else 1 for i in range(17)]
    # The first block of 160 channels would have stride 2: from then on, rate 2.
    assert [rates[0] for _, _, rates in found] == [1] * 14 + [2] * 3
    assert [block.has_skip for block in blocks] == [
        before == after for before, after in zip([32, *widths], widths, strict=False)
    ]


def test_mobilenet_cuts_off_at_six_and_projects_linearly() -> None:
    torch.manual_seed(0)
    block = Bottleneck(4, 4, stride=1, expansion=6, dilation=1).eval()
    kinds = [[type(layer).__name__ for layer in part] for part in block.layers]
    assert kinds == [['Conv2d', 'BatchNorm2d', 'ReLU6']] * 2 + [['Conv2d', 'BatchNorm2d']]
    x = 100 * torch.randn(1, 4, 5, 5)
    assert block.layers[0](x).max() == 6
    torch.testing.assert_close(block(x), x + block.layers(x))


def test_the_basic_head_adds_the_image_s_mean() -> None:
    torch.manual_seed(0)
    head, x = BasicHead(6).eval(), torch.randn(2, 6, 3, 5)
    mean = head.image_pooling(x.mean((2, 3))[:, :, None, None]).repeat(1, 1, 3, 5)
    expected = head.project(torch.cat([mean, head.pointwise(x)], 1))
    torch.testing.assert_close(head(x), expected)


def test_the_dense_prediction_cell_is_wired_as_published() -> None:
    torch.manual_seed(0)
    head, x = DPCHead(6).eval(), torch.randn(1, 6, 20, 25)
    rates = [rate for _, _, rate in depthwise(head)]
    assert rates == [(1, 6), (18, 15), (6, 21), (1, 1), (6, 3)]
    calls: dict[str, tuple[Tensor, Tensor]] = {}
    for name, module in head.named_children():
        module.register_forward_hook(
            lambda _, inputs, output, name=name: calls.update({name: (inputs[0], output)})
        )
    y = head(x)
    first, second = calls['rate_1_6'][1], calls['rate_18_15'][1]
    inputs = {'rate_1_6': x, 'rate_18_15': first, 'rate_6_21': first, 'rate_1_1': first}
    for name, expected in (inputs | {'rate_6_3': second}).items():
        assert torch.equal(calls[name][0], expected)
    outputs = [calls[name][1] for name in [*inputs, 'rate_6_3']]
    assert torch.equal(calls['project'][0], torch.cat(outputs, 1))
    assert y.shape == (1, 256, 20, 25)
