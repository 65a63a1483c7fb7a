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
"""Find and read the images and labels of a CamVid folder, in either layout of the wild.

SegNet's: `train/` + `trainannot/` (val, test alike), labels are class ids, same stem.
The original: frames and `<stem>_L.png` labels in 32 colours, wherever they lie: `train/` +
`train_labels/` (Kaggle), `701_StillsRaw_full/` + `LabeledApproved_full/`, or one folder; splits
come from folders or from lists `train.txt`, `val.txt`, `test.txt`.
"""

from collections.abc import Iterable
from pathlib import Path

from spssn_ros.datasets.sample import (
    IMAGE_SUFFIXES,
    LabelFormat,
    Sample,
    is_image,
    sorted_by_stem,
)
from spssn_ros.errors import DatasetError
from spssn_ros.files import read_plain

SPLITS = ('train', 'val', 'test')

_COLOR_SUFFIX = '_L'


def find_camvid(root: Path, split: str) -> list[Sample]:
    """List the labelled frames of a split, sorted by stem.

    Args:
        root: the data set's folder.
        split: 'train', 'val', 'test', several joined by '+' ('train+val'), or 'all'.

    Raises:
        DatasetError: a folder or split is missing, an image has no label, a frame is there twice.

    """
    if not root.is_dir():
        raise DatasetError(f'CamVid folder {root} does not exist; give the folder of the data set')
    if split == 'all':
        names = [name for name in SPLITS if (root / name).is_dir()]
        samples = _split_samples(root, names) if names else _pair(root, _unsplit_images(root))
    else:
        samples = _split_samples(root, split.split('+'))
    return sorted_by_stem(samples)


def _split_samples(root: Path, splits: Iterable[str]) -> list[Sample]:
    samples = []
    for split in splits:
        if (root / split).is_dir() and split:
            images = _images(root / split)
            if not images:
                raise DatasetError(f'CamVid folder {root / split} holds no PNG or JPEG image')
            samples += _pair(root, images, split)
        elif (root / f'{split}.txt').is_file():
            samples += _pair(root, _listed_images(root, root / f'{split}.txt'))
        else:
            raise DatasetError(_no_split_message(root, split))
    return samples


def _no_split_message(root: Path, split: str) -> str:
    known = [s for s in SPLITS if (root / s).is_dir() or (root / f'{s}.txt').is_file()]
    if known:
        return f'CamVid folder {root} has no split {split!r}; it has {", ".join(known)}, all'
    return (
        f'CamVid folder {root} has neither a folder {split}/ nor a list {split}.txt, so its split '
        f"{split!r} is unknown; add the list, or take split 'all'"
    )


def _images(folder: Path) -> list[Path]:
    """Return the images of a folder that are no colour labels, by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if is_image(path) and not path.stem.endswith(_COLOR_SUFFIX)
    )


def _color_labels(root: Path) -> dict[str, Path]:
    """Return the original layout's label of every stem, at most two folders deep."""
    paths: list[Path] = []
    for pattern in ('*', '*/*', '*/*/*'):
        paths += sorted(root.glob(f'{pattern}{_COLOR_SUFFIX}.png'))
    # The shallowest, then the first by name, wins where a label was copied about.
    return {p.stem.removesuffix(_COLOR_SUFFIX): p for p in reversed(paths) if p.name[0] != '.'}


def _unsplit_images(root: Path) -> list[Path]:
    """Return the frames of the original layout without splits: those beside labelled frames."""
    stems = _color_labels(root).keys()
    if not stems:
        raise DatasetError(
            f'{root} is no CamVid folder: it has neither train/, val/ or test/ nor *_L.png labels'
        )
    folders = [root, *sorted(path for path in root.glob('*') if path.is_dir())]
    folders += sorted(path for path in root.glob('*/*') if path.is_dir())
    images = []
    for folder in folders:
        inside = _images(folder)
        if any(path.stem in stems for path in inside):
            images += inside
    if not images:
        raise DatasetError(f'CamVid folder {root} has *_L.png labels but none of their images')
    return images


def _listed_images(root: Path, list_path: Path) -> list[Path]:
    """Return the frames that a split list names: a stem or a path first on each line."""
    by_stem = {path.stem: path for path in _unsplit_images(root)}
    images = []
    for line in read_plain(list_path).decode('utf-8-sig', errors='replace').splitlines():
        if not line.strip():
            continue
        name = Path(line.split()[0])
        stem = name.stem if name.suffix.lower() in IMAGE_SUFFIXES else name.name
        if stem not in by_stem:
            raise DatasetError(f'{list_path} names frame {stem!r}, but {root} has no such image')
        images.append(by_stem[stem])
    if not images:
        raise DatasetError(f'split list {list_path} is empty')
    return images


def _pair(root: Path, images: list[Path], split: str | None = None) -> list[Sample]:
    """Give each image its label: the split's own folders first, then any `_L.png` below root."""
    folders = [root / f'{split}annot', root / f'{split}_labels', root / split] if split else []
    color_labels: dict[str, Path] | None = None
    samples = []
    for image in images:
        stem = image.stem
        label: Path | None = None
        label_format = LabelFormat.COLOR
        for folder in folders:
            if (folder / f'{stem}{_COLOR_SUFFIX}.png').is_file():
                label = folder / f'{stem}{_COLOR_SUFFIX}.png'
                break
            if folder != image.parent and (folder / f'{stem}.png').is_file():
                label, label_format = folder / f'{stem}.png', LabelFormat.INDEX
                break
        if label is None:
            color_labels = _color_labels(root) if color_labels is None else color_labels
            label = color_labels.get(stem)
        if label is None:
            where = f'{split}annot/{stem}.png or ' if split else ''
            raise DatasetError(
                f'image {image} has no label; expected {where}{stem}{_COLOR_SUFFIX}.png '
                f'below {root}'
            )
        samples.append(Sample(stem, image, label, label_format))
    return samples
