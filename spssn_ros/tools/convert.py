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
"""`spssn convert`: data sets and synthetic streets to bags, and bags to data sets."""

import argparse
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spssn_ros.bags.labelled import (
    CAMERA_INFO_TOPIC,
    COMPRESSED_TOPIC,
    IMAGE_TOPIC,
    LABEL_TOPIC,
    LabelledFrame,
    scene_frames,
    write_labelled_bag,
)
from spssn_ros.bags.reader import BagReader, header_stamp_ns
from spssn_ros.bags.writer import Storage
from spssn_ros.datasets.camvid import find_camvid
from spssn_ros.datasets.cityscapes import find_cityscapes
from spssn_ros.datasets.sample import Sample, read_pair
from spssn_ros.errors import BagError, ConfigError, DatasetError
from spssn_ros.imaging import decode_compressed, to_labels, to_rgb
from spssn_ros.labels import CAMVID, CITYSCAPES, LabelSet
from spssn_ros.synthetic import StreetScene

_LABEL_SETS = {'camvid': CAMVID, 'cityscapes': CITYSCAPES}
_IMAGE_TYPE = 'sensor_msgs/msg/Image'
_COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'convert',
        help='data sets to bags and back',
        description='Write a data set or a synthetic street as a ROS 2 bag (images on '
        f'{IMAGE_TOPIC}, truth on {LABEL_TOPIC} as mono8 class ids with 255 for void, '
        f'{CAMERA_INFO_TOPIC}; frame i of a bag has the stamp 1000000000 s + i / rate), or a bag '
        'as a data set.',
    )
    kinds = parser.add_subparsers(metavar='SOURCE', required=True)
    for name, find, text in (
        ('camvid', find_camvid, 'CamVid folder, in the layout of SegNet or the original'),
        ('cityscapes', find_cityscapes, 'folder that holds leftImg8bit/ and gtFine/'),
    ):
        kind = kinds.add_parser(name, help=f'{text}, to a bag')
        kind.add_argument('directory', type=Path, metavar='DIR', help=text)
        kind.add_argument('--split', required=True, help='train, val, test ...')
        _add_bag_options(kind, rate_hz=1.0)
        kind.add_argument(
            '--compressed',
            action='store_true',
            help=f"store the images' own JPEG or PNG files, on {COMPRESSED_TOPIC}",
        )
        kind.set_defaults(func=run, convert=_convert_dataset, find=find)
    street = kinds.add_parser('street', help='a synthetic street to a bag')
    street.add_argument('--frames', type=int, default=300, help='how many (default 300)')
    street.add_argument('--seed', type=int, default=0, help='which street (default 0)')
    street.add_argument('--size', default='960x720', metavar='WxH', help='default 960x720')
    _add_bag_options(street, rate_hz=30.0)
    street.set_defaults(func=run, convert=_convert_street)
    bag = kinds.add_parser(
        'bag',
        help='a bag to a folder of images/, labels/ (class ids, 255 void) and classes.txt',
    )
    bag.add_argument('bag', type=Path, metavar='BAG', help='ROS 2 or ROS 1 bag')
    bag.add_argument('--dataset', type=Path, required=True, help='folder to write')
    bag.add_argument('--image-topic', default=IMAGE_TOPIC, help=f'default {IMAGE_TOPIC}')
    bag.add_argument('--label-topic', default=LABEL_TOPIC, help=f'default {LABEL_TOPIC}')
    bag.add_argument(
        '--classes',
        choices=_LABEL_SETS,
        default='camvid',
        help='whose class ids the labels are (default camvid)',
    )
    bag.set_defaults(func=run, convert=_convert_bag)


def run(args: argparse.Namespace) -> int:
    """Convert, say what was written, and return the exit status."""
    convert: Callable[[argparse.Namespace], str] = args.convert
    print(convert(args))
    return 0


def _add_bag_options(parser: argparse.ArgumentParser, rate_hz: float) -> None:
    parser.add_argument('--bag', type=Path, required=True, help='folder of the new bag')
    parser.add_argument(
        '--storage',
        choices=[storage.value for storage in Storage],
        default=Storage.MCAP.value,
        help='file format (default mcap)',
    )
    parser.add_argument(
        '--rate',
        type=float,
        default=rate_hz,
        metavar='HZ',
        help=f'frames a second of the stamps (default {rate_hz:g})',
    )


def _convert_dataset(args: argparse.Namespace) -> str:
    samples: list[Sample] = args.find(args.directory, args.split)
    frames = (_read_frame(sample, args.compressed) for sample in samples)
    return _write_bag(args, frames, len(samples), None)


