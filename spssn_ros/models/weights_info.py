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
"""What a weights file says of itself: its metadata."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spssn_ros.errors import ConfigError
from spssn_ros.labels import LabelSet

FORMAT = 'spssn_ros/1'
_MAX_SIDE = 16384


@dataclass(frozen=True)
class Normalisation:
    """How a pixel becomes network input: (value / 255 - mean) / std, per RGB channel.

    Raises:
        ConfigError: not three finite values each, or a standard deviation that is not above 0.

    """

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        finite = all(math.isfinite(value) for value in (*self.mean, *self.std))
        three = len(self.mean) == len(self.std) == 3
        if not three or not finite or not all(value > 0 for value in self.std):
            raise ConfigError(
                f'normalisation has mean {self.mean} and std {self.std}; give three values each, '
                'std above 0'
            )


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says of itself.

    Attributes:
        model: name for `create_model`.
        options: its further arguments.
        label_set: class names and palette.
        normalisation: from uint8 RGB to network input.
        input_size: (width, height) in pixels the network was trained for.
        temperature: by which the logits are divided for the confidence to be calibrated.
        recipe: how it was trained (data, command, epochs, seed, hardware, ...).
        scores: fractions in [0, 1], with the split they were measured on.
        licence: note on the licence of weights and data.
        int8_size: (width, height) in pixels of the frames for which the file holds the network in
            8-bit integers, too; None without. Read only: it comes with the graph.

    Raises:
        ConfigError: an input size without pixels, or with more than any camera has, or a
            temperature that cannot be.

    """

    model: str
    options: dict[str, Any]
    label_set: LabelSet
    normalisation: Normalisation
    input_size: tuple[int, int]
    temperature: float = 1.0
    recipe: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    licence: str = ''
    int8_size: tuple[int, int] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= min(self.input_size) <= max(self.input_size) <= _MAX_SIDE:
            raise ConfigError(
                f'input_size is {self.input_size}; give (width, height) in pixels, each at most '
                f'{_MAX_SIDE}'
            )
        if not 1e-3 <= self.temperature <= 1e3:
            raise ConfigError(
                f'temperature is {self.temperature}; give a number from 0.001 to 1000, 1 for none'
            )

    def to_metadata(self) -> dict[str, str]:
        """Return the safetensors metadata: JSON text by key."""
        values = dataclasses.asdict(self)
        del values['label_set'], values['int8_size']
        values |= {'classes': self.label_set.names, 'palette': self.label_set.palette}
        return {'format': FORMAT} | {key: json.dumps(value) for key, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> 'WeightsInfo':
        """Rebuild from `to_metadata`'s result.

        Raises:
            LookupError, ValueError, TypeError, OverflowError, RecursionError: a key is missing or
                its value is malformed.

        """
        value = {key: json.loads(text) for key, text in metadata.items() if key != 'format'}
        return cls(
            model=str(value['model']),
            options=dict(value['options']),
            label_set=LabelSet(
                tuple(value['classes']), tuple(tuple(color) for color in value['palette'])
            ),
            normalisation=Normalisation(
                tuple(value['normalisation']['mean']), tuple(value['normalisation']['std'])
            ),
            input_size=_size(value['input_size']),
            temperature=float(value.get('temperature', 1.0)),
            recipe=dict(value.get('recipe', {})),
            scores=dict(value.get('scores', {})),
            licence=str(value.get('licence', '')),
            int8_size=_int8_size(value.get('int8')),
        )


def _int8_size(known: Any) -> tuple[int, int] | None:
    # What is wrong with the graph is told to who asks for it; the floats do without.
    try:
        return _size(known['input_size'])
    except (LookupError, ValueError, TypeError, OverflowError):
        return None


def _size(sides: Sequence[Any]) -> tuple[int, int]:
    return int(sides[0]), int(sides[1])
