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
"""Class names and their colours."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import ConfigError

UNKNOWN = 255
"""Label of a pixel about which nothing is said (unlabelled truth, low confidence)."""

Color = tuple[int, int, int]

VOID_COLOR: Color = (0, 0, 0)
"""Colour of pixels about which nothing is said, in images of label colours."""


@dataclass(frozen=True)
class LabelSet:
    """The classes of a network or a data set.

    Attributes:
        names: one name a class; the index is the class id.
        palette: one RGB colour a class.

    Raises:
        ConfigError: no classes, more than 255, empty, overlong or duplicate names, or a palette
            that does not fit.

    """

    names: tuple[str, ...]
    palette: tuple[Color, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= UNKNOWN:
            raise ConfigError(f'a label set has 1 to 255 classes, not {len(self.names)}')
        if len(self.names) != len(self.palette):
            raise ConfigError(
                f'{len(self.names)} class names but {len(self.palette)} palette colours; '
                'give one colour a class'
            )
        for name in self.names:
            if not isinstance(name, str) or not 1 <= len(name) <= 64:
                raise ConfigError(f'class name {name!r:.80} is not a text of 1 to 64 characters')
        duplicates = sorted({name for name in self.names if self.names.count(name) > 1})
        if duplicates:
            raise ConfigError(f'class names repeat: {", ".join(duplicates)}')
        for color in self.palette:
            if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
                raise ConfigError(f'palette colour {color!r} is not three values in 0..255')

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the class id of `name`.

        Raises:
            ConfigError: no such class; the message lists those that there are.

        """
        if name not in self.names:
            raise ConfigError(f'no class {name!r}; the classes are {", ".join(self.names)}')
        return self.names.index(name)

    def entries(self) -> list[dict[str, Any]]:
        """Return id, name and RGB colour of every class, in the order of the ids, for JSON."""
        pairs = zip(self.names, self.palette, strict=True)
        return [
            {'id': class_id, 'name': name, 'color': list(color)}
            for class_id, (name, color) in enumerate(pairs)
        ]

    def color_table(self) -> NDArray[np.uint8]:
        """Return a (256, 3) uint8 RGB look-up table; ids without a class are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.palette)] = self.palette
        return table
