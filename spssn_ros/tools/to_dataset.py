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
"""`spssn convert bag`: a bag's images and truth to a data set folder."""

import argparse
import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spssn_ros.bags.labelled import IMAGE_TOPIC, LABEL_TOPIC
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.datasets.class_list import CLASS_LIST, class_list
from spssn_ros.errors import BadImageError, BagError, ConfigError, DatasetError
from spssn_ros.evaluation.camera_topic import camera_topic_in
from spssn_ros.evaluation.evaluate import decode_image
from spssn_ros.evaluation.pairing import BagPairs
from spssn_ros.evaluation.truth import TruthFormat, truth_labels
from spssn_ros.files import explain
from spssn_ros.imaging import encode_png
from spssn_ros.labels import CAMVID, CAMVID_VOID, UNKNOWN, LabelSet, ids_beyond, label_colors
from spssn_ros.tools.options import add_pairing_options, label_set_of, slop_ns_of

Pixels = NDArray[np.uint8]


class Layout(Enum):
    """How the folder is laid out."""

    FOLDER = 'folder'
    """images/, labels/ (ids, 255 void) and classes.txt, as `datasets.folder` reads them."""
    CAMVID = 'camvid'
    """SegNet's: SPLIT/ and SPLITannot/ (ids, 11 void), as `datasets.camvid` reads them."""


