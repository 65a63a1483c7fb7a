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
"""Write bags of labelled driving frames: data sets and synthetic streets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spssn_ros.bags.stamps import END_OF_TIME_NS
from spssn_ros.bags.writer import BagWriter, Storage
from spssn_ros.errors import ConfigError

IMAGE_TOPIC = '/camera/image_raw'
COMPRESSED_TOPIC = '/camera/image_raw/compressed'
LABEL_TOPIC = '/camera/label_truth'
INSTANCE_TOPIC = '/camera/instance_truth'
CAMERA_INFO_TOPIC = '/camera/camera_info'
FRAME_ID = 'camera'

FIRST_STAMP_NS = 1_000_000_000 * 1_000_000_000
"""Stamp of frame 0: 2001-09-09 01:46:40 UTC, fixed so that the same frames give the same bag."""

# Of more frames a second some would have one stamp.
_MOST_HZ = 1e9


@dataclass(frozen=True)
class LabelledFrame:
    """One camera frame and its truth.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 class ids, 255 void.
        encoded: the image's own file, stored instead of the pixels when given.
        encoded_format: 'jpeg' or 'png', of `encoded`.
        stamp_ns: header stamp; None for one by the frame's number and the rate.
        instances: (H, W) uint16 instance ids.

    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    encoded: bytes | None = None
    encoded_format: str = 'jpeg'
    stamp_ns: int | None = None
    instances: NDArray[np.uint16] | None = None


class Scene(Protocol):
    """Something that renders labelled frames, such as a synthetic street."""

    @property
    def camera_matrix(self) -> NDArray[Any]:
        """The camera's (3, 3) intrinsics in pixels."""
        ...

    def render(self, time_s: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return image (H, W, 3) RGB and labels (H, W), both uint8, at a time."""
        ...


def frame_stamp_ns(index: int, rate_hz: float) -> int:
    """Return the stamp of frame `index`: `FIRST_STAMP_NS` + index / rate.

    Raises:
        ConfigError: ROS has no time so late.

    """
    behind_ns = index * 1_000_000_000 / rate_hz
    if behind_ns >= END_OF_TIME_NS - FIRST_STAMP_NS:
        raise ConfigError(
            f'at a rate of {rate_hz:g} Hz, frame {index} is later than 2038, where the time of '
            'ROS ends; give a higher rate'
        )
    return FIRST_STAMP_NS + round(behind_ns)


def scene_frames(scene: Scene, frames: int, rate_hz: float) -> Iterator[LabelledFrame]:
    """Yield a scene's frames 0, 1, ... at times index / rate."""
    for index in range(frames):
        # Refuses times at which a scene would be drawn for long, and in vain.
        stamp_ns = frame_stamp_ns(index, rate_hz)
        yield LabelledFrame(*scene.render(index / rate_hz), stamp_ns=stamp_ns)


def write_labelled_bag(
    path: Path | str,
    frames: Iterable[LabelledFrame],
    rate_hz: float,
    storage: Storage = Storage.MCAP,
    camera_matrix: NDArray[Any] | None = None,
) -> int:
    """Write frames to a new bag and return how many there were.

    Topics: `/camera/image_raw` (rgb8; `/camera/image_raw/compressed` for encoded frames),
    `/camera/label_truth` (mono8 class ids, 255 void), `/camera/instance_truth` (mono16, of frames
    with instances) and `/camera/camera_info`; the messages of a frame share header stamp and
    frame id.

    Args:
        path: folder of the bag; must not exist.
        frames: what to write; exceptions from it leave no bag behind.
        rate_hz: frames a second of the recorded stamps.
        storage: file format.
        camera_matrix: (3, 3) intrinsics in pixels, None when unknown.

    Raises:
        BagError: the bag exists or cannot be written.
        ConfigError: the rate is not positive, too low or too high for the stamps, or there is no
            frame.

    """
    if not 0 < rate_hz < float('inf'):
        raise ConfigError(f'rate {rate_hz} Hz is not positive; give frames a second')
    if rate_hz > _MOST_HZ:
        raise ConfigError(
            f'at a rate of {rate_hz:g} Hz frames share stamps, which are whole nanoseconds; give '
            f'at most {_MOST_HZ:g}'
        )
    count = 0
    with BagWriter(path, storage) as bag:
        for frame in frames:
            stamp = frame.stamp_ns
            if stamp is None:
                stamp = frame_stamp_ns(count, rate_hz)
            if frame.encoded is None:
                bag.write_image(IMAGE_TOPIC, stamp, FRAME_ID, frame.image)
            else:
                bag.write_compressed(
                    COMPRESSED_TOPIC, stamp, FRAME_ID, frame.encoded, frame.encoded_format
                )
            bag.write_image(LABEL_TOPIC, stamp, FRAME_ID, frame.labels)
            if frame.instances is not None:
                bag.write_image(INSTANCE_TOPIC, stamp, FRAME_ID, frame.instances)
            height, width = frame.labels.shape
            bag.write_camera_info(CAMERA_INFO_TOPIC, stamp, FRAME_ID, width, height, camera_matrix)
            count += 1
        if not count:
            raise ConfigError(f'bag {path} would hold no frame; give at least one')
    return count


def write_street_bag(
    path: Path | str,
    scene: Scene,
    frames: int,
    rate_hz: float = 30.0,
    storage: Storage = Storage.MCAP,
) -> int:
    """Render a scene into a new bag, as `write_labelled_bag`, and return the frame count."""
    return write_labelled_bag(
        path, scene_frames(scene, frames, rate_hz), rate_hz, storage, scene.camera_matrix
    )
