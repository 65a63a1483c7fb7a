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
"""`spssn segment`: images, videos and bags to label images and overlays."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spssn_ros.datasets.class_list import CLASS_LIST
from spssn_ros.errors import ConfigError, SpssnError
from spssn_ros.evaluation.result import write_text
from spssn_ros.files import check_folder_target, read_plain
from spssn_ros.imaging import Painter, write_png
from spssn_ros.inference import Segmenter
from spssn_ros.labels import LabelSet
from spssn_ros.tools.frames import FrameSource, open_frames
from spssn_ros.tools.options import add_engine_options, segmenter_from

CLASSES = 'classes.json'
_FOLDERS = ('labels', 'overlays')
_NARROWEST, _WIDEST = 2, 8191
"""Sides of a video in MPEG-4."""


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'segment',
        help='segment an image, a folder, a video or a bag',
        description='Write labels/NAME.png (mono8 class ids at the size of the frame), '
        'overlays/NAME.png and classes.json (id, name and RGB colour of every class), for videos '
        'and bags also overlay.mp4. NAME is that of the image, the number of the frame in a '
        'video, or the header stamp in a bag.',
    )
    parser.add_argument(
        'input', type=Path, metavar='INPUT', help='image, folder of images, video or bag'
    )
    parser.add_argument('--output', type=Path, required=True, metavar='DIR', help='folder')
    parser.add_argument(
        '--image-topic',
        nargs='+',
        default=[''],
        metavar='TOPIC',
        help='of a bag; several get a folder each. Default: its only camera',
    )
    add_engine_options(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Segment, say what was written, and return the exit status."""
    folders = topic_folders(args.output, args.image_topic)
    for folder in folders.values():
        check_folder_target(folder)
        _check_output(folder, args.input)
    with ExitStack() as stack:
        # Bad input shows before the network is loaded.
        sources = [stack.enter_context(open_frames(args.input, topic)) for topic in folders]
        segmenter = segmenter_from(args)
        for folder in folders.values():
            _check_classes(folder, segmenter.label_set)
        for source, folder in zip(sources, folders.values(), strict=True):
            count = segment_frames(source, segmenter, folder)
            if source.total and count < 0.98 * source.total:
                print(
                    f'spssn: {args.input} promises {source.total} frames and only {count} could '
                    'be read; it may be cut off',
                    file=sys.stderr,
                )
            frames = '1 frame' if count == 1 else f'{count} frames'
            video = ', overlay.mp4' if source.rate_hz else ''
            print(
                f'{folder}: {frames} in labels/ and overlays/{video}, and classes.json, '
                f'by {segmenter.description}'
            )
    return 0


def _check_output(folder: Path, source: Path) -> None:
    """Check that no one's labels or pictures would be replaced.

    Raises:
        ConfigError: the folder holds a data set, labels of another origin, or the input.

    """
    if (folder / CLASS_LIST).exists():
        raise ConfigError(
            f'{folder} holds a data set, whose labels would be replaced; give another --output'
        )
    for name in _FOLDERS:
        # Unlike Path.resolve it takes links that lead in a circle, which are told of elsewhere.
        inside = os.path.realpath(folder / name)
        if Path(os.path.realpath(source)).is_relative_to(inside):
            raise ConfigError(f'{source} lies in {folder / name}; give another --output')
        if next((folder / name).glob('*.png'), None) and not (folder / CLASSES).exists():
            raise ConfigError(
                f'{folder / name} holds images that are not of an earlier run (there is no '
                f'{CLASSES}); give another --output'
            )


def _check_classes(folder: Path, label_set: LabelSet) -> None:
    """Raise ConfigError where the labels of an earlier run mean other classes."""
    try:
        told = read_plain(folder / CLASSES)
    except FileNotFoundError:
        return
    if told != classes_json(label_set).encode():
        raise ConfigError(
            f'{folder} holds labels of other classes ({CLASSES}); give another --output'
        )


