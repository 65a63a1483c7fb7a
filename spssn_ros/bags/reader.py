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
"""Read ROS 2 bags (mcap, sqlite3) and ROS 1 bags, without ROS."""

import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from rosbags.interfaces import Connection, ConnectionExtRosbag1, QosDurability
from rosbags.rosbag1 import Reader as Rosbag1Reader
from rosbags.rosbag2 import Reader as Rosbag2Reader

from spssn_ros.bags.bag_path import check_bag_path
from spssn_ros.bags.message_types import IMAGE_TYPES, MessageTypes, empty_definitions_hidden
from spssn_ros.bags.stamps import END_OF_TIME_NS, header_stamp_ns
from spssn_ros.errors import BagError, one_line
from spssn_ros.files import explain

T = TypeVar('T')


@dataclass(frozen=True)
class TopicInfo:
    """What a bag says of one topic.

    Attributes:
        type: message type, 'sensor_msgs/msg/Image' also for ROS 1 bags.
        count: number of messages.
        latched: late subscribers were meant to get the last ones (transient local; ROS 1 latch).

    """

    type: str
    count: int
    latched: bool


@dataclass(frozen=True)
class BagMessage:
    """One decoded message.

    Attributes:
        topic: its topic's name.
        type: its message type.
        stamp_ns: when the recorder received it; the header's stamp is `header_stamp_ns`.
        message: the fields as attributes; arrays are read-only NumPy arrays.

    """

    topic: str
    type: str
    stamp_ns: int
    message: Any


@dataclass(frozen=True)
class SerializedMessage:
    """One message as ROS 2 sends it (CDR), with the fields of `BagMessage`."""

    topic: str
    type: str
    stamp_ns: int
    cdr: bytes


def _is_latched(connection: Connection) -> bool:
    if isinstance(connection.ext, ConnectionExtRosbag1):
        return bool(connection.ext.latching)
    return any(
        qos.durability is QosDurability.TRANSIENT_LOCAL
        for qos in connection.ext.offered_qos_profiles
    )


def _check_connections(connections: Collection[Connection]) -> None:
    """Raise ValueError if the values that YAML or a database gave are of no use."""
    for connection in connections:
        count, names = connection.msgcount, (connection.topic, connection.msgtype)
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f'a topic is called {names[0]!r}, of type {names[1]!r}')
        if not isinstance(count, int) or count < 0:
            raise ValueError(f'{names[0]} has {count!r} messages')


