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
"""The networks have the published numbers of parameters and operations."""

import re
from pathlib import Path

import pytest
from torch import nn

from spssn_ros.benchmarking import COUNTED_AT, PUBLISHED, count_gflops, count_model
from spssn_ros.benchmarking.counting import count_flops
from spssn_ros.models import MODEL_NAMES, create_model

# Without and with those of batch norm, 19 classes.
PARAMETERS = {
    'spssn': (1_421_571, 1_446_275),
    'spssn_stream': (1_470_723, 1_496_195),
    'fast_scnn': (1_114_371, 1_138_051),
    'shufflenetv2_basic': (1_135_811, 1_151_479),
    'shufflenetv2_dpc': (1_489_171, 1_509_351),
    'mobilenetv2_basic': (2_079_955, 2_113_043),
    'mobilenetv2_dpc': (2_468_883, 2_506_195),
}


def test_every_network_stands_beside_its_paper() -> None:
    assert tuple(PUBLISHED) == MODEL_NAMES == tuple(PARAMETERS)


@pytest.mark.parametrize('name', MODEL_NAMES)
def test_counts_are_the_published_ones(name: str) -> None:
    count, published = count_model(name), PUBLISHED[name]
    assert (count.parameters, count.parameters_with_batch_norm) == PARAMETERS[name]
    assert count.size_mb == round(count.parameters_with_batch_norm * 4 / 1e6, 2)
    assert count.published is published
    if published.parameters_millions is not None:
        assert round(count.parameters / 1e6, 2) == published.parameters_millions
    else:
        assert published.size_mb is not None
        assert count.size_mb == pytest.approx(published.size_mb, rel=0.015)
        assert published.gflops is not None
        assert count.gflops == pytest.approx(published.gflops, rel=0.01)


@pytest.mark.parametrize('name', MODEL_NAMES)
def test_the_documentation_s_table_is_what_is_counted(name: str) -> None:
    text = (Path(__file__).parents[2] / 'docs' / 'networks.md').read_text(encoding='utf-8')
    (row,) = re.findall(rf'^\| `{name}` \| (\d,.*) \|$', text, re.M)
    count, published = count_model(name), PUBLISHED[name]
    millions, size_mb, gflops = (
        published.parameters_millions,
        published.size_mb,
        published.gflops,
    )
    assert [cell.strip() for cell in row.split('|')] == [
        f'{count.parameters:,}',
        '' if millions is None else f'{millions:.2f} M',
        f'{count.parameters_with_batch_norm:,}',
        f'{count.size_mb:.2f}',
        '' if size_mb is None else f'{size_mb:.1f}',
        f'{count.gflops:.3f}',
        '' if gflops is None else f'{gflops:.2f}',
    ]


def test_a_multiplication_and_an_addition_are_two_operations() -> None:
    conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    assert count_flops(conv, (20, 10)) == 2 * 20 * 10 * 8 * 3 * 9


def test_auxiliary_heads_cost_nothing() -> None:
    plain, heads = (create_model('fast_scnn', auxiliary=value) for value in (False, True))
    assert count_gflops(plain, COUNTED_AT) == count_gflops(heads, COUNTED_AT) == 0.322


def test_published_speeds_are_found_by_size() -> None:
    assert [speed.fps for speed in PUBLISHED['spssn'].speeds_at((2048, 1024))] == [59]
    assert [speed.fps for speed in PUBLISHED['fast_scnn'].speeds_at((2048, 1024))] == [
        106.2,
        123.5,
    ]
    assert PUBLISHED['spssn'].speeds_at((1024, 2048)) == ()
    assert all(speed.source for network in PUBLISHED.values() for speed in network.speeds)
