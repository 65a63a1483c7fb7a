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
"""Write ROS 2 bags (mcap, sqlite3) of images, labels and camera info, without ROS."""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.typesys import Stores, get_typestore

from spssn_ros.bags.bag_path import check_database_name
from spssn_ros.bags.checksums import add_chunk_checksums
from spssn_ros.bags.message_types import COMPRESSED_IMAGE_TYPE, IMAGE_TYPE
from spssn_ros.bags.stamps import END_OF_TIME_NS
from spssn_ros.errors import BadImageError, BagError
from spssn_ros.files import explain

_CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'

_ENCODINGS = {('uint8', 3): 'rgb8', ('uint8',): 'mono8', ('uint16',): 'mono16'}
"""By type and further sides of an array."""

_INFINITE = QosTime(9223372036, 854775807)
_OFFERED_QOS = Qos(
    QosHistory.KEEP_LAST,
    10,
    QosReliability.RELIABLE,
    QosDurability.VOLATILE,
    _INFINITE,
    _INFINITE,
    QosLiveliness.AUTOMATIC,
    _INFINITE,
    avoid_ros_namespace_conventions=False,
)


class Storage(Enum):
    """File format of a ROS 2 bag."""

    MCAP = 'mcap'
    SQLITE3 = 'sqlite3'