class BagReader:
    """A bag, opened as a context manager.

    Args:
        path: folder of a ROS 2 bag, one of its .mcap or .db3 files, or a ROS 1 .bag file.

    Raises:
        BagError: on entering: missing, not a bag, or damaged.

    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._reader: Rosbag1Reader | Rosbag2Reader | None = None
        self._again: BagReader | None = None
        self._types = MessageTypes(self.path, is_ros1=False)

    def __enter__(self) -> 'BagReader':
        check_bag_path(self.path)
        is_ros1 = self.path.is_file() and self.path.suffix == '.bag'
        self._types = MessageTypes(self.path, is_ros1)
        try:
            reader = (Rosbag1Reader if is_ros1 else Rosbag2Reader)(self.path)
            with empty_definitions_hidden():
                reader.open()
            self._reader = reader
            _check_connections(reader.connections)
        except Exception as error:  # damaged bytes raise almost anything in a parser
            self.__exit__()
            self._damaged(error)
        return self

    def __exit__(self, *_: object) -> None:
        if self._again is not None:
            self._again.__exit__()
            self._again = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def topics(self) -> dict[str, TopicInfo]:
        """The bag's topics by name."""
        reader = self._opened()
        latched = {c.topic for c in reader.connections if _is_latched(c)}
        # Where the publishers of a topic do not agree on its type, the first one's counts.
        types = {c.topic: c.msgtype for c in reversed(reader.connections)}
        return {
            name: TopicInfo(types[name], info.msgcount, name in latched)
            for name, info in reader.topics.items()
        }

    def types(self, topic: str) -> list[str]:
        """Return the message types of a topic: several where publishers did not agree."""
        connections = self._opened().connections
        return [*dict.fromkeys(c.msgtype for c in connections if c.topic == topic)]

    def require(self, *topics: str) -> None:
        """Check that the bag has these topics.

        Raises:
            BagError: one is not there; the message lists those that are.

        """
        there = self.topics
        for topic in topics:
            if topic not in there:
                listed = ', '.join(f'{name} ({info.type})' for name, info in there.items())
                raise BagError(
                    f'topic {topic!r} is not in bag {self.path}; it has {listed or "no topic"}'
                )

    def require_images(self, *topics: str) -> None:
        """Check that the bag has these topics, and that they hold images.

        Raises:
            BagError: one is not there, or holds something else.

        """
        self.require(*topics)
        for topic in topics:
            found = self.types(topic)
            if not {*found} <= {*IMAGE_TYPES}:
                raise BagError(
                    f'topic {topic!r} of bag {self.path} is {" and ".join(found)}, not '
                    f'{" or ".join(IMAGE_TYPES)}; choose another topic'
                )

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """Yield the decoded messages of `topics` (of all, when empty) by receive time.

        Raises:
            BagError: a topic is not there, a type is undefined, or the bag turns out damaged.

        """
        for connection, stamp_ns, data in self._raw(topics):
            message = self._parsed(self._types.decoder, connection, data)
            yield BagMessage(connection.topic, connection.msgtype, stamp_ns, message)

    def message_at(self, topic: str, stamp_ns: int, header_ns: int) -> BagMessage:
        """Return a message read before, by when the recorder received it and its header's stamp.

        `messages` may be going on meanwhile: the bag is opened once more for this.

        Raises:
            BagError: as `messages`, or it is not there.

        """
        self._opened()
        if self._again is None:
            self._again = BagReader(self.path).__enter__()
        for connection, received_ns, data in self._again._raw([topic], stamp_ns):
            message = self._parsed(self._types.decoder, connection, data)
            if header_stamp_ns(message) == header_ns:
                return BagMessage(topic, connection.msgtype, received_ns, message)
        raise BagError(f'bag {self.path} changed while it was read; evaluate it again')

    def header_stamps(self, topic: str) -> Iterator[int]:
        """Yield the header stamps of a topic of images, ns, without decoding the messages.

        Raises:
            BagError: the topic is not there, or the bag turns out damaged.

        """
        for _, _, data in self._raw([topic]):
            try:
                # Four bytes come first: ROS 1's sequence number, or CDR's own header, whose
                # second byte tells the byte order.
                if isinstance(self._reader, Rosbag1Reader):
                    seconds, nanoseconds = struct.unpack_from('<4xII', data)
                else:
                    order = '<' if data[1] & 1 else '>'
                    seconds, nanoseconds = struct.unpack_from(f'{order}4xiI', data)
            except (IndexError, struct.error) as error:
                self._damaged(error)
            yield seconds * 1_000_000_000 + nanoseconds

    def serialized_messages(self, topics: Collection[str] = ()) -> Iterator[SerializedMessage]:
        """Yield messages as `messages` does, but as ROS 2 CDR bytes (ROS 1's are converted).

        Raises:
            BagError: as `messages`, or a ROS 1 type differs from ROS 2's of that name.

        """
        for connection, stamp_ns, data in self._raw(topics):
            if isinstance(self._reader, Rosbag1Reader):
                data = self._parsed(self._types.converter, connection, data)
            yield SerializedMessage(connection.topic, connection.msgtype, stamp_ns, bytes(data))

    def _damaged(self, error: Exception) -> NoReturn:
        if isinstance(error, OSError) and error.strerror:
            raise BagError(f'cannot read bag {self.path}: {explain(error)}') from error
        reason = one_line(error).rstrip('.') or type(error).__name__
        if self.path.suffix == '.bag':
            reindex = f'rosbag reindex {self.path}'
        else:
            reindex = f'ros2 bag reindex {self.path if self.path.is_dir() else self.path.parent}'
        raise BagError(
            f'bag {self.path} cannot be read, it may be damaged or cut off ({reason}); '
            f'copy or record it again, or try `{reindex}`'
        ) from error

    def _opened(self) -> Rosbag1Reader | Rosbag2Reader:
        if self._reader is None:
            raise BagError(f'bag {self.path} is not open; use it in a with statement')
        return self._reader

    def _raw(
        self, topics: Collection[str], at_ns: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield undecoded messages, all, or those that the recorder received at one time."""
        reader = self._opened()
        self.require(*topics)
        chosen = [c for c in reader.connections if not topics or c.topic in topics]
        source = reader.messages(chosen, at_ns, None if at_ns is None else at_ns + 1)
        found: Counter[str] = Counter()
        while True:
            try:
                item = next(source, None)
            except Exception as error:
                self._damaged(error)
            if item is None:
                break
            connection, stamp_ns, _ = item
            if not 0 <= stamp_ns < END_OF_TIME_NS:
                self._damaged(BagError(f'a message of {connection.topic} has stamp {stamp_ns} ns'))
            found[connection.topic] += 1
            yield item
        if at_ns is None:
            self._check_counts({connection.topic for connection in chosen}, found)

    def _check_counts(self, topics: Collection[str], found: Counter[str]) -> None:
        there = self.topics
        for topic in topics:
            promised = there[topic].count
            if found[topic] != promised:
                told = f'it promises {promised} messages of {topic} and holds {found[topic]}'
                self._damaged(BagError(told))

    def _parsed(
        self,
        parser: Callable[[Connection], Callable[[bytes], T]],
        connection: Connection,
        data: bytes,
    ) -> T:
        try:
            return parser(connection)(data)
        except BagError:
            raise
        except Exception as error:
            self._damaged(error)
