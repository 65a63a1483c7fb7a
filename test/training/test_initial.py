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
"""Training starts from other weights, and says what of them it cannot use."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spssn_ros.errors import ConfigError, WeightsError
from spssn_ros.labels import CAMVID, LabelSet
from spssn_ros.models import Normalisation, load_weights, save_weights
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.initial import initial_network

THREE = LabelSet(('road', 'grass', 'crate'), ((1, 1, 1), (2, 2, 2), (3, 3, 3)))
LAST = {'classifier.3.weight', 'classifier.3.bias'}


@pytest.fixture
def weights(random_network: Any, tmp_path: Path) -> Path:
    """Weights for frames as training normalises them."""
    model, info = random_network
    save_weights(
        tmp_path / 'random.safetensors', model, replace(info, normalisation=Normalisation())
    )
    return tmp_path / 'random.safetensors'


def config(path: Path | str, **values: Any) -> TrainConfig:
    return TrainConfig(init=str(path), **({'options': {'chain_length': 2}} | values))


def differing(model: torch.nn.Module, path: Path) -> set[str]:
    source = load_weights(path)[0].state_dict()
    own = model.state_dict()
    return {key for key in own if key not in source or not torch.equal(own[key], source[key])}


def test_the_same_classes_keep_everything(weights: Path) -> None:
    model, sentence = initial_network(config(weights), CAMVID)
    assert differing(model, weights) == set()
    assert sentence == f'starting from {weights} (11 classes)'


def test_other_classes_get_a_new_last_layer(weights: Path) -> None:
    model, sentence = initial_network(config(weights), THREE)
    assert model.eval()(torch.zeros(1, 3, 64, 64)).shape[1] == 3
    own, source = model.state_dict(), load_weights(weights)[0].state_dict()
    assert {key for key in own if not torch.equal(own[key], source[key])} == LAST
    assert sentence.endswith('(11 classes); the last layer starts anew for 3 classes')


def test_as_many_but_other_classes_get_a_new_last_layer_too(weights: Path) -> None:
    others = LabelSet(tuple(f'c{i}' for i in range(11)), CAMVID.palette)
    model, sentence = initial_network(config(weights), others)
    assert differing(model, weights) == LAST
    assert 'starts anew' in sentence


def test_auxiliary_heads_start_anew(weights: Path) -> None:
    model, _ = initial_network(config(weights, auxiliary_weight=0.4), CAMVID)
    new = differing(model, weights)
    assert new
    assert all(key.startswith('auxiliary.') for key in new)


def test_without_init_there_is_nothing_to_say() -> None:
    assert initial_network(TrainConfig(), CAMVID)[1] == ''


def test_weights_that_do_not_fit_are_refused(weights: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^init .*random.safetensors is a spssn with options \{'chain_length': 2\}, which "
        r"does not fit spssn with \{'chain_length': 3\} \(at stage_poolings.*; give weights of",
    ):
        initial_network(config(weights, options={'chain_length': 3}), CAMVID)
    with pytest.raises(ConfigError, match=r'which does not fit fast_scnn with \{\}'):
        initial_network(config(weights, model='fast_scnn', options={}), CAMVID)
    with pytest.raises(WeightsError, match=r"^no weights file 'nowhere'"):
        initial_network(config('nowhere'), CAMVID)


def test_weights_for_frames_normalised_otherwise_are_refused(random_weights: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r'^init .*random.safetensors takes frames of mean \(0.4, 0.5, 0.6\) and std .*, but '
        r'training those of mean \(0.5, 0.5, 0.5\) .*; give weights of spssn train',
    ):
        initial_network(config(random_weights), CAMVID)


def test_networks_without_auxiliary_heads_say_so() -> None:
    with pytest.raises(ConfigError, match='auxiliary'):
        initial_network(TrainConfig(model='shufflenetv2_basic', auxiliary_weight=0.4), CAMVID)
