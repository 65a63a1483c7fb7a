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
"""The building blocks compute what the papers say."""

import pytest
import torch
from torch.nn import functional

from spssn_ros.models.blocks import (
    DSConv,
    FeatureFusion,
    InvertedResidual,
    LearningToDownsample,
    PyramidPooling,
    bottleneck_unit,
    pooling_matrix,
    resize,
)


@pytest.mark.parametrize('bins', [1, 2, 3, 6])
@pytest.mark.parametrize(('height', 'width'), [(1, 1), (2, 3), (5, 7), (6, 6), (11, 13), (32, 64)])
def test_the_pooling_matrix_equals_adaptive_pooling(bins: int, height: int, width: int) -> None:
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    pooled = pooling_matrix(height, bins, x) @ x @ pooling_matrix(width, bins, x).T
    torch.testing.assert_close(pooled, functional.adaptive_avg_pool2d(x, bins))


def test_the_pooling_matrix_takes_the_type_of_its_input() -> None:
    assert pooling_matrix(4, 2, torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_pyramid_pooling_concatenates_input_and_upsampled_bins() -> None:
    torch.manual_seed(0)
    module = PyramidPooling(8).eval()
    x = torch.randn(2, 8, 5, 9)
    parts = [x]
    for bins, branch in zip((1, 2, 3, 6), module.branches, strict=True):
        pooled = branch(functional.adaptive_avg_pool2d(x, bins))
        parts.append(functional.interpolate(pooled, (5, 9), mode='bilinear'))
    torch.testing.assert_close(module(x), module.project(torch.cat(parts, 1)))


@pytest.mark.parametrize('size', [(32, 32), (33, 57), (40, 7), (1, 1)])
def test_learning_to_downsample_divides_by_8_rounding_up(size: tuple[int, int]) -> None:
    height, width = size
    out = LearningToDownsample().eval()(torch.zeros(1, 3, height, width))
    assert out.shape == (1, 64, -(-height // 8), -(-width // 8))


def test_a_separable_convolution_is_linear_in_between() -> None:
    depthwise, pointwise = DSConv(4, 8, stride=2)
    assert [type(layer).__name__ for layer in depthwise] == ['Conv2d', 'BatchNorm2d']
    assert depthwise[0].groups == 4
    assert [type(layer).__name__ for layer in pointwise] == ['Conv2d', 'BatchNorm2d', 'ReLU']
    assert (depthwise[0].stride, pointwise[0].stride) == ((2, 2), (1, 1))


def test_inverted_residuals_add_their_input_where_shapes_agree() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 8, 6, 6)
    same = InvertedResidual(8, 8).eval()
    torch.testing.assert_close(same(x), x + same.layers(x))
    for other in (InvertedResidual(8, 8, stride=2).eval(), InvertedResidual(8, 16).eval()):
        torch.testing.assert_close(other(x), other.layers(x))
    # The projection is linear: negative values pass.
    assert (same.layers(x) < 0).any()


def test_the_first_block_of_a_unit_carries_the_stride() -> None:
    unit = bottleneck_unit(8, 16, 2)
    assert [block.layers[1][0].stride for block in unit] == [(2, 2), (1, 1), (1, 1)]
    assert [block.layers[1][0].in_channels for block in unit] == [48, 96, 96]
    assert [block.has_skip for block in unit] == [False, True, True]


def test_resize_uses_half_pixel_centres() -> None:
    x = torch.tensor([[[[0.0, 4.0]]]])
    assert resize(x, (1, 4)).flatten().tolist() == [0.0, 1.0, 3.0, 4.0]
    assert resize(x, (1, 2)) is x


def test_fusion_adds_the_upsampled_deep_branch_and_rectifies() -> None:
    torch.manual_seed(0)
    module = FeatureFusion(4).eval()
    deep, shallow = torch.randn(1, 4, 3, 2), torch.randn(1, 4, 9, 7)
    upsampled = functional.interpolate(deep, (9, 7), mode='bilinear')
    expected = (module.pointwise(module.depthwise(upsampled)) + shallow).clamp(min=0)
    torch.testing.assert_close(module(deep, shallow), expected)
