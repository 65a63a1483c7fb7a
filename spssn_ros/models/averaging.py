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
"""The mean of several weights files: a model soup.

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
without increasing inference time", 2022.
"""

import dataclasses
import os
from collections.abc import Sequence

import torch

from spssn_ros.errors import ConfigError
from spssn_ros.models.network import Network
from spssn_ros.models.weights import load_weights
from spssn_ros.models.weights_info import WeightsInfo


def average_weights(names: Sequence[str | os.PathLike[str]]) -> tuple[Network, WeightsInfo]:
    """Return a network whose every value is the mean of those of several weights files.

    That is of use for networks trained on from the same weights; of others the mean means nothing.
    What the result says of itself is the first file's, but for its scores, which nobody has
    measured yet, its temperature (the geometric mean), and the recipes of all.

    Args:
        names: weights files, or names of shipped ones; at least two.

    Raises:
        ConfigError: fewer than two, or files of different networks, classes or normalisations.
        WeightsError: as `load_weights`.

    """
    if len(names) < 2:
        raise ConfigError(f'there is {len(names)} weights file to average; give at least two')
    models, infos = zip(*map(load_weights, names), strict=True)
    first: WeightsInfo = infos[0]
    for name, info in zip(names[1:], infos[1:], strict=True):
        for (what, here), there in zip(_facts(info).items(), _facts(first).values(), strict=True):
            if here != there:
                raise ConfigError(
                    f'{name} has {what} {here} and {names[0]} has {there}; only weights of the '
                    'same can be averaged'
                )
    states = [model.state_dict() for model in models]
    for key, value in states[0].items():
        # Batch norm counts its batches in integers; the first one's stay.
        if value.is_floating_point():
            value.copy_(torch.stack([state[key] for state in states]).mean(0))
    temperatures = torch.tensor([info.temperature for info in infos], dtype=torch.float64)
    info = dataclasses.replace(
        first,
        temperature=float(temperatures.log().mean().exp()),
        recipe={'average_of': [info.recipe for info in infos]},
        scores={},
    )
    model: Network = models[0]
    return model, info


def _facts(info: WeightsInfo) -> dict[str, object]:
    """Return what must be equal, by name."""
    return {
        'model': info.model,
        'options': info.options,
        'classes': ', '.join(info.label_set.names),
        'palette': info.label_set.palette,
        'normalisation': info.normalisation,
    }
