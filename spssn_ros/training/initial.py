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
"""The network at the start of training."""

from pathlib import Path

import torch
from torch import Tensor

from spssn_ros.errors import ConfigError
from spssn_ros.labels import LabelSet
from spssn_ros.models import (
    Network,
    Normalisation,
    WeightsInfo,
    create_model,
    find_weights,
    load_weights,
)
from spssn_ros.training.config import TrainConfig


def initial_network(config: TrainConfig, label_set: LabelSet) -> tuple[Network, str]:
    """Return the network to train, and a sentence on the weights it starts from, or ''.

    The last layer starts anew where the classes are not those of `config.init`, and so do
    auxiliary heads, which weights files do not hold.

    Raises:
        ConfigError: the weights are of another network or normalisation.
        WeightsError: the file is missing or not one.

    """
    model = _new_network(config, label_set)
    if not config.init:
        return model, ''
    path = find_weights(config.init)
    source, info = load_weights(path)
    tensors, anew = _kept(config, label_set, model, (path, source, info))
    model.load_state_dict(tensors, strict=False)
    sentence = f'starting from {path} ({len(info.label_set)} classes)'
    if anew:
        sentence += f'; the last layer starts anew for {len(label_set)} classes'
    return model, sentence


def check_initial(
    config: TrainConfig, label_set: LabelSet, source: tuple[Path, Network, WeightsInfo] | None
) -> None:
    """Check that `initial_network` will do, without making a network.

    Args:
        config: of the training.
        label_set: the classes.
        source: path, network (on any device, also meta) and info of the weights to start from.

    Raises:
        ConfigError: no such network, or the weights are of another one or normalisation.

    """
    with torch.device('meta'):
        model = _new_network(config, label_set)
    if source is not None:
        _kept(config, label_set, model, source)


def _new_network(config: TrainConfig, label_set: LabelSet) -> Network:
    return create_model(config.model, len(label_set), **_options(config))


def _options(config: TrainConfig) -> dict[str, object]:
    return config.options | ({'auxiliary': True} if config.auxiliary_weight else {})


def _kept(
    config: TrainConfig,
    label_set: LabelSet,
    model: Network,
    source: tuple[Path, Network, WeightsInfo],
) -> tuple[dict[str, Tensor], set[str]]:
    """Return the tensors that a network takes over, and the names of those that start anew."""
    path, network, info = source
    if info.normalisation != Normalisation():
        raise ConfigError(
            f'init {path} takes frames of mean {info.normalisation.mean} and std '
            f'{info.normalisation.std}, but training those of mean {Normalisation().mean} and std '
            f'{Normalisation().std}; give weights of spssn train'
        )
    tensors = network.state_dict()
    anew: set[str] = set()
    if info.label_set.names != label_set.names:
        anew = _last_layer(config.model, _options(config)) & tensors.keys()
        tensors = {key: value for key, value in tensors.items() if key not in anew}
    own = model.state_dict()
    strange = [key for key in tensors if key not in own or own[key].shape != tensors[key].shape]
    missing = [k for k in own if k not in tensors and k not in anew and not _is_auxiliary(k)]
    if strange or missing:
        raise ConfigError(
            f'init {path} is a {info.model} with options {info.options}, which does not fit '
            f'{config.model} with {config.options} (at {[*strange, *missing][0]}); give weights '
            'of the same network'
        )
    return tensors, anew


def _last_layer(model: str, options: dict[str, object]) -> set[str]:
    """Return the names of the tensors whose shapes depend on the number of classes."""
    with torch.device('meta'):
        two, three = (create_model(model, n, **options).state_dict() for n in (2, 3))
    return {key for key, tensor in two.items() if _shape(tensor) != _shape(three[key])}


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _is_auxiliary(key: str) -> bool:
    return key.startswith('auxiliary.')
