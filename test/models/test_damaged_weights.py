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
"""Weights files cut off, changed or made to harm are refused in one line, and take no memory."""

import json
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from spssn_ros.errors import WeightsError
from spssn_ros.models import load_weights, read_info
from spssn_ros.tools.main import main


def split(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the header and the tensors' bytes."""
    data = path.read_bytes()
    (length,) = struct.unpack('<Q', data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(path: Path, header: bytes, body: bytes, length: int | None = None) -> Path:
    size = len(header) if length is None else length
    path.write_bytes(struct.pack('<Q', size) + header + body)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    assert '\n' not in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 700 + len(str(path))
    return str(caught.value)


def test_cut_off_at_any_byte(tmp_path: Path, random_weights: Path) -> None:
    data = random_weights.read_bytes()
    path = tmp_path / 'cut.safetensors'
    rng = np.random.default_rng(1)
    for end in [*range(12), *rng.integers(12, len(data), 40).tolist(), len(data) - 1]:
        path.write_bytes(data[:end])
        assert 'is not a safetensors file' in refusal(path)


def test_any_byte_of_the_header_changed(tmp_path: Path, random_weights: Path) -> None:
    data = random_weights.read_bytes()
    header = 8 + struct.unpack('<Q', data[:8])[0]
    path = tmp_path / 'changed.safetensors'
    rng = np.random.default_rng(2)
    refused = 0
    for position in rng.integers(0, header, 150).tolist():
        changed = bytearray(data)
        changed[position] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        try:
            load_weights(path)
        except WeightsError as error:
            refused += '\n' not in str(error)
    # A letter of the recipe or licence harms nobody.
    assert refused > 120


@pytest.mark.parametrize('length', [0, 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_of_any_declared_length(
    tmp_path: Path, random_weights: Path, length: int
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    header, body = split(random_weights)
    path = join(tmp_path / 'a.safetensors', json.dumps(header).encode(), body, length)
    assert 'is not a safetensors file' in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


@pytest.mark.parametrize(
    'change',
    [
        {'shape': [2**40, 2**40]},
        {'shape': [2**40], 'data_offsets': [0, 2**42]},
        {'shape': [-1]},
        {'shape': 'large'},
        {'data_offsets': [8, 0]},
        {'dtype': 'F1000'},
    ],
    ids=str,
)
def test_a_tensor_of_any_declared_size(
    tmp_path: Path, random_weights: Path, change: dict[str, Any]
) -> None:
    header, body = split(random_weights)
    header[next(key for key in header if key.endswith('.weight'))] |= change
    path = join(tmp_path / 'a.safetensors', json.dumps(header).encode(), body)
    assert 'is not a safetensors file' in refusal(path)


@pytest.mark.parametrize('header', [b'[' * 100_000, b'{"a":' * 100_000, b'\0' * 100, b'{}'])
def test_a_header_that_is_none(tmp_path: Path, header: bytes) -> None:
    refusal(join(tmp_path / 'a.safetensors', header, b''))


@pytest.mark.parametrize(
    ('ending', 'value', 'reason'),
    [
        ('.weight', float('nan'), 'what is no finite number'),
        ('.weight', float('inf'), 'what is no finite number'),
        ('.running_mean', -float('inf'), 'what is no finite number'),
        ('.running_var', -0.5, 'a negative variance or what is no finite number'),
    ],
)
def test_values_that_no_training_gives(
    tmp_path: Path, random_weights: Path, ending: str, value: float, reason: str
) -> None:
    tensors = load_file(random_weights)
    key = [key for key in tensors if key.endswith(ending)][-1]
    tensors[key].view(-1)[-1] = value
    with safe_open(random_weights, framework='pt') as file:
        metadata = file.metadata()
    save_file(tensors, tmp_path / 'a.safetensors', metadata)
    assert f'is damaged: {key} holds {reason}; fetch or train it again' in refusal(
        tmp_path / 'a.safetensors'
    )
    # What it says of itself can still be read.
    assert read_info(tmp_path / 'a.safetensors').model == 'spssn'


def nan(path: Path, target: Path) -> None:
    with safe_open(path, framework='pt') as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors['classifier.3.bias'] = torch.full_like(tensors['classifier.3.bias'], float('nan'))
    save_file(tensors, target, metadata)


def cut(path: Path, target: Path) -> None:
    target.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize('damage', [nan, cut])
@pytest.mark.parametrize(
    'words',
    [
        ['segment', 'IMAGE', '--output', 'OUT', '--device', 'cpu', '--weights', 'BAD'],
        ['export', '--format', 'onnx', '--output', 'OUT', '--weights', 'BAD'],
        ['train', '--config', 'RECIPE', '--output', 'OUT', '--device', 'cpu', '--init', 'BAD'],
        ['benchmark', 'engine', '--device', 'cpu', '--weights', 'BAD', '--json', 'OUT'],
    ],
    ids=lambda words: words[0],
)
def test_every_command_says_so_in_one_line(
    tmp_path: Path,
    random_weights: Path,
    picture: Callable[..., np.ndarray],
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path, Path], None],
    words: list[str],
) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / 'IMAGE.png'), picture(32, 24))
    (tmp_path / 'RECIPE').write_text('dataset: street\noptions: {chain_length: 2}\n')
    damage(random_weights, tmp_path / 'BAD')
    names = {'IMAGE': 'IMAGE.png'}
    status = main(
        [str(tmp_path / names.get(word, word)) if word.isupper() else word for word in words]
    )
    error = capsys.readouterr().err
    assert status == 2, error
    assert [line for line in error.splitlines() if line.startswith('spssn: ')], error
    assert f'{tmp_path}/BAD is ' in error
    assert 'Traceback' not in error
    assert not (tmp_path / 'OUT').exists()
