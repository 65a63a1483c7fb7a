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
"""Weights files come back as they were, and files that are none are refused with reasons."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from spssn_ros.errors import ConfigError, WeightsError
from spssn_ros.labels import CAMVID, LabelSet
from spssn_ros.models import (
    Normalisation,
    WeightsInfo,
    create_model,
    find_weights,
    load_graph,
    load_weights,
    read_info,
    save_weights,
    shipped_weights,
    weights,
)

Network = tuple[torch.nn.Module, WeightsInfo]


def rewritten(path: Path, target: Path, change: Callable[[dict[str, str]], None]) -> Path:
    """Copy a weights file with its metadata changed."""
    with safe_open(path, framework='pt') as file:
        metadata = dict(file.metadata())
    change(metadata)
    save_file(load_file(path), target, metadata)
    return target


def test_round_trip(random_network: Network, random_weights: Path) -> None:
    model, info = random_network
    loaded, loaded_info = load_weights(random_weights)
    assert loaded_info == info == read_info(random_weights)
    assert not loaded.training
    expected, state = model.state_dict(), loaded.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    x = torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        assert torch.equal(loaded(x), model(x))


def test_the_file_explains_itself(random_weights: Path) -> None:
    with safe_open(random_weights, framework='pt') as file:
        metadata = file.metadata()
    assert metadata.pop('format') == 'spssn_ros/1'
    values = {key: json.loads(text) for key, text in metadata.items()}
    assert values == {
        'model': 'spssn',
        'temperature': 1.0,
        'options': {'chain_length': 2},
        'classes': list(CAMVID.names),
        'palette': [list(color) for color in CAMVID.palette],
        'normalisation': {'mean': [0.4, 0.5, 0.6], 'std': [0.2, 0.25, 0.3]},
        'input_size': [96, 64],
        'recipe': {'seed': 5},
        'scores': {'miou': 0.5},
        'licence': 'none',
    }


def test_others_may_read_the_file_as_the_umask_says(random_weights: Path) -> None:
    plain = random_weights.with_name('plain')
    plain.touch()
    assert random_weights.stat().st_mode == plain.stat().st_mode


def test_layouts_other_than_contiguous_are_saved(tmp_path: Path, random_network: Network) -> None:
    model, info = random_network
    striped = create_model(info.model, 11, **info.options)
    striped.load_state_dict(model.state_dict())
    save_weights(tmp_path / 'a.safetensors', striped.to(memory_format=torch.channels_last), info)
    loaded = load_weights(tmp_path / 'a.safetensors')[0].state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in model.state_dict().items())


def test_half_the_space_and_11_bits(tmp_path: Path, random_network: Network) -> None:
    model, info = random_network
    whole, half = tmp_path / 'whole.safetensors', tmp_path / 'half.safetensors'
    save_weights(whole, model, info)
    save_weights(half, model, info, half=True)
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    loaded, loaded_info = load_weights(half)
    assert loaded_info == info
    for key, value in model.state_dict().items():
        found = loaded.state_dict()[key]
        assert found.dtype == value.dtype
        torch.testing.assert_close(found, value, rtol=2**-11, atol=2**-25)


def test_what_float16_cannot_hold_is_refused(tmp_path: Path, random_network: Network) -> None:
    model, info = random_network
    large = create_model(info.model, 11, **info.options)
    large.load_state_dict(model.state_dict())
    large.state_dict()['downsample.0.1.running_var'][0] = 7e4
    path = tmp_path / 'large.safetensors'
    with pytest.raises(ConfigError, match=r'^downsample\.0\.1\.running_var holds 70000, which '):
        save_weights(path, large, info, half=True)
    assert not path.exists()


def test_shipped_weights_are_found_by_name_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert 'spssn_camvid' in shipped_weights()
    assert find_weights('spssn_camvid') == find_weights('spssn_camvid.safetensors')
    model, info = load_weights('spssn_camvid')
    assert (info.model, info.label_set) == ('spssn', CAMVID)
    assert model.classifier[-1].out_channels == 11
    assert info.licence
    assert info.recipe
    assert 0 < info.scores['miou'] < 1


@pytest.mark.parametrize('name', ['spssn_camvid', 'spssn_camvid_fast'])
def test_shipped_camvid_weights_hold_integers_for_their_own_size(name: str) -> None:
    assert load_graph(name).size == read_info(name).input_size
    assert find_weights(name).stat().st_size < 6e6


def test_weights_trained_without_val_have_not_seen_it() -> None:
    info = read_info('spssn_camvid_without_val')
    assert (info.model, info.label_set, info.input_size) == ('spssn', CAMVID, (960, 720))
    splits = [stage['config']['train_splits'] for stage in info.recipe['stages']]
    assert splits == [['train']] * 6
    assert find_weights('spssn_camvid_without_val').stat().st_size < 6e6


def test_a_file_goes_before_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_weights: Path
) -> None:
    (tmp_path / 'spssn_camvid.safetensors').write_bytes(random_weights.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert read_info('spssn_camvid.safetensors').input_size == (96, 64)
    # A folder of that name is no file.
    (tmp_path / 'spssn_camvid').mkdir()
    assert find_weights('spssn_camvid').parent == weights.SHIPPED_DIR


def test_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_weights: Path
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'a.safetensors').write_bytes(random_weights.read_bytes())
    assert find_weights('~/a.safetensors') == tmp_path / 'a.safetensors'


@pytest.mark.parametrize('name', ['nowhere', 'no/where.safetensors', '', '~no_such_user/a'])
def test_a_missing_file(name: str) -> None:
    with pytest.raises(WeightsError, match=f"^no weights file '{name}'; .*names: .*spssn_camvid"):
        find_weights(name)


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'\xff' * 100, b'not weights' * 50])
def test_a_file_that_is_not_safetensors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'bad.safetensors'
    path.write_bytes(content)
    for read in (read_info, load_weights):
        with pytest.raises(WeightsError, match=r'bad\.safetensors is not a safetensors file \('):
            read(path)


@pytest.mark.parametrize('share', [0.001, 0.5, 0.999])
def test_a_truncated_file(tmp_path: Path, random_weights: Path, share: float) -> None:
    path = tmp_path / 'cut.safetensors'
    data = random_weights.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    for read in (read_info, load_weights):
        with pytest.raises(WeightsError, match=r'cut\.safetensors is not a safetensors file \('):
            read(path)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    trap = tmp_path / 'trap'

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(trap),)

    plain, zipped = tmp_path / 'plain.safetensors', tmp_path / 'zipped.safetensors'
    plain.write_bytes(pickle.dumps(Evil()))
    torch.save(Evil(), zipped)
    for path in (plain, zipped):
        with pytest.raises(WeightsError, match=r'is not a safetensors file'):
            load_weights(path)
    assert not trap.exists()


def test_a_foreign_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / 'foreign.safetensors'
    save_file({'weight': torch.zeros(2)}, path)
    with pytest.raises(
        WeightsError,
        match=r"is a safetensors file of format None, not 'spssn_ros/1'; .* spssn train$",
    ):
        load_weights(path)
    save_file({'weight': torch.zeros(2)}, path, {'format': 'pt'})
    with pytest.raises(WeightsError, match=r"of format 'pt', not 'spssn_ros/1'"):
        read_info(path)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('model', None),
        ('classes', None),
        ('classes', 'not JSON'),
        ('classes', '["a"]'),
        ('classes', '5'),
        ('palette', '[[0, 0, 300]]'),
        ('palette', '[5]'),
        ('options', '[1]'),
        ('normalisation', '{"mean": [0, 0, 0]}'),
        ('normalisation', '{"mean": [0, 0], "std": [1, 1, 1]}'),
        ('normalisation', '{"mean": [0, 0, 0], "std": [1, 0, 1]}'),
        ('input_size', '[]'),
        ('input_size', '[0, 360]'),
        ('input_size', '"large"'),
        ('recipe', 'null'),
        ('palette', '[[0, 0, 0]]'),
        ('palette', '[' * 100_000),
        ('classes', json.dumps([*range(11)])),
        ('classes', json.dumps(['', *CAMVID.names[1:]])),
        ('classes', json.dumps(['x' * 10**6, *CAMVID.names[1:]])),
        ('normalisation', '{"mean": [NaN, 0, 0], "std": [1, 1, 1]}'),
        ('normalisation', '{"mean": ["a", 0, 0], "std": [1, 1, 1]}'),
        ('normalisation', '{"mean": [0, 0, 0], "std": [Infinity, 1, 1]}'),
        ('input_size', '[1e400, 64]'),
        ('input_size', '[1000000000, 1000000000]'),
        ('input_size', '[96, -64]'),
    ],
)
def test_damaged_metadata(
    tmp_path: Path, random_weights: Path, key: str, value: str | None
) -> None:
    def damage(metadata: dict[str, str]) -> None:
        if value is None:
            del metadata[key]
        else:
            metadata[key] = value

    path = rewritten(random_weights, tmp_path / 'damaged.safetensors', damage)
    with pytest.raises(
        WeightsError, match=r'damaged\.safetensors has damaged metadata: '
    ) as caught:
        read_info(path)
    assert len(str(caught.value)) < 700 + len(str(path))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('key', 'value', 'reason'),
    [
        ('model', '"unet"', "no network 'unet'"),
        ('options', '{"chain_length": -1}', 'chain_length is -1'),
        ('options', '{"chain_length": 1000000000}', 'chain_length is 1000000000'),
        ('options', '{"chain_length": "two"}', 'option of the wrong type'),
        ('options', '{"chain_length": 1.5}', 'option of the wrong type'),
        ('options', '{"chain_length": [[]]}', 'option of the wrong type'),
        ('options', '{"first_stride": 1.0}', r'first_stride is 1\.0; give 1 or 2'),
        ('options', '{"first_stride": true}', 'first_stride is True; give 1 or 2'),
        ('options', '{"dropout": "much"}', 'option of the wrong type'),
        ('options', '{"name": "spssn"}', 'name'),
        ('options', '{"chain": 1}', 'takes no such option'),
        ('options', '{"num_classes": 3}', 'num_classes'),
        ('options', '{"chain_length": 1}', r'Unexpected key.*pooling\.convs\.1\.weight'),
        ('options', '{"chain_length": 3}', 'Missing key'),
    ],
)
def test_tensors_that_do_not_fit_the_network(
    tmp_path: Path, random_weights: Path, key: str, value: str, reason: str
) -> None:
    path = rewritten(
        random_weights, tmp_path / 'a.safetensors', lambda metadata: metadata.update({key: value})
    )
    with pytest.raises(
        WeightsError, match=rf'a\.safetensors does not fit the network it names: .*{reason}'
    ) as caught:
        load_weights(path)
    assert '\n' not in str(caught.value)


def test_tensors_of_another_shape(tmp_path: Path, random_network: Network) -> None:
    model, info = random_network
    fewer = LabelSet(CAMVID.names[:5], CAMVID.palette[:5])
    save_weights(
        tmp_path / 'a.safetensors',
        model,
        WeightsInfo(info.model, info.options, fewer, Normalisation(), (96, 64)),
    )
    with pytest.raises(WeightsError, match=r'size mismatch for classifier\.3\.weight'):
        load_weights(tmp_path / 'a.safetensors')


def test_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_network: Network
) -> None:
    path = tmp_path / 'a.safetensors'
    path.write_bytes(b'before')

    write = Path.write_bytes

    def fill_disk(target: Path, data: bytes) -> int:
        write(target, data[: len(data) // 2])
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_bytes', fill_disk)
        with pytest.raises(OSError, match='No space left'):
            save_weights(path, *random_network)
    assert [file.name for file in tmp_path.iterdir()] == ['a.safetensors']
    assert path.read_bytes() == b'before'


def test_values_that_cannot_be_described() -> None:
    with pytest.raises(ConfigError, match=r'^normalisation has mean .* std \(1, 1, 0\); give'):
        Normalisation((0, 0, 0), (1, 1, 0))
    with pytest.raises(
        ConfigError,
        match=r'^input_size is \(0, 64\); give \(width, height\) in pixels, each at most 16384$',
    ):
        WeightsInfo('spssn', {}, CAMVID, Normalisation(), (0, 64))