def topic_folders(output: Path, topics: Sequence[str]) -> dict[str, Path]:
    """Return the folder of each topic: `output` for one, /front/image in front_image for several.

    Raises:
        ConfigError: two of them would have one folder.

    """
    if len(topics) == 1:
        return {topics[0]: output}
    folders = {topic: output / topic.strip('/').replace('/', '_') for topic in topics}
    if len({*folders.values()}) < len(topics):
        raise ConfigError(f'--image-topic {" ".join(topics)}: two of these have one folder name')
    return folders


def segment_frames(source: FrameSource, segmenter: Segmenter, folder: Path) -> int:
    """Segment every frame into `folder`, with a progress bar, and return their number.

    What was finished before an error stays; no file is ever half-written.

    Raises:
        SpssnError: a damaged frame, or OpenCV cannot write the video.
        OSError: the folder cannot be made or written to.

    """
    painter = Painter(segmenter.label_set)
    count = 0
    with ExitStack() as stack:
        video = None
        if source.rate_hz:
            video = stack.enter_context(OverlayVideo(folder / 'overlay.mp4', source.rate_hz))
        frames = tqdm(source.frames, total=source.total, unit='frame', disable=None)
        segmented = closing(segmenter.stream(frames, lambda frame: frame.rgb))
        for frame, segmentation in stack.enter_context(segmented):
            labels = segmentation.labels
            overlay = painter.overlay(frame.rgb, labels)
            if not count:
                # Not before there is something to put there.
                for name in _FOLDERS:
                    (folder / name).mkdir(parents=True, exist_ok=True)
                write_text(folder / CLASSES, classes_json(segmenter.label_set))
            write_png(folder / 'labels' / f'{frame.stem}.png', labels)
            write_png(folder / 'overlays' / f'{frame.stem}.png', overlay)
            if video:
                video.write(overlay)
            count += 1
    if not count:
        write_text(folder / CLASSES, classes_json(segmenter.label_set))
    return count


class OverlayVideo:
    """An .mp4 file, written as a context manager.

    It grows under a temporary name and takes its own when the block ends well; after an exception
    nothing is left of it.

    Args:
        path: the file; its folder must exist when the first frame is written.
        rate_hz: frames a second.

    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        self.path = path
        # MPEG-4 counts time in at most 65535 parts of a second.
        self._rate_hz = round(min(max(rate_hz, 0.1), 240.0), 2)
        self._temporary = path.with_name(f'.{path.stem}.{os.getpid()}.tmp{path.suffix}')
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._count = 0

    def __enter__(self) -> 'OverlayVideo':
        return self

    def write(self, rgb: NDArray[np.uint8]) -> None:
        """Append a frame, (H, W, 3) uint8 RGB.

        All are resized to the first one's size, or to the nearest that the codec has.

        Raises:
            SpssnError: OpenCV cannot write such a video.

        """
        picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        if self._writer is None:
            self._size = _video_size(rgb.shape[1], rgb.shape[0])
            codec = cv2.VideoWriter.fourcc(*'mp4v')
            self._writer = cv2.VideoWriter(str(self._temporary), codec, self._rate_hz, self._size)
            if not self._writer.isOpened():
                raise SpssnError(
                    f'OpenCV cannot write video {self.path} of {self._size[0]}x{self._size[1]}; '
                    'check that it was built with FFmpeg (cv2.getBuildInformation)'
                )
        if (rgb.shape[1], rgb.shape[0]) != self._size:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(picture)
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._writer is not None:
                self._writer.release()
                if kind is None:
                    self._keep()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _keep(self) -> None:
        # The writer reports no error, such as that of a full disk.
        capture = cv2.VideoCapture(str(self._temporary))
        written = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.release()
        if written != self._count:
            raise OSError(f'cannot write {self.path}; is the disk full?')
        self._temporary.replace(self.path)


def _video_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of a video of such frames, their aspect ratio kept as far as can be."""
    scale = min(1.0, _WIDEST / max(width, height))
    return max(_NARROWEST, round(width * scale)), max(_NARROWEST, round(height * scale))


def classes_json(label_set: LabelSet) -> str:
    """Return the JSON that explains label images: id, name and RGB colour of every class."""
    return json.dumps(label_set.entries(), indent=2)
