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
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from tqdm import tqdm

from spssn_ros.bags.labelled import (
    CAMERA_INFO_TOPIC,
    COMPRESSED_TOPIC,
    IMAGE_TOPIC,
    INSTANCE_TOPIC,
    LABEL_TOPIC,
    LabelledFrame,
    scene_frames,
    write_labelled_bag,
)
from spssn_ros.bags.stamps import END_OF_TIME_NS
from spssn_ros.bags.writer import Storage
from spssn_ros.datasets.camvid import find_camvid
from spssn_ros.datasets.cityscapes import find_cityscapes, have_instances, read_instances
from spssn_ros.datasets.folder import find_folder
from spssn_ros.datasets.sample import Sample, read_pair
from spssn_ros.errors import ConfigError
from spssn_ros.synthetic import StreetScene
from spssn_ros.tools.to_dataset import add_bag_parser


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'convert',
        help='data sets to bags and back',
        description='Write a data set or a synthetic street as a ROS 2 bag (images on '
        f'{IMAGE_TOPIC}, truth on {LABEL_TOPIC} as mono8 class ids with 255 for void, '
        f"{INSTANCE_TOPIC} with Cityscapes' instanceIds if it has them, "
        f'{CAMERA_INFO_TOPIC}; frame i of a bag has the stamp 1000000000 s + i / rate, or that '
        'in its name if all files are named by 19 digits of nanoseconds before 2038-01-19), or a '
        'bag as a data set.',
    )
    parser.set_defaults(func=run)
    kinds = parser.add_subparsers(metavar='SOURCE', required=True)
    for name, find, text in (
        ('camvid', find_camvid, 'CamVid folder, in the layout of SegNet or the original'),
        ('cityscapes', find_cityscapes, 'folder that holds leftImg8bit/ and gtFine/'),
        ('folder', find_folder, 'folder of images/, labels/ (PNG) and classes.txt'),
    ):
        kind = kinds.add_parser(name, help=f'{text}, to a bag')
        kind.add_argument('directory', type=Path, metavar='DIR', help=text)
        if find is find_folder:
            kind.add_argument('--split', default='all', help='train, val ...; default all')
        else:
            kind.add_argument('--split', required=True, help='train, val, test ...')
        _add_bag_options(kind, rate_hz=1.0)
        kind.add_argument(
            '--compressed',
            action='store_true',
            help=f"store the images' own JPEG or PNG files, on {COMPRESSED_TOPIC}",
        )
        kind.set_defaults(convert=_convert_dataset, find=find)
    street = kinds.add_parser('street', help='a synthetic street to a bag')
    street.add_argument('--frames', type=int, default=300, help='how many (default 300)')
    street.add_argument('--seed', type=int, default=0, help='which street (default 0)')
    street.add_argument('--size', default='960x720', metavar='WxH', help='default 960x720')
    _add_bag_options(street, rate_hz=30.0)
    street.set_defaults(convert=_convert_street)
    add_bag_parser(kinds)


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
    stamped = all(_is_stamp(sample.stem) for sample in samples)
    with_instances = args.find is find_cityscapes and have_instances(samples)
    frames = (_read_frame(sample, args.compressed, stamped, with_instances) for sample in samples)
    return _write_bag(args, frames, len(samples), None, with_instances)


def _is_stamp(stem: str) -> bool:
    """Whether a file has a name that `convert bag` gives: a stamp that ROS has."""
    return re.fullmatch(r'[0-9]{19}', stem) is not None and int(stem) < END_OF_TIME_NS


def _read_frame(
    sample: Sample, compressed: bool, stamped: bool, with_instances: bool
) -> LabelledFrame:
    frame = LabelledFrame(*read_pair(sample), stamp_ns=int(sample.stem) if stamped else None)
    if with_instances:
        frame = replace(frame, instances=read_instances(sample, frame.labels.shape))
    if not compressed:
        return frame
    file_format = 'png' if sample.image_path.suffix.lower() == '.png' else 'jpeg'
    return replace(frame, encoded=sample.image_path.read_bytes(), encoded_format=file_format)


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
    with_instances: bool = False,
) -> str:
    progress = tqdm(frames, total=total, desc='writing', unit='frame', disable=None)
    count = write_labelled_bag(args.bag, progress, args.rate, Storage(args.storage), camera_matrix)
    image_topic = COMPRESSED_TOPIC if getattr(args, 'compressed', False) else IMAGE_TOPIC
    topics = [image_topic, LABEL_TOPIC, *([INSTANCE_TOPIC] if with_instances else [])]
    megabytes = sum(file.stat().st_size for file in args.bag.iterdir()) / 1e6
    return (
        f'{args.bag}: {count} frames on {", ".join(topics)} and {CAMERA_INFO_TOPIC}, '
        f'{args.storage}, {megabytes:.1f} MB'
    )