def _read_frame(sample: Sample, compressed: bool) -> LabelledFrame:
    image, labels = read_pair(sample)
    if not compressed:
        return LabelledFrame(image, labels)
    file_format = 'png' if sample.image_path.suffix.lower() == '.png' else 'jpeg'
    return LabelledFrame(image, labels, sample.image_path.read_bytes(), file_format)


def _convert_street(args: argparse.Namespace) -> str:
    size = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', args.size)
    if size is None:
        raise ConfigError(f'--size {args.size!r} is no size; write WIDTHxHEIGHT, as in 960x720')
    scene = StreetScene(args.seed, int(size[1]), int(size[2]))
    frames = scene_frames(scene, args.frames, args.rate)
    return _write_bag(args, frames, args.frames, scene.camera_matrix)


def _write_bag(
    args: argparse.Namespace,
    frames: Iterable[LabelledFrame],
    total: int,
    camera_matrix: NDArray[Any] | None,
) -> str:
    progress = tqdm(frames, total=total, desc='writing', unit='frame', disable=None)
    count = write_labelled_bag(args.bag, progress, args.rate, Storage(args.storage), camera_matrix)
    image_topic = COMPRESSED_TOPIC if getattr(args, 'compressed', False) else IMAGE_TOPIC
    megabytes = sum(file.stat().st_size for file in args.bag.iterdir()) / 1e6
    return (
        f'{args.bag}: {count} frames on {image_topic}, {LABEL_TOPIC} and {CAMERA_INFO_TOPIC}, '
        f'{args.storage}, {megabytes:.1f} MB'
    )


def _convert_bag(args: argparse.Namespace) -> str:
    label_set = _LABEL_SETS[args.classes]
    topics = (args.image_topic, args.label_topic)
    with BagReader(args.bag) as bag, _new_folder(args.dataset) as folder:
        _require_images(bag, args.image_topic, (_IMAGE_TYPE, _COMPRESSED_TYPE))
        _require_images(bag, args.label_topic, (_IMAGE_TYPE,))
        stamps: dict[str, Counter[int]] = {topic: Counter() for topic in topics}
        for message in bag.messages(topics):
            stamps[message.topic][header_stamp_ns(message.message)] += 1
        both = stamps[args.image_topic].keys() & stamps[args.label_topic].keys()
        if not both:
            raise BagError(
                f'in bag {args.bag} no message of {args.image_topic} has the header stamp of one '
                f'of {args.label_topic}; is {args.label_topic} the truth of these images?'
            )
        (folder / 'images').mkdir()
        (folder / 'labels').mkdir()
        classes = ''.join(f'{name}\n' for name in label_set.names)
        (folder / 'classes.txt').write_text(classes)
        for message in tqdm(
            bag.messages(topics),
            total=sum(stamps[topic].total() for topic in topics),
            desc='writing',
            unit='message',
            disable=None,
        ):
            stamp_ns = header_stamp_ns(message.message)
            if stamp_ns not in both:
                continue
            name = f'{stamp_ns:019d}.png'
            if message.topic == args.label_topic:
                labels = to_labels(message.message)
                _check_labels(labels, label_set, args.classes, stamp_ns)
                _write_png(folder / 'labels' / name, labels)
            else:
                _write_png(folder / 'images' / name, _rgb(message.type, message.message))
    unmatched = {topic: stamps[topic].total() - len(both) for topic in topics}
    return (
        f'{args.dataset}: {len(both)} images and their labels; unmatched: '
        f'{unmatched[args.image_topic]} images, {unmatched[args.label_topic]} labels'
    )


def _require_images(bag: BagReader, topic: str, types: tuple[str, ...]) -> None:
    bag.require(topic)
    actual = bag.topics[topic].type
    if actual not in types:
        raise BagError(
            f'topic {topic} of bag {bag.path} holds {actual}, not {" or ".join(types)}; '
            'choose another topic'
        )


def _rgb(message_type: str, message: Any) -> NDArray[np.uint8]:
    if message_type == _COMPRESSED_TYPE:
        return decode_compressed(message.data, message.format)
    return to_rgb(message)


def _check_labels(
    labels: NDArray[np.uint8], label_set: LabelSet, classes: str, stamp_ns: int
) -> None:
    strange = np.setdiff1d(labels, [*range(len(label_set)), 255])
    if strange.size:
        raise DatasetError(
            f'the label stamped {stamp_ns} ns holds ids {strange.tolist()}, which {classes} does '
            'not have; choose other --classes or another --label-topic'
        )


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) RGB or (H, W) ids."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    if not cv2.imwrite(str(path), stored):
        raise OSError(f'cannot write {path}; is the disk full?')


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `path` when the block ends well, else vanishes."""
    if path.exists():
        raise DatasetError(f'{path} exists already; remove it or choose another name')
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f'.{path.name}.', dir=path.parent))
    try:
        folder = temporary / path.name
        folder.mkdir()
        yield folder
        folder.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
