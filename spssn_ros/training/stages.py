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
"""What the stages of a recipe need, looked at before the first of them begins."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from spssn_ros.errors import ConfigError, SpssnError
from spssn_ros.files import from_home
from spssn_ros.labels import LabelSet
from spssn_ros.models import Network, WeightsInfo, create_model, find_weights, load_weights
from spssn_ros.training.checkpoint import result_info
from spssn_ros.training.config import WEIGHTS_KEYS, TrainConfig
from spssn_ros.training.initial import check_initial
from spssn_ros.training.recipe import starting_from
from spssn_ros.training.samples import check_enough, read_data
from spssn_ros.training.teacher import check_teacher

_Found = tuple[Path, Network, WeightsInfo]


def check_stages(
    stages: Sequence[TrainConfig], folders: Sequence[Path | None], outputs: Sequence[Path]
) -> None:
    """Check the weights and the frames of all stages: a later one begins hours after the first.

    No image is read. Weights that a former stage is to write are taken for what it will write.

    Args:
        stages: of the recipe.
        folders: of the data set of each.
        outputs: where each writes.

    Raises:
        ConfigError: weights of another network or other classes, or that no stage writes; too few
            frames, or as `read_data`.
        DatasetError: as `read_data`.
        WeightsError: a weights file is missing or not one.

    """
    sources = _Sources()
    former: Path | None = None
    for number, stage in enumerate(zip(stages, folders, outputs, strict=True), start=1):
        config, folder, output = stage
        try:
            label_set = _check(starting_from(config, former), folder, sources)
        except SpssnError as error:
            if len(stages) == 1:
                raise
            raise type(error)(f'{error} (stage {number})') from error
        sources.add(config, label_set, output, number)
        former = output


def _check(config: TrainConfig, folder: Path | None, sources: '_Sources') -> LabelSet:
    """Check one stage; return its classes."""
    data = read_data(replace(config, in_memory=False), folder, quiet=True)
    check_enough(config, data)
    strange = [name for name in config.paste_classes if name not in data.label_set.names]
    if config.paste and strange:
        raise ConfigError(
            f'paste_classes has {strange[0]!r}, but the classes are '
            f'{", ".join(data.label_set.names)}'
        )
    found = {key: sources.find(key, getattr(config, key)) for key in WEIGHTS_KEYS}
    check_initial(config, data.label_set, found['init'])
    if found['teacher'] is not None:
        path, _, info = found['teacher']
        check_teacher(path, info, data.label_set)
    return data.label_set


class _Sources:
    """Weights that stages take: files, each read once, and what former stages are to write."""

    def __init__(self) -> None:
        self._known: dict[Path, _Found] = {}
        self._never: dict[Path, int] = {}

    def add(self, config: TrainConfig, label_set: LabelSet, output: Path, number: int) -> None:
        """Take note of what a stage is to write."""
        info = result_info(config, label_set)
        # Only shapes are asked for.
        with torch.device('meta'):
            network = create_model(info.model, len(label_set), **info.options)
        last, best = output / 'last.safetensors', output / 'best.safetensors'
        self._known[last.resolve()] = last, network, info
        if config.val_split or config.holdout or config.holdout_sequences:
            self._known[best.resolve()] = best, network, info
        else:
            self._never[best.resolve()] = number

    def find(self, key: str, weights: str) -> _Found | None:
        """Return the path, network and info of weights, or None for ''."""
        if not weights:
            return None
        path = from_home(weights)
        number = self._never.get(path.resolve())
        if number is not None:
            raise ConfigError(
                f'{key} is {weights}, which stage {number} does not write, as it has neither '
                'val_split nor holdout; give its last.safetensors'
            )
        if path.resolve() not in self._known:
            path = find_weights(weights)
            self._known[path.resolve()] = path, *load_weights(path)
        return self._known[path.resolve()]
