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
"""Frames of an image, a folder of images, a video or a bag, one after another."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.bags.labelled import INSTANCE_TOPIC, LABEL_TOPIC
from spssn_ros.bags.message_types import IMAGE_TYPES
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.stamps import header_stamp_ns, stamp_text
from spssn_ros.errors import BadImageError, BagError, ConfigError
from spssn_ros.evaluation.camera_topic import camera_topic
from spssn_ros.evaluation.evaluate import decode_image
from spssn_ros.files import read_plain
from spssn_ros.image_file import decode_image_file

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')
BAG_SUFFIXES = ('.bag', '.db3', '.mcap')

_USUAL_RATE_HZ = 25.0


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        stem: name for the files made of it, unlike that of every other frame of its input.
        rgb: (H, W, 3) uint8 RGB.

    """

    stem: str
    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class FrameSource:
    """The frames of one input.

    Attributes:
        total: how many the input says it has; None where it does not say.
        rate_hz: frames a second; None for stills.
        frames: reads and decodes them. Raises BadImageError or BagError for a damaged one.

    """

    total: int | None
    rate_hz: float | None
    frames: Iterator[Frame]


def open_frames(path: Path, image_topic: str = '') -> AbstractContextManager[FrameSource]:
    """Open an input; the kind shows in its name.

    Images and videos come as they are shown: turned if their file says so. Stems are an image
    file's own, a video's frame numbers (from 0) and a bag's header stamps in nanoseconds.

    Args:
        path: image, folder of images (its own, not those of folders in it), video or bag.
        image_topic: of a bag; '' for its only camera.

    Raises:
        ConfigError: no such file, of no known kind, or a topic given for what is no bag.
        BadImageError: on entering: a video cannot be opened.
        BagError: on entering: a damaged bag, or one without that topic.

    """
    if not path.exists():
        raise ConfigError(f'input {path} does not exist; check the path')
    suffix = path.suffix.lower()
    if path.is_dir():
        is_bag = (path / 'metadata.yaml').exists() or any(
            file.suffix in BAG_SUFFIXES for file in path.iterdir()
        )
    else:
        is_bag = suffix in BAG_SUFFIXES
    if is_bag:
        return _bag(path, image_topic)
    if image_topic:
        raise ConfigError(f'--image-topic {image_topic} is for bags, and {path} is none')
    if path.is_dir():
        return _images(_image_files(path))
    if not path.is_file():
        raise ConfigError(f'input {path} is no plain file; give a file or folder')
    if suffix in IMAGE_SUFFIXES:
        return _images([path])
    if suffix in VIDEO_SUFFIXES:
        return _video(path)
    raise ConfigError(
        f'input {path} is of no known kind; give an image ({_list(IMAGE_SUFFIXES)}), a folder of '
        f'images, a video ({_list(VIDEO_SUFFIXES)}) or a bag ({_list(BAG_SUFFIXES)} or folder)'
    )


def _list(suffixes: tuple[str, ...]) -> str:
    return ', '.join(suffixes)


def _image_files(folder: Path) -> list[Path]:
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.')
    )
    if not files:
        raise ConfigError(f'folder {folder} holds no image ({_list(IMAGE_SUFFIXES)}) and no bag')
    by_stem: dict[str, Path] = {}
    for file in files:
        twin = by_stem.setdefault(file.stem, file)
        if twin is not file:
            raise ConfigError(
                f'{twin.name} and {file.name} of folder {folder} would give files of one name; '
                'rename one of them'
            )
    return files


@contextmanager
def _images(files: list[Path]) -> Iterator[FrameSource]:
    yield FrameSource(len(files), None, (Frame(file.stem, _read_image(file)) for file in files))


def _read_image(path: Path) -> NDArray[np.uint8]:
    data = read_plain(path)
    image = decode_image_file(data, cv2.IMREAD_COLOR)
    if image is None:
        raise BadImageError(
            f'image {path} ({len(data)} bytes) is damaged or of a kind that OpenCV does not '
            'decode; replace or remove it'
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


@contextmanager
def _video(path: Path) -> Iterator[FrameSource]:
    # Where FFmpeg fails, OpenCV would try a decoder of its own, which writes of damage to stderr.
    has_ffmpeg = cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG if has_ffmpeg else cv2.CAP_ANY)
    try:
        if not capture.isOpened():
            raise BadImageError(
                f'video {path} cannot be opened: it is damaged, cut off, or of a kind that OpenCV '
                'does not decode; convert it to H.264 in .mp4'
            )
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        yield FrameSource(
            promised if promised > 0 else None,
            rate_hz if 0 < rate_hz <= 1000 else _USUAL_RATE_HZ,
            _video_frames(path, capture),
        )
    finally:
        capture.release()


def _video_frames(path: Path, capture: cv2.VideoCapture) -> Iterator[Frame]:
    number = 0
    while (image := capture.read()[1]) is not None:
        yield Frame(f'{number:06d}', np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
        number += 1
    if not number:
        raise BadImageError(f'video {path} holds no frame that OpenCV can decode; convert it')


@contextmanager
def _bag(path: Path, image_topic: str) -> Iterator[FrameSource]:
    with BagReader(path) as bag:
        if image_topic:
            topic = camera_topic(bag, image_topic)
        else:
            topic = only_camera(bag, LABEL_TOPIC, 'say which one with --image-topic')
        bag.require_images(topic)
        info = bag.topics[topic]
        if not info.count:
            raise BagError(f'topic {topic} of bag {path} holds no image; choose another topic')
        yield FrameSource(info.count, _bag_rate_hz(bag, topic), _bag_frames(bag, topic))


def only_camera(bag: BagReader, label_topic: str, remedy: str) -> str:
    """Return the one topic of images that is a camera's, not the truth's.

    Raises:
        BagError: there are several, or none; it ends with the remedy.

    """
    cameras = [
        name
        for name, info in bag.topics.items()
        if info.type in IMAGE_TYPES and name not in (label_topic, INSTANCE_TOPIC)
    ]
    if len(cameras) != 1:
        raise BagError(
            f'bag {bag.path} has {len(cameras)} image topics'
            + (f' ({", ".join(cameras)})' if cameras else '')
            + f'; {remedy}'
        )
    return cameras[0]


def _bag_rate_hz(bag: BagReader, topic: str) -> float:
    """Return the rate at the bag's start, from the times at which the recorder received."""
    stamps_ns = [message.stamp_ns for message in islice(bag.serialized_messages([topic]), 50)]
    interval_ns = float(np.median(np.diff(stamps_ns))) if len(stamps_ns) > 1 else 0.0
    return 1e9 / interval_ns if interval_ns > 0 else _USUAL_RATE_HZ


def _bag_frames(bag: BagReader, topic: str) -> Iterator[Frame]:
    seen: Counter[int] = Counter()
    for message in bag.messages([topic]):
        stamp_ns = header_stamp_ns(message.message)
        # Drivers that never set the stamp send zeros.
        again = f'_{seen[stamp_ns]}' if stamp_ns in seen else ''
        seen[stamp_ns] += 1
        try:
            rgb = decode_image(message.message)
        except BadImageError as error:
            place = f'bag {bag.path}, frame with stamp {stamp_text(stamp_ns)}'
            raise BagError(f'{place}: {error}') from error
        yield Frame(f'{stamp_ns:019d}{again}', rgb)