def add_bag_parser(kinds: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the kind `bag`."""
    bag = kinds.add_parser(
        'bag',
        help='a bag to a data set folder',
        description='Write the labelled frames of a bag as PNG files named by their header stamp '
        'in nanoseconds, which `spssn convert folder` and `spssn convert camvid` turn into the '
        'same pixels and stamps again.',
    )
    bag.add_argument('bag', type=Path, metavar='BAG', help='ROS 2 or ROS 1 bag')
    bag.add_argument('--dataset', type=Path, required=True, help='folder to write')
    bag.add_argument('--image-topic', default=IMAGE_TOPIC, help=f'default {IMAGE_TOPIC}')
    bag.add_argument('--label-topic', default=LABEL_TOPIC, help=f'default {LABEL_TOPIC}')
    bag.add_argument(
        '--images-only', action='store_true', help='the images, without labels: yours to label'
    )
    bag.add_argument(
        '--every',
        type=float,
        default=0.0,
        metavar='S',
        help='with --images-only: no two images closer than these seconds, by their stamps; '
        'default: all',
    )
    bag.add_argument(
        '--classes',
        default='camvid',
        help='what the class ids mean: camvid (default), cityscapes, or a file with one class a '
        'line, NAME or NAME R G B',
    )
    bag.add_argument(
        '--layout',
        choices=[layout.value for layout in Layout],
        default=Layout.FOLDER.value,
        help='folder (default): images/, labels/ (ids, 255 void) and classes.txt; camvid: '
        'SPLIT/ and SPLITannot/ (ids, 11 void)',
    )
    bag.add_argument(
        '--split', default='', help='write into this split; default: none, for camvid train'
    )
    bag.add_argument(
        '--label-colors', action='store_true', help="also write labels in the classes' colours"
    )
    add_pairing_options(bag)
    bag.set_defaults(convert=convert_bag)


def convert_bag(args: argparse.Namespace) -> str:
    """Write the folder and return the sentence that says so.

    Raises:
        SpssnError: options that do not fit, a bag that cannot be used, or labels of other classes.
        OSError: the folder cannot be written.

    """
    label_set = label_set_of(args.classes)
    truth = TruthFormat(args.truth)
    truth.check(label_set)
    layout = Layout(args.layout)
    if layout is Layout.CAMVID and label_set.names != CAMVID.names:
        raise ConfigError(f"--layout camvid has CamVid's classes, not those of {args.classes!r}")
    if not 0 <= args.every < math.inf:
        raise ConfigError(f'--every is {args.every} s; give 0 or more')
    if args.every and not args.images_only:
        raise ConfigError('--every leaves images out where none has a label; add --images-only')
    slop_ns = slop_ns_of(args)
    if args.split in ('.', '..') or '/' in args.split:
        raise ConfigError(f'--split is {args.split!r}; give the name of a folder')
    with _new_folder(args.dataset) as folder:
        image_topic = camera_topic_in(args.bag, args.image_topic)
        source = BagPairs(args.bag, image_topic, args.label_topic, slop_ns)
        target = DatasetTarget(folder, label_set, layout, args.split, args.label_colors)
        if args.images_only:
            count = _write_images(source, target, round(args.every * 1e9))
        else:
            count = _write_pairs(source, target, truth)
    if args.images_only:
        return f'{args.dataset}: {count} images'
    return (
        f'{args.dataset}: {count} images and their labels; unmatched: '
        f'{source.unmatched_images} images, {source.unmatched_labels} labels'
    )


@dataclass(frozen=True)
class DatasetTarget:
    """A folder in one of the layouts; its folders are made with the first file in them."""

    folder: Path
    label_set: LabelSet
    layout: Layout
    split: str = ''
    with_colors: bool = False

    def write_image(self, stem: str, rgb: Pixels) -> None:
        """Write an image, (H, W, 3) uint8 RGB."""
        camvid = self.layout is Layout.CAMVID
        parent = self._split if camvid else self._split / 'images'
        _write_png(parent / f'{stem}.png', rgb)

    def write_labels(self, stem: str, labels: Pixels) -> None:
        """Write labels, (H, W) uint8 ids, 255 void."""
        if self.layout is Layout.CAMVID:
            stored = np.where(labels == UNKNOWN, np.uint8(CAMVID_VOID), labels)
            _write_png(self.folder / f'{self._split.name}annot' / f'{stem}.png', stored)
            colored = self.folder / f'{self._split.name}_labels' / f'{stem}_L.png'
        else:
            _write_png(self._split / 'labels' / f'{stem}.png', labels)
            colored = self._split / 'label_colors' / f'{stem}.png'
        if self.with_colors:
            _write_png(colored, label_colors(labels, self.label_set))

    def write_class_list(self) -> None:
        """Write what the ids mean, where the layout has a place for it."""
        if self.layout is Layout.FOLDER:
            text = class_list(self.label_set)
            (self.folder / CLASS_LIST).write_text(text, encoding='utf-8')

    @property
    def _split(self) -> Path:
        return self.folder / (self.split or ('train' if self.layout is Layout.CAMVID else ''))


def _write_pairs(source: BagPairs, target: DatasetTarget, truth: TruthFormat) -> int:
    count = 0
    for pair in tqdm(source, total=source.count(), desc='writing', unit='frame', disable=None):
        stem = f'{pair.stamp_ns:019d}'
        try:
            rgb = decode_image(pair.image)
            labels = truth_labels(pair.truth, target.label_set, truth)
            _check(rgb, labels, target.label_set)
        except BadImageError as error:
            raise source.located(pair.stamp_ns, error) from error
        target.write_image(stem, rgb)
        target.write_labels(stem, labels)
        count += 1
    if not count:
        raise source.no_pair()
    target.write_class_list()
    return count


def _write_images(source: BagPairs, target: DatasetTarget, least_ns: int) -> int:
    stamps: set[int] = set()
    last_ns: int | None = None
    topic = source.image_topic
    with BagReader(source.path) as bag:
        bag.require_images(topic)
        total = bag.topics[topic].count
        if not total:
            raise BagError(f'topic {topic} of bag {bag.path} holds no image; choose another topic')
        messages = bag.messages([topic])
        for item in tqdm(messages, total=total, desc='writing', unit='frame', disable=None):
            stamp_ns = header_stamp_ns(item.message)
            # Either way: a clock may have been set back.
            if last_ns is not None and abs(stamp_ns - last_ns) < least_ns:
                continue
            last_ns = stamp_ns
            if stamp_ns in stamps:
                raise BagError(
                    f'several images of {topic} in bag {bag.path} have the stamp {stamp_ns} ns, '
                    'which names their files; record them with stamps that differ'
                )
            stamps.add(stamp_ns)
            try:
                target.write_image(f'{stamp_ns:019d}', decode_image(item.message))
            except BadImageError as error:
                raise source.located(stamp_ns, error) from error
    target.write_class_list()
    return len(stamps)


def _check(rgb: Pixels, labels: Pixels, label_set: LabelSet) -> None:
    if rgb.shape[:2] != labels.shape:
        raise BadImageError(
            f'the image is {rgb.shape[1]}x{rgb.shape[0]} but its label is '
            f'{labels.shape[1]}x{labels.shape[0]}; both must have one size'
        )
    strange = ids_beyond(labels, len(label_set) - 1)
    if strange:
        raise BadImageError(
            f'the label holds ids {strange}, but the classes are 0..{len(label_set) - 1}; choose '
            'other --classes, --truth or another --label-topic'
        )


def _write_png(path: Path, image: Pixels) -> None:
    """Write (H, W, 3) RGB or (H, W) ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(image))


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` when the block ends well, else vanishes."""
    if path.exists():
        raise DatasetError(f'{path} exists already; remove it or choose another name')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f'.{path.name}.', dir=path.parent))
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        folder = temporary / path.name
        folder.mkdir()
        yield folder
        folder.rename(path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _not_written(path: Path, error: OSError) -> DatasetError:
    # That of a full disk names no file, and others one of the temporary folder's.
    return DatasetError(f'cannot write data set {path}: {explain(error)}')
