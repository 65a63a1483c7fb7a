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
"""The state of a training run as a safetensors file.

Tensors only, nothing pickled: `model.*`, `average.*` and `optimizer.<index>.<key>`; the counters
and the recipe are metadata.
"""

import hashlib
import json
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from spssn_ros.errors import WeightsError, one_line
from spssn_ros.files import write_whole
from spssn_ros.models import find_weights
from spssn_ros.training.config import WEIGHTS_KEYS, TrainConfig
from spssn_ros.training.schedule import WeightAverage

_DAMAGE = (
    SafetensorError,
    OSError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,  # RecursionError too
)
"""What damaged or foreign files raise."""

_WITHOUT_EFFECT = ('val_every', 'workers', 'in_memory')
"""Keys of a recipe that do not change the weights."""


@dataclass(frozen=True)
class RunState:
    """What a run consists of.

    Attributes:
        config: the recipe.
        model: the network.
        average: its running average, if any.
        optimizer: with its momenta.
        scaler: loss scaling of float16.
        counters: numbers and words that go into the file as they are.

    """

    config: TrainConfig
    model: nn.Module
    average: WeightAverage | None
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    counters: dict[str, Any]


def weights_digests(config: TrainConfig) -> dict[str, str]:
    """Return, as counters, the SHA-256 of each weights file that a run takes, '' for none.

    Raises:
        WeightsError: a file is missing.

    """
    return {_digest_key(key): _digest(getattr(config, key)) for key in WEIGHTS_KEYS}


def save_state(path: Path, state: RunState) -> None:
    """Write everything a run needs to go on, atomically."""
    tensors = {f'model.{key}': value for key, value in state.model.state_dict().items()}
    counters = state.counters | {
        'config': state.config.to_dict(),
        'scaler': state.scaler.state_dict(),
    }
    if state.average is not None:
        counters['average_updates'] = state.average.updates
        averaged = state.average.model.state_dict()
        tensors |= {f'average.{key}': value for key, value in averaged.items()}
    for index, values in state.optimizer.state_dict()['state'].items():
        tensors |= {
            f'optimizer.{index}.{key}': torch.as_tensor(value)
            for key, value in values.items()
            if value is not None
        }
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    write_whole(path, save(tensors, {'counters': json.dumps(counters)}))


def load_state(path: Path, state: RunState) -> dict[str, Any]:
    """Restore what `save_state` wrote into the given objects; return the counters.

    Raises:
        WeightsError: not such a file, or one of another network, recipe or data.

    """
    try:
        with safe_open(path, framework='pt') as file:
            counters: dict[str, Any] = json.loads((file.metadata() or {})['counters'])
            keys = file.keys()
            tensors = {key: file.get_tensor(key) for key in keys}
        _check(counters, state)
        state.model.load_state_dict(_under('model.', tensors))
        if state.average is not None:
            state.average.model.load_state_dict(_under('average.', tensors))
            state.average.updates = counters['average_updates']
        state.scaler.load_state_dict(counters['scaler'])
        _restore_optimizer(state.optimizer, _under('optimizer.', tensors))
    except _DAMAGE as error:
        reason = one_line(error, 300)
        raise WeightsError(
            f'{path} cannot be resumed from ({reason}); train to another --output'
        ) from error
    return counters


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    restored: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        index, name = key.split('.', 1)
        restored.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()['param_groups']
    optimizer.load_state_dict({'state': restored, 'param_groups': groups})


def changed_surroundings(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return a sentence on what differs between the counters of a state and now's, or ''."""
    changed = [
        f'{key} was {before[key]} and is {now[key]}'
        for key in ('device', 'precision', 'processes', 'threads', 'torch')
        if before[key] != now[key]
    ]
    if not changed:
        return ''
    return f'note: {", ".join(changed)}: not to the last bit the unbroken run'


def _check(counters: dict[str, Any], state: RunState) -> None:
    """Raise ValueError where going on would not end where the run was bound for."""
    for key, kind in (('epoch', int), ('best', float), ('seconds', float)):
        if not isinstance(counters[key], kind) or not counters[key] >= -1:
            raise ValueError(f'{key} is {counters[key]!r}')
    # A state of an older version lacks keys that did not exist.
    before = TrainConfig().to_dict() | counters['config']
    now = state.config.to_dict()
    changed = [
        f'{key} was {before[key]!r} and is {value!r}'
        for key, value in now.items()
        if before[key] != value and key not in (*_WITHOUT_EFFECT, *WEIGHTS_KEYS)
    ]
    for key in WEIGHTS_KEYS:
        digest, digest_now = counters.get(_digest_key(key)), state.counters[_digest_key(key)]
        changed += _changed_weights(key, before[key], now[key], digest, digest_now)
    now_classes = state.counters['classes']
    # A state of an older version does not know its classes.
    pairs = zip_longest(counters.get('classes') or now_classes, now_classes, fillvalue='')
    changed += [f'class {i} was {a!r} and is {b!r}' for i, (a, b) in enumerate(pairs) if a != b]
    if changed:
        text = '; '.join(changed)
        if before['epochs'] != now['epochs']:
            text += '; the learning rate falls over all epochs, so that more are another run'
        raise ValueError(text)
    images = state.counters['training_images']
    if counters['training_images'] != images:
        raise ValueError(
            f'the training set had {counters["training_images"]} images and has {images}'
        )


def _changed_weights(
    key: str, before: str, now: str, digest: str | None, digest_now: str
) -> list[str]:
    """Return what differs between the weights that a key names: one sentence or none.

    Their content counts, wherever they lie and however their path is written. A state of an older
    version (no digest) knows the path alone.
    """
    if digest is None:
        same = bool(before) is bool(now) and Path(before).resolve() == Path(now).resolve()
    else:
        same = digest == digest_now
    if same:
        return []
    if before == now:
        return [f'{key} {now} holds other weights than before']
    return [f'{key} was {before!r} and is {now!r}']


def _digest_key(key: str) -> str:
    return f'{key}_sha256'


def _digest(weights: str) -> str:
    if not weights:
        return ''
    return hashlib.sha256(find_weights(weights).read_bytes()).hexdigest()


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
