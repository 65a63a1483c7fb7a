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
"""Label images of data sets to class ids, and ids to colours."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import ConfigError, DatasetError
from spssn_ros.labels.known_classes import (
    CAMVID,
    CAMVID_32,
    CAMVID_VOID,
    CITYSCAPES,
    CITYSCAPES_IDS,
)
from spssn_ros.labels.label_set import UNKNOWN, VOID_COLOR, Color, LabelSet


def ids_beyond(labels: NDArray[np.uint8], last: int) -> list[int]:
    """Return the ids above `last` that (H, W) uint8 labels hold, in order; 255 is none."""
    present = np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256)).tolist()
    return [i for i in present if last < i < UNKNOWN]


def camvid_index_labels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn CamVid's 11-class index labels (void 11) into ids with 255 for void.

    Args:
        labels: (H, W) uint8, values 0..11 (255 passes as void).

    Raises:
        DatasetError: a value that is neither a class nor void.

    """
    table = np.full(256, UNKNOWN, np.uint8)
    table[: len(CAMVID)] = np.arange(len(CAMVID))
    strange = ids_beyond(labels, CAMVID_VOID)
    if strange:
        raise DatasetError(f"label ids {strange} are beyond CamVid's 0..10 and void 11")
    return table[labels]


def camvid_color_labels(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn CamVid's 32-colour labels into the 11 class ids, 255 for void.

    Args:
        rgb: (H, W, 3) uint8 RGB colour-coded label image.

    Raises:
        DatasetError: a colour that is not one of the 32.

    """
    ids = {
        color: UNKNOWN if name is None else CAMVID.index(name)
        for color, (_, name) in CAMVID_32.items()
    }
    return _ids_of_colors(rgb, ids, "CamVid's 32 label colours")


def color_labels(rgb: NDArray[np.uint8], label_set: LabelSet) -> NDArray[np.uint8]:
    """Turn an image in a palette's colours, (H, W, 3) uint8 RGB, into (H, W) uint8 class ids.

    Black is void, 255, unless it is the colour of a class. Undoes `label_colors`.

    Raises:
        ConfigError: two classes of the label set share a colour.
        DatasetError: a colour that is not in the palette.

    """
    _check_palette(label_set)
    ids = {VOID_COLOR: UNKNOWN} | {color: i for i, color in enumerate(label_set.palette)}
    return _ids_of_colors(rgb, ids, 'the colours of the classes (or black, for void)')


def label_colors(labels: NDArray[np.uint8], label_set: LabelSet) -> NDArray[np.uint8]:
    """Turn (H, W) uint8 class ids, 255 void, into the palette's colours, (H, W, 3) uint8 RGB.

    Void becomes black. `color_labels` gives back exactly the same ids.

    Raises:
        ConfigError: two classes share a colour, or void and a black class would.
        DatasetError: an id that is no class.

    """
    _check_palette(label_set)
    strange = ids_beyond(labels, len(label_set) - 1)
    if strange:
        raise DatasetError(f'label ids {strange} are beyond the classes 0..{len(label_set) - 1}')
    if VOID_COLOR in label_set.palette and (labels == UNKNOWN).any():
        name = label_set.names[label_set.palette.index(VOID_COLOR)]
        raise ConfigError(f'class {name!r} is black, as void is; give it another colour')
    return label_set.color_table()[labels]


def cityscapes_ids(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn Cityscapes' labelIds into the 19 training ids, 255 for the rest.

    Args:
        labels: (H, W) uint8, values 0..33; 255 stands for -1, the licence plate.

    Raises:
        DatasetError: a value that is no Cityscapes id.

    """
    table = np.full(256, UNKNOWN, np.uint8)
    table[list(CITYSCAPES_IDS)] = np.arange(len(CITYSCAPES))
    strange = ids_beyond(labels, CITYSCAPES_IDS[-1])
    if strange:
        raise DatasetError(f"label ids {strange} are beyond Cityscapes' 0..33 and -1")
    return table[labels]


def _check_palette(label_set: LabelSet) -> None:
    first: dict[Color, str] = {}
    for name, color in zip(label_set.names, label_set.palette, strict=True):
        if first.setdefault(color, name) != name:
            raise ConfigError(
                f'classes {first[color]!r} and {name!r} have one colour, {color}; give each its '
                'own to tell them apart in pictures'
            )


def _ids_of_colors(
    rgb: NDArray[np.uint8], ids: Mapping[Color, int], colors: str
) -> NDArray[np.uint8]:
    codes = rgb[..., 0].astype(np.uint32)
    for channel in (1, 2):
        codes <<= 8
        codes |= rgb[..., channel]
    found = _id_by_code(tuple(ids.items()))[codes]
    if not found.all():
        row, column = np.argwhere(found == 0)[0]
        raise DatasetError(
            f'colour {tuple(rgb[row, column].tolist())} at row {row}, column {column} '
            f'is not one of {colors}'
        )
    found -= 1
    return found.astype(np.uint8)


@lru_cache(maxsize=4)
def _id_by_code(ids: tuple[tuple[Color, int], ...]) -> NDArray[np.uint16]:
    """Return a look-up table: id + 1 by 24-bit colour, 0 for none (such pages cost no memory)."""
    table = np.zeros(1 << 24, np.uint16)
    for (red, green, blue), class_id in ids:
        table[red << 16 | green << 8 | blue] = class_id + 1
    return table
