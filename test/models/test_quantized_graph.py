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

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from spssn_ros.errors import ConfigError, WeightsError
from spssn_ros.models import QuantizedGraph, load_graph, load_weights, read_info, save_weights

GRAPH = QuantizedGraph((96, 64), b'<net/>', bytes(range(256)), 7, {'nncf': '1.2', 'openvino': '3'})
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def both(tmp_path: Path, random_network: Any) -> Path:
    """A weights file with floats and a graph."""
    path = tmp_path / 'both.safetensors'
    save_weights(path, *random_network, GRAPH)
    return path


def parts(path: Path) -> tuple[Tensors, dict[str, str]]:
    with safe_open(path, framework='pt') as file:
        metadata = dict(file.metadata())
    return load_file(path), metadata


def test_a_graph_comes_back(both: Path) -> None:
    assert load_graph(both) == GRAPH
    _, metadata = parts(both)
    assert json.loads(metadata['int8']) == {
        'input_size': [96, 64],
        'frames': 7,
        'sha256': GRAPH.digest(),
        'nncf': '1.2',
        'openvino': '3',
    }


def test_the_floats_are_read_as_without_it(both: Path, random_weights: Path) -> None:
    assert read_info(both) == read_info(random_weights)
    expected, found = load_weights(random_weights)[0], load_weights(both)[0]
    state = found.state_dict()
    assert state.keys() == expected.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in expected.state_dict().items())
    # Who changes the floats does not keep the integers.
    save_weights(both, *load_weights(both))
    expected_parts = parts(random_weights)
    assert parts(both)[0].keys() == expected_parts[0].keys()
    assert parts(both)[1] == expected_parts[1]


def test_weights_without_one(random_weights: Path) -> None:
    message = (
        f"^precision is 'int8' but {re.escape(str(random_weights))} holds no 8-bit graph; make "
        'weights that do by `spssn quantize BAG --weights .* --output FILE`, or give another'
    )
    with pytest.raises(ConfigError, match=message):
        load_graph(random_weights)


def test_other_tensors_are_still_refused(both: Path) -> None:
    tensors, metadata = parts(both)
    tensors['int8.more'] = torch.zeros(3, dtype=torch.uint8)
    save_file(tensors, both, metadata)
    with pytest.raises(WeightsError, match=r'does not fit .* Unexpected key.*"int8\.more"'):
        load_weights(both)


def cut(tensors: Tensors, metadata: dict[str, str]) -> None:
    tensors['int8.bin'] = tensors['int8.bin'][:-1].clone()


def flip(tensors: Tensors, metadata: dict[str, str]) -> None:
    tensors['int8.xml'][2] ^= 1


def floats(tensors: Tensors, metadata: dict[str, str]) -> None:
    tensors['int8.bin'] = tensors['int8.bin'].float()


def matrix(tensors: Tensors, metadata: dict[str, str]) -> None:
    tensors['int8.bin'] = tensors['int8.bin'].view(16, 16)


def half(tensors: Tensors, metadata: dict[str, str]) -> None:
    del tensors['int8.xml']


def only_tensors(tensors: Tensors, metadata: dict[str, str]) -> None:
    del metadata['int8']


def only_metadata(tensors: Tensors, metadata: dict[str, str]) -> None:
    del tensors['int8.xml'], tensors['int8.bin']


def no_size(tensors: Tensors, metadata: dict[str, str]) -> None:
    metadata['int8'] = json.dumps(json.loads(metadata['int8']) | {'input_size': [96]})


def no_object(tensors: Tensors, metadata: dict[str, str]) -> None:
    metadata['int8'] = '8'


@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (cut, 'its SHA-256 is not that in the metadata'),
        (flip, 'its SHA-256 is not that in the metadata'),
        (floats, 'torch.float32 is no row of bytes'),
        (matrix, r'\(16, 16\) torch.uint8 is no row of bytes'),
        (half, "KeyError\\('int8.xml'\\)"),
        (only_tensors, "KeyError\\('int8'\\)"),
        (only_metadata, "KeyError\\('int8.xml'\\)"),
        (no_size, 'ValueError'),
        (no_object, 'TypeError'),
    ],
)
def test_a_damaged_graph_is_refused_and_the_floats_are_not(
    both: Path, damage: Callable[[Tensors, dict[str, str]], None], reason: str
) -> None:
    tensors, metadata = parts(both)
    damage(tensors, metadata)
    save_file(tensors, both, metadata)
    with pytest.raises(WeightsError, match=f'both.safetensors has a damaged 8-bit .*{reason}'):
        load_graph(both)
    load_weights(both)
