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
"""The mean of weights files, and what cannot be averaged."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from spssn_ros.errors import ConfigError
from spssn_ros.labels import LabelSet
from spssn_ros.models import (
    Normalisation,
    WeightsInfo,
    create_model,
    load_weights,
    read_info,
    save_weights,
)
from spssn_ros.models.averaging import average_weights
from spssn_ros.tools.main import main

Network = tuple[torch.nn.Module, WeightsInfo]
Change = Callable[[WeightsInfo], WeightsInfo]


@pytest.fixture(scope='module')
def others(random_network: Network, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three files of one network, with values, temperatures and recipes of their own."""
    _, info = random_network
    paths = []
    for seed, temperature in enumerate((1.0, 2.0, 4.0)):
        torch.manual_seed(seed)
        model = create_model(info.model, 11, **info.options)
        path = tmp_path_factory.mktemp('weights') / f'{seed}.safetensors'
        own = dataclasses.replace(info, temperature=temperature, recipe={'seed': seed})
        save_weights(path, model, own)
        paths.append(path)
    return paths


def test_every_value_is_the_mean(
    others: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'mean.safetensors'
    assert main(['average', *map(str, others), '--output', str(output)]) == 0
    assert capsys.readouterr().out == f'the mean of 3 weights files; written to {output}\n'
    model, info = load_weights(output)
    states = [load_weights(path)[0].state_dict() for path in others]
    for key, value in model.state_dict().items():
        assert value.dtype == states[0][key].dtype
        expected = sum(state[key].double() for state in states) / 3
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
    first = read_info(others[0])
    recipe = dict(info.recipe)
    assert re.fullmatch(r'spssn average .* --output .*', recipe.pop('command'))
    assert recipe == {'average_of': [{'seed': 0}, {'seed': 1}, {'seed': 2}]}
    assert info.temperature == pytest.approx(2)
    # Nobody has scored it.
    assert first.scores
    unlike = {'temperature': info.temperature, 'recipe': info.recipe, 'scores': {}}
    assert info == dataclasses.replace(first, **unlike)


@pytest.mark.parametrize(
    ('change', 'what'),
    [
        (lambda info: dataclasses.replace(info, options={'chain_length': 1}), 'options'),
        (lambda info: dataclasses.replace(info, model='fast_scnn', options={}), 'model'),
        (lambda info: dataclasses.replace(info, normalisation=Normalisation()), 'normalisation'),
        (
            lambda info: dataclasses.replace(
                info,
                label_set=LabelSet(info.label_set.names[::-1], info.label_set.palette),
            ),
            'classes bicyclist, .* and .* has sky,',
        ),
    ],
)
def test_what_differs_is_refused_by_name(
    change: Change, what: str, others: list[Path], tmp_path: Path
) -> None:
    info = change(read_info(others[1]))
    path = tmp_path / 'other.safetensors'
    save_weights(path, create_model(info.model, 11, **info.options), info)
    with pytest.raises(ConfigError, match=f'^{re.escape(str(path))} has {what} .*; only weights'):
        average_weights([others[0], path])


def test_one_file_is_no_average(
    others: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'out.safetensors'
    assert main(['average', str(others[0]), '--output', str(output)]) == 2
    text = 'spssn: there is 1 weights file to average; give at least two\n'
    assert capsys.readouterr() == ('', text)
    assert not output.exists()
