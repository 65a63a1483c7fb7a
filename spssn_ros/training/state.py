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
"""The complete state of a run in one safetensors file, so that a stopped run can go on.

Tensors only, nothing pickled: `model.*`, `average.*` and `optimizer.<index>.<key>`; the counters
are metadata.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from spssn_ros.errors import WeightsError
from spssn_ros.files import write_whole
from spssn_ros.training.schedule import WeightAverage


def save_state(
    path: Path,
    model: nn.Module,
    average: WeightAverage | None,
    optimizer: torch.optim.Optimizer,
    counters: dict[str, Any],
) -> None:
    """Write everything a run needs to go on, atomically."""
    tensors = {f'model.{key}': value for key, value in model.state_dict().items()}
    counters = counters | {'optimizer': type(optimizer).__name__}
    if average is not None:
        counters = counters | {'average_updates': average.updates}
        tensors |= {f'average.{key}': v for key, v in average.model.state_dict().items()}
    for index, values in optimizer.state_dict()['state'].items():
        tensors |= {
            f'optimizer.{index}.{key}': torch.as_tensor(value)
            for key, value in values.items()
            if value is not None
        }
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    write_whole(path, save(tensors, {'counters': json.dumps(counters)}))


def load_state(
    path: Path,
    model: nn.Module,
    average: WeightAverage | None,
    optimizer: torch.optim.Optimizer,
) -> dict[str, Any]:
    """Restore what `save_state` wrote into the given objects; return the counters.

    Raises:
        WeightsError: not such a file, or one of another network or recipe.

    """
    try:
        with safe_open(path, framework='pt') as file:
            counters: dict[str, Any] = json.loads((file.metadata() or {})['counters'])
            keys = file.keys()
            tensors = {key: file.get_tensor(key) for key in keys}
        _check_recipe(counters, average, optimizer)
        model.load_state_dict(_under('model.', tensors))
        if average is not None:
            average.model.load_state_dict(_under('average.', tensors))
            average.updates = counters['average_updates']
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        reason = ' '.join(str(error).split())[:300]
        raise WeightsError(
            f'{path} cannot be resumed from ({reason}); train to another --output'
        ) from error
    state: dict[int, dict[str, Any]] = {}
    for key, value in _under('optimizer.', tensors).items():
        index, name = key.split('.', 1)
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()['param_groups']
    optimizer.load_state_dict({'state': state, 'param_groups': groups})
    return counters


def _check_recipe(
    counters: dict[str, Any], average: WeightAverage | None, optimizer: torch.optim.Optimizer
) -> None:
    kind = type(optimizer).__name__
    if counters.get('optimizer', kind) != kind:
        raise ValueError(f'its optimizer is {counters["optimizer"]}, not {kind}')
    if ('average_updates' in counters) != (average is not None):
        raise ValueError('ema_decay is 0 in one of state and configuration, not in the other')


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