class BagWriter:
    """A new ROS 2 bag, written as a context manager.

    It grows in a temporary folder beside `path` and takes its name when the block ends well;
    after an exception nothing is left. Every message is stored under its header's stamp. MCAP
    files carry checksums of their messages.

    Args:
        path: folder of the bag; must not exist.
        storage: file format.

    Raises:
        BagError: `path` exists, has a name that SQLite does not take, cannot be created, or
            cannot be written to (disk full); a stamp is none that ROS has.

    """

    def __init__(self, path: Path | str, storage: Storage = Storage.MCAP) -> None:
        self.path = Path(path)
        self.storage = storage
        self._store = get_typestore(Stores.LATEST)
        self._connections: dict[str, Connection] = {}
        self._temporary: Path | None = None
        self._made: list[Path] = []
        self._writer: Writer | None = None

    def __enter__(self) -> 'BagWriter':
        if self.path.exists():
            raise BagError(f'{self.path} exists already; remove it or choose another name')
        if self.storage is Storage.SQLITE3:
            check_database_name(self.path)
        try:
            self._open()
        except BaseException:
            self._clear()
            raise
        return self

    def _open(self) -> None:
        with self._bag_errors():
            self._made = [folder for folder in self.path.parents if not folder.exists()]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary = Path(
                tempfile.mkdtemp(prefix=f'.{self.path.name}.', dir=self.path.parent)
            )
            # Files in a bag carry the folder's name, so that it must be the final one. Version 8
            # of the metadata is the newest that Humble reads: 9 holds QoS as no string.
            self._writer = Writer(
                self._temporary / self.path.name,
                version=8,
                storage_plugin=StoragePlugin[self.storage.name],
            )
            self._writer.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._writer is not None
        assert self._temporary is not None
        try:
            if kind is None:
                with self._bag_errors():
                    self._writer.close()
                    if self.storage is Storage.MCAP:
                        folder = self._temporary / self.path.name
                        add_chunk_checksums(folder / f'{self.path.name}.mcap')
                    (self._temporary / self.path.name).rename(self.path)
            else:
                self._writer.abort()
        finally:
            self._clear()

    def _clear(self) -> None:
        """Take away what is temporary and, without a bag in it, the folders made for it."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        # The innermost comes first; one that holds anything stays, and so do those around it.
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def write_image(
        self, topic: str, stamp_ns: int, frame_id: str, image: NDArray[np.uint8 | np.uint16]
    ) -> None:
        """Write a sensor_msgs/Image, tightly packed.

        Args:
            topic: where to.
            stamp_ns: header and bag stamp, nanoseconds since the epoch.
            frame_id: coordinate frame of the camera.
            image: (H, W, 3) uint8, stored as rgb8, or (H, W) uint8 or uint16, stored as mono8 or
                mono16.

        Raises:
            BadImageError: another shape or type.

        """
        encoding = _ENCODINGS.get((image.dtype.name, *image.shape[2:]))
        if encoding is None or image.ndim < 2:
            raise BadImageError(
                'an image for a bag is (H, W, 3) uint8, or (H, W) uint8 or uint16, not '
                f'{image.shape} {image.dtype}'
            )
        pixels = np.ascontiguousarray(image, image.dtype.newbyteorder('<'))
        self._write(
            topic,
            IMAGE_TYPE,
            stamp_ns,
            frame_id,
            height=image.shape[0],
            width=image.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=pixels.nbytes // max(1, image.shape[0]),
            data=pixels.reshape(-1).view(np.uint8),
        )

    def write_compressed(
        self, topic: str, stamp_ns: int, frame_id: str, data: bytes, image_format: str = 'jpeg'
    ) -> None:
        """Write a sensor_msgs/CompressedImage of an encoded file ('jpeg' or 'png')."""
        self._write(
            topic,
            COMPRESSED_IMAGE_TYPE,
            stamp_ns,
            frame_id,
            format=image_format,
            data=np.frombuffer(data, np.uint8),
        )

    def write_camera_info(
        self,
        topic: str,
        stamp_ns: int,
        frame_id: str,
        width: int,
        height: int,
        camera_matrix: NDArray[np.floating[Any]] | None,
    ) -> None:
        """Write a sensor_msgs/CameraInfo without distortion.

        Args:
            topic: where to.
            stamp_ns: header and bag stamp, nanoseconds since the epoch.
            frame_id: coordinate frame of the camera.
            width: of its images, in pixels.
            height: of its images, in pixels.
            camera_matrix: (3, 3) intrinsics in pixels; None for a camera that nobody calibrated,
                whose matrices the message's definition wants zero.

        """
        matrix = np.zeros((3, 3)) if camera_matrix is None else np.asarray(camera_matrix, float)
        calibrated = camera_matrix is not None
        roi = self._store.types['sensor_msgs/msg/RegionOfInterest']
        self._write(
            topic,
            _CAMERA_INFO,
            stamp_ns,
            frame_id,
            height=height,
            width=width,
            distortion_model='plumb_bob' if calibrated else '',
            d=np.zeros(5 if calibrated else 0),
            k=matrix.reshape(-1),
            r=(np.eye(3) if calibrated else np.zeros((3, 3))).reshape(-1),
            p=np.hstack([matrix, np.zeros((3, 1))]).reshape(-1),
            binning_x=0,
            binning_y=0,
            roi=roi(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
        )

    def _write(
        self, topic: str, message_type: str, stamp_ns: int, frame_id: str, **fields: Any
    ) -> None:
        if self._writer is None:
            raise BagError(f'bag {self.path} is not open; use it in a with statement')
        connection = self._connections.get(topic)
        if connection is not None and connection.msgtype != message_type:
            raise BagError(f'topic {topic} holds {connection.msgtype}, not {message_type}')
        if not 0 <= stamp_ns < END_OF_TIME_NS:
            raise BagError(
                f'bag {self.path}: a message of {topic} has stamp {stamp_ns} ns, but ROS counts '
                'from 1970 to 2038; give another stamp'
            )
        types = self._store.types
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        stamp = types['builtin_interfaces/msg/Time'](sec=seconds, nanosec=nanoseconds)
        header = types['std_msgs/msg/Header'](stamp=stamp, frame_id=frame_id)
        message = types[message_type](header=header, **fields)
        data = self._store.serialize_cdr(message, message_type)
        with self._bag_errors():
            if connection is None:
                connection = self._writer.add_connection(
                    topic, message_type, typestore=self._store, offered_qos_profiles=[_OFFERED_QOS]
                )
                self._connections[topic] = connection
            self._writer.write(connection, stamp_ns, data)

    @contextlib.contextmanager
    def _bag_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BagError(f'cannot write bag {self.path}: {explain(error)}') from error
        except (sqlite3.Error, WriterError) as error:
            raise BagError(f'cannot write bag {self.path}: {error}') from error
