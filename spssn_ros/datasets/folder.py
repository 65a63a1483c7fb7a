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
"""The package's own data set folder: pictures, label PNGs and a class list.

    DIR/classes.txt                 the classes, see `class_list`
    DIR/images/STEM.png (or .jpg)   pictures
    DIR/labels/STEM.png             grey or palette PNG of class ids, 255 void, or a colour PNG
                                    in the class list's colours, black void

Splits are folders, DIR/train/images and DIR/train/labels, or lists of stems, DIR/train.txt.
"""

from collections.abc import Iterable
from pathlib import Path

from spssn_ros.datasets.class_list import CLASS_LIST, read_label_set
from spssn_ros.datasets.sample import (
    IMAGE_SUFFIXES,
    LabelFormat,
    Sample,
    is_image,
    sorted_by_stem,
)
from spssn_ros.errors import DatasetError
from spssn_ros.files import read_plain
from spssn_ros.labels import LabelSet


def find_folder(path: Path, split: str = 'all') -> list[Sample]:
    """List the labelled frames of a split, sorted by stem; `read_pair` reads one.

    Args:
        path: the data set's folder.
        split: name of a split, several joined by '+' ('train+val'), or 'all' for every frame.

    Raises:
        DatasetError: a folder, split or class list is missing, an image has no label, or a frame
            is there twice.

    """
    if not path.is_dir():
        raise DatasetError(f'data set folder {path} does not exist; check the path')
    label_set = read_label_set(path)
    if split == 'all':
        folders = [path] if (path / 'images').is_dir() else []
        folders += sorted(child for child in path.iterdir() if (child / 'images').is_dir())
        if not folders:
            raise DatasetError(
                f'folder {path} has neither images/ nor a split with images/, such as '
                'train/images/; put pictures in images/ and their label PNGs in labels/'
            )
        samples = [s for folder in folders for s in _samples(folder, label_set)]
    else:
        samples = [s for name in split.split('+') for s in _split(path, name, label_set)]
    return sorted_by_stem(samples)


def _split(path: Path, split: str, label_set: LabelSet) -> list[Sample]:
    if split and (path / split / 'images').is_dir():
        return _samples(path / split, label_set)
    stems = path / f'{split}.txt'
    if split and stems.is_file() and stems.name != CLASS_LIST and (path / 'images').is_dir():
        return _listed(stems, _samples(path, label_set, _stems(stems)))
    known = {child.name for child in path.iterdir() if (child / 'images').is_dir()}
    known |= {file.stem for file in path.glob('*.txt') if file.name != CLASS_LIST}
    raise DatasetError(
        f'data set folder {path} has no split {split!r}: neither a folder {split}/images nor a '
        f'list {split}.txt; it has {", ".join([*sorted(known), "all"])}'
    )


def _stems(file: Path) -> list[str]:
    # Editors on Windows begin a file with a mark, which is no part of the first name.
    text = read_plain(file).decode('utf-8-sig', errors='replace')
    names = [line.strip() for line in text.splitlines()]
    ends = IMAGE_SUFFIXES
    return [n.rpartition('.')[0] if n.lower().endswith(ends) else n for n in names if n]


def _listed(file: Path, samples: list[Sample]) -> list[Sample]:
    missing = sorted({*_stems(file)} - {sample.stem for sample in samples})
    if missing:
        raise DatasetError(f'{file} names frame {missing[0]!r}, which images/ does not hold')
    if not samples:
        raise DatasetError(f'split list {file} is empty')
    return samples


def _samples(folder: Path, label_set: LabelSet, only: Iterable[str] | None = None) -> list[Sample]:
    """Return the frames in `folder`/images, all or those of the stems in `only`."""
    wanted = None if only is None else set(only)
    samples = []
    for image in sorted((folder / 'images').iterdir()):
        if not is_image(image) or (wanted is not None and image.stem not in wanted):
            continue
        label = folder / 'labels' / f'{image.stem}.png'
        if not label.is_file():
            raise DatasetError(
                f'image {image} has no label; expected {label}; draw it, delete the image, or '
                'name the labelled frames in train.txt and take that split (train_splits: '
                '[train], --split train)'
            )
        samples.append(Sample(image.stem, image, label, LabelFormat.CLASSES, label_set))
    if not samples and wanted is None:
        raise DatasetError(f'folder {folder / "images"} holds no PNG or JPEG image')
    return samples
