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
"""Find the images and labels of a Cityscapes folder (Cordts et al. 2016), as it is distributed."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.datasets.sample import LabelFormat, Sample
from spssn_ros.errors import DatasetError
from spssn_ros.files import explain, read_plain
from spssn_ros.image_file import decode_image_file

_IMAGE_END = '_leftImg8bit.png'
_LABEL_END = '_labelIds.png'
_INSTANCE_END = '_instanceIds.png'


def find_cityscapes(root: Path, split: str) -> list[Sample]:
    """List the labelled frames of a split, sorted by stem; fine labels go before coarse ones.

    Args:
        root: the folder that holds `leftImg8bit/` and `gtFine/` (or `gtCoarse/`).
        split: the name of a folder in them, 'train', 'val' or 'train_extra' (the labels of 'test'
            are withheld).

    Raises:
        DatasetError: a folder is missing, or an image has no label.

    """
    images = root / 'leftImg8bit' / split
    if not images.is_dir():
        raise DatasetError(
            f'Cityscapes folder {images} does not exist; give the folder that holds '
            'leftImg8bit/ and gtFine/, and a split in them'
        )
    # Of train_extra there are coarse labels only.
    coarse = (root / 'gtCoarse' / split).is_dir() and not (root / 'gtFine' / split).is_dir()
    kind = 'gtCoarse' if coarse else 'gtFine'
    samples = []
    for image in images.glob(f'*/*{_IMAGE_END}'):
        stem = image.name.removesuffix(_IMAGE_END)
        label = root / kind / split / image.parent.name / f'{stem}_{kind}{_LABEL_END}'
        if not label.is_file():
            raise DatasetError(f'image {image} has no label; expected {label}')
        samples.append(Sample(stem, image, label, LabelFormat.LABEL_IDS))
    if not samples:
        raise DatasetError(f'{images} holds no <city>/*{_IMAGE_END} image')
    return sorted(samples, key=lambda sample: sample.stem)


def have_instances(samples: Sequence[Sample]) -> bool:
    """Say whether the frames have instance images beside their labels.

    Raises:
        DatasetError: some have and others have not.

    """
    missing = [path for path in map(_instance_path, samples) if not path.is_file()]
    if missing and len(missing) < len(samples):
        raise DatasetError(
            f'instance image {missing[0]} is missing ({len(missing)} of {len(samples)} are); '
            'unpack gtFine again, or remove the others'
        )
    return not missing


def read_instances(sample: Sample, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Read a frame's instanceIds, (H, W) uint16: labelId * 1000 + number, or a mere labelId.

    Args:
        sample: the frame.
        shape: (H, W) of its label.

    Raises:
        DatasetError: the file is missing, damaged, not of 16 bits, or of another size.

    """
    path = _instance_path(sample)
    try:
        data = read_plain(path)
    except OSError as error:
        raise DatasetError(f'cannot read instance image {path}: {explain(error)}') from error
    instances = decode_image_file(data, cv2.IMREAD_UNCHANGED)
    if instances is None or instances.ndim != 2 or instances.dtype != np.uint16:
        raise DatasetError(f'instance image {path} is no 16-bit grey PNG; fetch it again')
    if instances.shape != shape:
        raise DatasetError(
            f'instance image {path} is {instances.shape[1]}x{instances.shape[0]} but its label is '
            f'{shape[1]}x{shape[0]}; they must be equal'
        )
    return instances.astype(np.uint16, copy=False)


def _instance_path(sample: Sample) -> Path:
    name = sample.label_path.name.removesuffix(_LABEL_END)
    return sample.label_path.with_name(f'{name}{_INSTANCE_END}')
