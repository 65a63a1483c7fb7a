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
"""Earlier evaluations to set new scores beside."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from spssn_ros.errors import ConfigError
from spssn_ros.files import read_plain
from spssn_ros.labels import LabelSet

Value = float | None


@dataclass(frozen=True)
class Earlier:
    """The scores of an earlier evaluation, fractions in [0, 1] or None where undefined.

    Attributes:
        name: its file, as short as can be told apart.
        miou: mean IoU.
        class_average: mean accuracy.
        global_average: share of pixels that were right.
        iou: by class name.
        accuracy: by class name.

    """

    name: str
    miou: Value
    class_average: Value
    global_average: Value
    iou: dict[str, Value]
    accuracy: dict[str, Value]


def read_earlier(paths: Sequence[Path], label_set: LabelSet) -> list[Earlier]:
    """Read evaluation JSON files that were scored on the classes of `label_set`.

    Raises:
        ConfigError: a file is missing, no evaluation JSON, or was scored on other classes.

    """
    names = short_names(str(path) for path in paths)
    return [_read(path, names[str(path)], label_set) for path in paths]


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Return for each path its last part, or the whole path where that is not its own."""
    paths = list(dict.fromkeys(paths))
    last = [PurePath(path).name for path in paths]
    return {
        path: name if name and last.count(name) == 1 else path
        for path, name in zip(paths, last, strict=True)
    }


def _read(path: Path, name: str, label_set: LabelSet) -> Earlier:
    advice = 'give a JSON file written by --json or --report'
    try:
        values = json.loads(read_plain(path).decode())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f'cannot compare with {path}: {reason}; {advice}') from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f'cannot compare with {path}: not JSON ({error}); {advice}') from error
    try:
        classes = list(values['classes'])
        earlier = Earlier(
            name,
            _value(values['miou']),
            _value(values['class_average']),
            _value(values['global_average']),
            _by_class(values['iou'], classes),
            _by_class(values['accuracy'], classes),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise ConfigError(f'cannot compare with {path}: no evaluation JSON; {advice}') from error
    if set(classes) != set(label_set.names):
        other = sorted(set(map(str, classes)) ^ set(label_set.names))
        listed = ', '.join(other[:6]) + ', ...' * (len(other) > 6)
        raise ConfigError(
            f'cannot compare with {path}: it has {len(classes)} classes, the weights '
            f'{len(label_set)}, and only one of them has {listed}; give scores of the same classes'
        )
    return earlier


def _by_class(values: dict[str, Any], classes: list[Any]) -> dict[str, Value]:
    return {name: _value(values[name]) for name in classes}


def _value(value: Any) -> Value:
    if value is None:
        return None
    if isinstance(value, (int, float)) and 0 <= value <= 1:
        return float(value)
    raise ValueError(f'{value!r} is no fraction')
