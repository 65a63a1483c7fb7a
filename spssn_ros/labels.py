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
"""Class names, palettes and dataset label mappings.

CamVid: 32 colour-coded classes (Brostow, Fauqueur, Cipolla 2009), grouped to the 11 of
Sturgess et al. 2009 in the order SegNet made standard. Cityscapes: the 19 training classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import ConfigError, DatasetError

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

    def color_table(self) -> NDArray[np.uint8]:
        """Return a (256, 3) uint8 RGB look-up table; ids without a class are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.palette)] = self.palette
        return table


CAMVID = LabelSet(
    names=(
        'sky',
        'building',
        'pole',
        'road',
        'pavement',
        'tree',
        'sign_symbol',
        'fence',
        'car',
        'pedestrian',
        'bicyclist',
    ),
    palette=(
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (0, 0, 192),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
)

CAMVID_VOID = 11
"""Id of unlabelled pixels in CamVid's 11-class index labels."""

CITYSCAPES = LabelSet(
    names=(
        'road',
        'sidewalk',
        'building',
        'wall',
        'fence',
        'pole',
        'traffic light',
        'traffic sign',
        'vegetation',
        'terrain',
        'sky',
        'person',
        'rider',
        'car',
        'truck',
        'bus',
        'train',
        'motorcycle',
        'bicycle',
    ),
    palette=(
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    ),
)

CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The labelIds value of each of the 19 training classes, in their order."""

# Original CamVid colour -> (its name, its class of the 11; None is void).
CAMVID_32: dict[Color, tuple[str, str | None]] = {
    (64, 128, 64): ('Animal', 'pedestrian'),
    (192, 0, 128): ('Archway', 'building'),
    (0, 128, 192): ('Bicyclist', 'bicyclist'),
    (0, 128, 64): ('Bridge', 'building'),
    (128, 0, 0): ('Building', 'building'),
    (64, 0, 128): ('Car', 'car'),
    (64, 0, 192): ('CartLuggagePram', 'pedestrian'),
    (192, 128, 64): ('Child', 'pedestrian'),
    (192, 192, 128): ('Column_Pole', 'pole'),
    (64, 64, 128): ('Fence', 'fence'),
    (128, 0, 192): ('LaneMkgsDriv', 'road'),
    (192, 0, 64): ('LaneMkgsNonDriv', 'road'),
    (128, 128, 64): ('Misc_Text', 'sign_symbol'),
    (192, 0, 192): ('MotorcycleScooter', 'bicyclist'),
    (128, 64, 64): ('OtherMoving', 'car'),
    (64, 192, 128): ('ParkingBlock', 'pavement'),
    (64, 64, 0): ('Pedestrian', 'pedestrian'),
    (128, 64, 128): ('Road', 'road'),
    (128, 128, 192): ('RoadShoulder', 'pavement'),
    (0, 0, 192): ('Sidewalk', 'pavement'),
    (192, 128, 128): ('SignSymbol', 'sign_symbol'),
    (128, 128, 128): ('Sky', 'sky'),
    (64, 128, 192): ('SUVPickupTruck', 'car'),
    (0, 0, 64): ('TrafficCone', 'pole'),
    (0, 64, 64): ('TrafficLight', 'sign_symbol'),
    (192, 64, 128): ('Train', 'car'),
    (128, 128, 0): ('Tree', 'tree'),
    (192, 128, 192): ('Truck_Bus', 'car'),
    (64, 0, 64): ('Tunnel', 'building'),
    (192, 192, 0): ('VegetationMisc', 'tree'),
    (0, 0, 0): ('Void', None),
    (64, 192, 0): ('Wall', 'building'),
}


def camvid_index_labels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn CamVid's 11-class index labels (void 11) into ids with 255 for void.

    Args:
        labels: (H, W) uint8, values 0..11 (255 passes as void).

    Raises:
        DatasetError: a value that is neither a class nor void.

    """
    table = np.full(256, UNKNOWN, np.uint8)
    table[: len(CAMVID)] = np.arange(len(CAMVID))
    present = np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256))
    strange = [int(i) for i in present if i > CAMVID_VOID and i != UNKNOWN]
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
    present = np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256)).tolist()
    strange = [i for i in present if len(label_set) <= i < UNKNOWN]
    if strange:
        raise DatasetError(f'label ids {strange} are beyond the classes 0..{len(label_set) - 1}')
    if UNKNOWN in present and VOID_COLOR in label_set.palette:
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
    present = np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256)).tolist()
    strange = [i for i in present if CITYSCAPES_IDS[-1] < i < UNKNOWN]
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
