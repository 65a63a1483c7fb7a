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
"""Instance images of bags, found by the header stamp of the truth they belong to."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.bags.labelled import INSTANCE_TOPIC
from spssn_ros.bags.message_types import IMAGE_TYPE
from spssn_ros.bags.reader import BagMessage, BagReader
from spssn_ros.bags.stamps import header_stamp_ns, stamp_text
from spssn_ros.errors import BadImageError, BagError
from spssn_ros.imaging import view

_ENCODINGS = ('mono16', '16UC1', 'mono8', '8UC1')


class InstanceImages:
    """The instance images of a bag, as a context manager.

    They are read once, in the order in which they were recorded; one that is asked for later than
    its place in the bag is read again. So one image at a time is held.

    Args:
        path: the bag.
        topic: Image, mono16 or mono8.

    Raises:
        BagError: on entering: as `BagReader`, or the topic is not there or not of images.

    """

    def __init__(self, path: Path, topic: str) -> None:
        self._bag, self._topic = BagReader(path), topic
        self._coming: Iterator[BagMessage] = iter(())
        # Where those lie that were passed: received stamp by header stamp.
        self._passed: dict[int, int] = {}

    def __enter__(self) -> 'InstanceImages':
        with ExitStack() as stack:
            bag = stack.enter_context(self._bag)
            bag.require(self._topic)
            found = bag.types(self._topic)
            if found != [IMAGE_TYPE]:
                raise BagError(
                    f'topic {self._topic!r} of bag {bag.path} is {" and ".join(found)}, not '
                    f'{IMAGE_TYPE}; choose another --instance-topic'
                )
            # Only where all is well does the bag stay open.
            stack.pop_all()
        self._coming = bag.messages([self._topic])
        return self

    def __exit__(self, *_: object) -> None:
        self._bag.__exit__()

    def at(self, stamp_ns: int) -> Any:
        """Return the message of a header stamp.

        Raises:
            BagError: there is none, or the bag turns out damaged.

        """
        if stamp_ns in self._passed:
            received_ns = self._passed[stamp_ns]
            return self._bag.message_at(self._topic, received_ns, stamp_ns).message
        for item in self._coming:
            header_ns = header_stamp_ns(item.message)
            self._passed.setdefault(header_ns, item.stamp_ns)
            if header_ns == stamp_ns:
                return item.message
        raise BagError(
            f'bag {self._bag.path}: no message of {self._topic} has the stamp '
            f'{stamp_text(stamp_ns)} of a truth image; every one needs its '
            'instances, or give --instance-topic none'
        )


def instance_ids(message: Any) -> NDArray[np.unsignedinteger]:
    """Return an instance image, (H, W) uint16 or uint8 ids.

    Raises:
        BadImageError: another encoding, or it cannot be decoded.

    """
    if message.encoding not in _ENCODINGS:
        raise BadImageError(
            f'instance image {message.width}x{message.height} {message.encoding!r}: ids are '
            'mono16 or mono8'
        )
    return view(message)


def default_instance_topics(bags: Sequence[Path], cameras: int) -> tuple[str, ...]:
    """Return the topic of instances that `spssn convert` writes, if every bag has it.

    Args:
        bags: to look into.
        cameras: number of label topics; with several it is nobody's by default.

    Raises:
        BagError: a bag cannot be read.

    """
    if cameras != 1:
        return ()
    for path in bags:
        with BagReader(path) as bag:
            if INSTANCE_TOPIC not in bag.topics:
                return ()
    return (INSTANCE_TOPIC,)
