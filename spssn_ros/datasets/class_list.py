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
"""Class list files: one class a line, by id; `NAME` or `NAME R G B`, the colour 0..255 each."""

import re
from pathlib import Path

from spssn_ros.errors import ConfigError, DatasetError
from spssn_ros.files import read_plain
from spssn_ros.labels import CAMVID, CITYSCAPES, Color, LabelSet

CLASS_LIST = 'classes.txt'
"""Name of the class list in a data set folder."""

_COLORED = re.compile(r'(.*\S)\s+(\d+)\s+(\d+)\s+(\d+)')


def read_label_set(path: Path) -> LabelSet:
    """Read a class list file, or the `classes.txt` of a data set folder.

    Names may hold spaces; empty lines and lines that begin with # say nothing. Without colours,
    CamVid's and Cityscapes' own classes get theirs, and others those of PASCAL VOC's colour map.

    Raises:
        DatasetError: the file is missing, no text, without a class, or has colours for some
            classes only; names repeat, or a colour is out of range.

    """
    file = path / CLASS_LIST if path.is_dir() else path
    try:
        # Editors on Windows begin a file with a mark, which is no part of the first name.
        text = read_plain(file).decode('utf-8-sig')
    except OSError as error:
        raise DatasetError(
            f'cannot read class list {file}: {error.strerror}; write one class a line, NAME or '
            'NAME R G B'
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f'class list {file} is no UTF-8 text ({error.reason})') from error
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith('#')]
    matches = [_COLORED.fullmatch(line) for line in lines]
    try:
        if not any(matches):
            return _with_usual_colors(tuple(lines))
        bare = [line for line, match in zip(lines, matches, strict=True) if match is None]
        if bare:
            raise ConfigError(f'class {bare[0]!r} has no colour R G B, but others have')
        colored = [match.groups() for match in matches if match is not None]
        palette: list[Color] = [(int(r), int(g), int(b)) for _, r, g, b in colored]
        return LabelSet(tuple(name for name, *_ in colored), tuple(palette))
    except ConfigError as error:
        raise DatasetError(f'class list {file}: {error}') from error


def class_list(label_set: LabelSet) -> str:
    """Return the text that `read_label_set` reads back as `label_set`."""
    pairs = zip(label_set.names, label_set.palette, strict=True)
    return ''.join(f'{name} {r} {g} {b}\n' for name, (r, g, b) in pairs)


def _with_usual_colors(names: tuple[str, ...]) -> LabelSet:
    for known in (CAMVID, CITYSCAPES):
        if names == known.names:
            return known
    # Black, the map's first colour, is for void.
    return LabelSet(names, tuple(_voc_color(number) for number in range(1, len(names) + 1)))


def _voc_color(number: int) -> Color:
    """Return a colour of PASCAL VOC's map: bit 3i + c of the number is bit 7 - i of channel c."""
    red, green, blue = (
        sum((number >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3))
        for channel in range(3)
    )
    return red, green, blue
