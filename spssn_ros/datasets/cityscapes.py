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

from pathlib import Path

from spssn_ros.datasets.sample import LabelFormat, Sample
from spssn_ros.errors import DatasetError

_IMAGE_END = '_leftImg8bit.png'
_LABEL_END = '_gtFine_labelIds.png'


def find_cityscapes(root: Path, split: str) -> list[Sample]:
    """List the finely labelled frames of a split, sorted by stem.

    Args:
        root: the folder that holds `leftImg8bit/` and `gtFine/`.
        split: the name of a folder in them, 'train' or 'val' (the labels of 'test' are withheld).

    Raises:
        DatasetError: a folder is missing, or an image has no label.

    """
    images = root / 'leftImg8bit' / split
    if not images.is_dir():
        raise DatasetError(
            f'Cityscapes folder {images} does not exist; give the folder that holds '
            'leftImg8bit/ and gtFine/, and a split in them'
        )
    samples = []
    for image in images.glob(f'*/*{_IMAGE_END}'):
        stem = image.name.removesuffix(_IMAGE_END)
        label = root / 'gtFine' / split / image.parent.name / f'{stem}{_LABEL_END}'
        if not label.is_file():
            raise DatasetError(f'image {image} has no label; expected {label}')
        samples.append(Sample(stem, image, label, LabelFormat.LABEL_IDS))
    if not samples:
        raise DatasetError(f'{images} holds no <city>/*{_IMAGE_END} image')
    return sorted(samples, key=lambda sample: sample.stem)
