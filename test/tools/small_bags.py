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
"""Bags of a few small frames, of every kind, and ways to damage them."""

import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from spssn_ros.bags.reader import BagReader, SerializedMessage
from spssn_ros.bags.writer import BagWriter, Storage

FRAMES, HEIGHT, WIDTH = 4, 6, 8
IMAGE, LABEL, TRUTH = '/image', '/label', '/truth'
_MAGIC = b'\x89MCAP0\r\n'


def write_frames(path: Path, storage: Storage) -> Path:
    """Write images, labels and truth of CamVid's classes, no two frames alike."""
    rng = np.random.default_rng(8)
    with BagWriter(path, storage) as bag:
        for index in range(FRAMES):
            stamp = 10**18 + index * 10**8
            bag.write_image(IMAGE, stamp, 'c', rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
            for topic in (LABEL, TRUTH):
                bag.write_image(topic, stamp, 'c', rng.integers(0, 11, (HEIGHT, WIDTH), np.uint8))
    return path


def compressed(
    path: Path, messages: list[SerializedMessage], storage: StoragePlugin, mode: CompressionMode
) -> Path:
    """Write the messages with zstd."""
    store = get_typestore(Stores.LATEST)
    bag = Writer(path, version=8, storage_plugin=storage)
    bag.set_compression(mode, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with bag:
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = bag.add_connection(
                    message.topic, message.type, typestore=store
                )
            bag.write(connections[message.topic], message.stamp_ns, message.cdr)
    return path


def ros1(
    path: Path,
    messages: list[SerializedMessage],
    compression: Rosbag1Writer.CompressionFormat | None,
) -> Path:
    """Write the messages as a ROS 1 bag."""
    ros2, store = get_typestore(Stores.LATEST), get_typestore(Stores.ROS1_NOETIC)
    bag = Rosbag1Writer(path)
    if compression is not None:
        bag.set_compression(compression)
    connections: dict[str, Any] = {}
    with bag:
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = bag.add_connection(
                    message.topic, message.type, typestore=store
                )
            data = bytes(ros2.cdr_to_ros1(message.cdr, message.type))
            bag.write(connections[message.topic], message.stamp_ns, data)
    return path


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the content of MCAP records."""
    position = 0
    while position < len(data):
        kind, length = struct.unpack_from('<BQ', data, position)
        yield kind, data[position + 9 : position + 9 + length]
        position += 9 + length


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack('<BQ', kind, len(content)) + content


def without_chunks(path: Path, source: Path) -> Path:
    """Write an .mcap file whose messages lie bare in it, without index or summary."""
    records = _records(source.read_bytes()[len(_MAGIC) : -len(_MAGIC)])
    out = bytearray(_MAGIC)
    for kind, content in records:
        if kind == 0x01:
            out += _record(kind, content)
        elif kind == 0x06:
            # Stamps, size, checksum, name of the compression (none) and length come first.
            out += content[8 + 8 + 8 + 4 + 4 + 8 :]
    out += _record(0x0F, bytes(4)) + _record(0x02, bytes(20)) + _MAGIC
    path.write_bytes(out)
    return path


def every_kind(folder: Path) -> dict[str, Path]:
    """Return bags of the same messages by the kind of bag."""
    mcap = write_frames(folder / 'mcap', Storage.MCAP)
    with BagReader(mcap) as bag:
        messages = list(bag.serialized_messages())
    bags = {'mcap': mcap, 'sqlite3': write_frames(folder / 'sqlite3', Storage.SQLITE3)}
    for storage, mode in (
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
    ):
        name = f'{storage.name}_{mode.name}'.lower()
        bags[name] = compressed(folder / name, messages, storage, mode)
    bags['mcap_alone'] = folder / 'alone.mcap'
    shutil.copy(mcap / 'mcap.mcap', bags['mcap_alone'])
    bags['mcap_bare'] = without_chunks(folder / 'bare.mcap', bags['mcap_alone'])
    for compression in (None, *Rosbag1Writer.CompressionFormat):
        name = 'ros1' if compression is None else f'ros1_{compression.name.lower()}'
        bags[name] = ros1(folder / f'{name}.bag', messages, compression)
    return bags


def damaged(bag: Path, target: Path, change: Callable[[Path, bytes], bytes]) -> Path:
    """Copy a bag with each of its files changed."""
    if bag.is_file():
        target = target.with_suffix(bag.suffix)
        target.write_bytes(change(bag, bag.read_bytes()))
        return target
    target.mkdir()
    for file in sorted(bag.iterdir()):
        (target / file.name).write_bytes(change(file, file.read_bytes()))
    return target
