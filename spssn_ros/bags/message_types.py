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
"""The message types that a bag defines for itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from spssn_ros.errors import BagError

_IDL_SEPARATOR = '=' * 80 + '\n'

IMAGE_TYPE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE_TYPE = 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (IMAGE_TYPE, COMPRESSED_IMAGE_TYPE)
"""Types whose fields are the same in every distribution, and which are read by those names."""


class MessageTypes:
    """Turns the messages of one bag from bytes into what is asked for.

    Every method raises exceptions of any kind where a definition is damaged.

    Args:
        bag: its path, for messages.
        is_ros1: whether it is a ROS 1 bag.

    """

    def __init__(self, bag: Path, is_ros1: bool) -> None:
        self._bag, self._is_ros1 = bag, is_ros1
        self._decoders: dict[str, Callable[[bytes], Any]] = {}
        self._converters: dict[str, Callable[[bytes], bytes]] = {}

    def decoder(self, connection: Connection) -> Callable[[bytes], Any]:
        """Return the function that decodes the messages of a topic.

        Raises:
            BagError: the bag does not define their type, and no distribution has it, or it
                defines images in another way than ROS.

        """
        name = connection.msgtype
        if name not in self._decoders:
            store = self._types(connection)
            decode = store.deserialize_ros1 if self._is_ros1 else store.deserialize_cdr
            self._decoders[name] = partial(decode, typename=name)
        return self._decoders[name]

    def converter(self, connection: Connection) -> Callable[[bytes], bytes]:
        """Return the function that makes ROS 2 messages (CDR) of those of a ROS 1 topic.

        Raises:
            BagError: as `decoder`; the function raises it where ROS 2's type of the name differs.

        """
        convert = self._converters.get(connection.msgtype)
        if convert is None:
            name = connection.msgtype
            store = get_typestore(Stores.LATEST)
            if name not in store.fielddefs:
                # ROS 2's own header stays: ROS 1's has one more field.
                own = self._types(connection).fielddefs
                store.register({k: v for k, v in own.items() if k not in store.fielddefs})

            def convert(data: bytes) -> bytes:
                try:
                    return bytes(store.ros1_to_cdr(data, name))
                except Exception as error:
                    raise BagError(
                        f'ROS 1 messages of type {name} in bag {self._bag} do not fit the ROS 2 '
                        f'type ({error}); leave their topic out'
                    ) from error

            self._converters[name] = convert
        return convert

    def _types(self, connection: Connection) -> Typestore:
        """Return the types of a topic's own definition, else those of a ROS distribution."""
        name, definition = connection.msgtype, connection.msgdef
        usual = get_typestore(Stores.ROS1_NOETIC if self._is_ros1 else Stores.LATEST)
        if definition.format is MessageDefinitionFormat.NONE:
            if name not in usual.fielddefs:
                raise BagError(f'bag {self._bag} does not say how its type {name} is defined')
            return usual
        store = get_typestore(Stores.EMPTY)
        if definition.format is MessageDefinitionFormat.MSG:
            store.register(get_types_from_msg(definition.data, name))
        else:
            store.register(_types_of_idl(definition.data))
        if name in IMAGE_TYPES:
            for part in (name, 'std_msgs/msg/Header', 'builtin_interfaces/msg/Time'):
                if store.fielddefs[part] != usual.fielddefs[part]:
                    raise BagError(
                        f'bag {self._bag} is damaged: its definition of {part} is not that of ROS'
                    )
        return store


def _types_of_idl(text: str) -> dict[str, Any]:
    """Return the types of definitions that follow one another, each under 'IDL: <name>'."""
    types = {}
    for part in text.split(_IDL_SEPARATOR):
        body = part.partition('\n')[2] if part.startswith('IDL: ') else part
        types.update(get_types_from_idl(body) if body.strip() else {})
    return types


@contextmanager
def empty_definitions_hidden() -> Iterator[None]:
    """Within this, rosbags opens SQLite bags in which types have no definition.

    A recorder that finds none stores an empty one, of encoding '' or 'unknown' (rosbag2's
    sequential_writer.cpp), for which rosbags refuses the whole bag. Left out, it harms no more
    than its own type.
    """
    apsw.connection_hooks.append(_hide_empty_definitions)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(_hide_empty_definitions)


def _hide_empty_definitions(database: apsw.Connection) -> None:
    there = "SELECT 1 FROM main.sqlite_master WHERE name = 'message_definitions'"
    if database.execute(there).fetchone():
        # SQLite looks among temporary names first.
        database.execute(
            'CREATE TEMP VIEW IF NOT EXISTS message_definitions AS '
            "SELECT * FROM main.message_definitions WHERE encoding IN ('ros2msg', 'ros2idl')"
        )
