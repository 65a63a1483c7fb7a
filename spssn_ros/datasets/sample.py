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
"""One labelled frame of a data set on disk, and how to read it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.datasets.index_png import is_color_png, read_index_png
from spssn_ros.errors import DatasetError
from spssn_ros.files import explain, read_plain
from spssn_ros.image_file import decode_image_file
from spssn_ros.labels import (
    LabelSet,
    camvid_color_labels,
    camvid_index_labels,
    cityscapes_ids,
    color_labels,
    ids_beyond,
)

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg')


class LabelFormat(Enum):
    """How a label image says the class of a pixel."""

    INDEX = 'index'
    """CamVid: one uint8 id, 0..10 and 11 for void."""
    COLOR = 'color'
    """CamVid: one of 32 RGB colours."""
    LABEL_IDS = 'label_ids'
    """Cityscapes: one uint8 of its labelIds, of which 19 are training classes."""
    CLASSES = 'classes'
    """The sample's own label set: ids with 255 void, or its palette's colours with black void."""


_TURNED = ' (the orientation in EXIF data is not applied; store the pixels as they are shown)'


@dataclass(frozen=True)
class Sample:
    """One labelled frame; image and label are files of the same size.

    Attributes:
        stem: its name.
        image_path: the picture.
        label_path: the label image.
        label_format: how that says the class of a pixel.
        label_set: the classes, for `LabelFormat.CLASSES`.

    """

    stem: str
    image_path: Path
    label_path: Path
    label_format: LabelFormat
    label_set: LabelSet | None = None


def is_image(path: Path) -> bool:
    """Say whether a file is named as an image, and not hidden."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith('.')


def sorted_by_stem(samples: Iterable[Sample]) -> list[Sample]:
    """Return frames in the order of their names.

    Raises:
        DatasetError: two have the same.

    """
    found = sorted(samples, key=lambda sample: sample.stem)
    for first, second in pairwise(found):
        if first.stem == second.stem:
            raise DatasetError(
                f'frame {first.stem} is there twice: {first.image_path} and '
                f'{second.image_path}; remove one'
            )
    return found


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (H, W, 3) uint8 RGB.

    Raises:
        DatasetError: the file is missing or is no image that OpenCV can decode.

    """
    try:
        data = read_plain(path)
    except OSError as error:
        raise DatasetError(f'cannot read image {path}: {explain(error)}') from error
    # Labels carry no orientation, so that an image's own must not turn it either.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = decode_image_file(data, flags)
    if image is None:
        raise DatasetError(f'image {path} is damaged or no image; fetch it again')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_labels(sample: Sample) -> NDArray[np.uint8]:
    """Read a sample's label image as (H, W) uint8 class ids, 255 for void.

    Raises:
        DatasetError: the file is missing, damaged, or holds what is no label of its format.

    """
    try:
        if sample.label_format is LabelFormat.COLOR:
            return camvid_color_labels(read_image(sample.label_path))
        if sample.label_set is not None:
            return _class_labels(sample.label_path, sample.label_set)
        stored = read_index_png(sample.label_path)
        if sample.label_format is LabelFormat.INDEX:
            return camvid_index_labels(stored)
        return cityscapes_ids(stored)
    except DatasetError as error:
        if str(sample.label_path) in str(error):
            raise
        raise DatasetError(f'label image {sample.label_path}: {error}') from error


def _class_labels(path: Path, label_set: LabelSet) -> NDArray[np.uint8]:
    if is_color_png(path):
        return color_labels(read_image(path), label_set)
    stored = read_index_png(path)
    strange = ids_beyond(stored, len(label_set) - 1)
    if strange:
        raise DatasetError(
            f'label ids {strange} are beyond the class list, 0..{len(label_set) - 1} and void '
            '255; name their classes there, or make them 255'
        )
    return stored


def read_pair(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read image and labels, (H, W, 3) RGB and (H, W) ids, both uint8.

    Raises:
        DatasetError: as `read_image` and `read_labels`, or their sizes differ.

    """
    image, labels = read_image(sample.image_path), read_labels(sample)
    if image.shape[:2] != labels.shape:
        raise DatasetError(
            f'image {sample.image_path} is {image.shape[1]}x{image.shape[0]} but its label '
            f'{sample.label_path} is {labels.shape[1]}x{labels.shape[0]}; they must be equal'
            + _TURNED
            * (image.shape[:2] == labels.shape[::-1])
        )
    return image, labels
