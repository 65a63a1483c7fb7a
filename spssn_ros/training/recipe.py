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
"""Recipe files: one training run, or several stages of which each starts from the former's."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from spssn_ros.errors import ConfigError, WeightsError, one_line
from spssn_ros.files import explain, read_plain
from spssn_ros.models import find_weights
from spssn_ros.share import shared
from spssn_ros.training.checkpoint import RESULTS
from spssn_ros.training.config import WEIGHTS_KEYS, TrainConfig

STAGES = 'stages'


def read_recipe(path: Path) -> list[TrainConfig]:
    """Read a recipe file; return its stages, one where it has no key `stages`.

    The file holds the keys of `TrainConfig`. Each item of `stages` holds those that it overrides.

    Raises:
        ConfigError: missing, not YAML, or not a valid recipe; names the file and the stage.

    """
    values = _read(path)
    stages = values.pop(STAGES, [{}])
    if not isinstance(stages, list) or not stages or not all(isinstance(s, dict) for s in stages):
        raise ConfigError(f'{path}: {STAGES} is {stages!r}; give a list of "key: value" groups')
    configs = []
    for number, overrides in enumerate(stages, start=1):
        try:
            configs.append(TrainConfig.from_dict(values | overrides))
        except ConfigError as error:
            stage = f' (stage {number})' if len(stages) > 1 else ''
            raise ConfigError(f'{path}: {error}{stage}') from error
    return configs


def find_recipe(name: Path) -> Path:
    """Return the file of a recipe: a path, or a shipped one as in spssn_folder.

    Raises:
        ConfigError: there is neither.

    """
    # A run's folder is easily named after its recipe.
    if name.exists() and not name.is_dir():
        return name
    folder = shared('config', 'train')
    shipped = {path.stem: path for path in sorted(folder.glob('*.yaml'))} if folder else {}
    # The documentation writes config/train/spssn_folder.yaml, as it is in the source tree.
    if name.parent in (Path(), Path('config/train')) and name.suffix in ('', '.yaml'):
        found = shipped.get(name.stem)
        if found is not None:
            return found
    raise ConfigError(
        f'no recipe {str(name)!r}; give the path of a YAML file or one of the shipped names: '
        f'{", ".join(shipped)}'
    )


def stage_folder(output: Path, number: int, count: int) -> Path:
    """Return where stage `number`, from 1, of `count` writes: the last one, `output` itself."""
    return output if number == count else output / f'stage{number}'


def starting_from(config: TrainConfig, former: Path | None) -> TrainConfig:
    """Return the recipe, starting from the former stage's last weights unless it says others."""
    if former is None or config.init:
        return config
    return replace(config, init=str(former / 'last.safetensors'))


def check_weights_stay(stages: Sequence[TrainConfig], outputs: Sequence[Path]) -> None:
    """Check that a new run keeps the weights that its stages start from or are taught by.

    Args:
        stages: of the recipe.
        outputs: where each writes.

    Raises:
        ConfigError: some lie where this stage or a later one writes.

    """
    for number, config in enumerate(stages):
        for key in WEIGHTS_KEYS:
            weights = getattr(config, key)
            replaced = _replacing(weights, outputs[number:])
            if replaced is not None:
                raise ConfigError(
                    f'{key} is {weights}, which a new run into {replaced} replaces; copy it '
                    'elsewhere first, or give another --output'
                )


def _replacing(weights: str, outputs: Sequence[Path]) -> Path | None:
    """Return the folder whose run writes over these weights, if any; '' are none."""
    if not weights:
        return None
    try:
        path = find_weights(weights).resolve()
    except WeightsError:
        # A former stage may be to write them.
        return None
    results = ((output, output / name) for output in outputs for name in RESULTS)
    return next((output for output, result in results if result.resolve() == path), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(read_plain(path).decode())
    except OSError as error:
        raise ConfigError(f'cannot read {path}: {explain(error)}') from error
    # ValueError: no UTF-8, or what looks like a date but is none, as 2026-31-12.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f'{path} is not YAML: {one_line(error)}') from error
    if not isinstance(values, dict):
        raise ConfigError(f'{path} holds no "key: value" lines')
    return values
