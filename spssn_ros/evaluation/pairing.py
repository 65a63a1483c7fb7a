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
"""Images (or recorded predictions) and truth of a bag, paired by header stamp."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spssn_ros.bags.reader import BagReader, header_stamp_ns
from spssn_ros.errors import BagError

_TRUTH_TYPES = ('sensor_msgs/msg/Image',)
_IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')


@dataclass(frozen=True)
class Pair:
    """Two messages with one header stamp.

    Attributes:
        stamp_ns: their stamp, nanoseconds.
        image: the first topic's message, as `spssn_ros.imaging` decodes it.
        truth: the label topic's message.

    """

    stamp_ns: int
    image: Any
    truth: Any


class BagPairs:
    """Iterates over the pairs of a bag, in the order in which they become complete.

    `unmatched_images` and `unmatched_labels` count what the iteration left over.

    Args:
        path: the bag.
        image_topic: of images or recorded predictions.
        label_topic: of truth.

    Raises:
        BagError: while iterating: missing, damaged, a topic not in it or not of images.

    """

    def __init__(self, path: Path, image_topic: str, label_topic: str) -> None:
        self.path, self.image_topic, self.label_topic = path, image_topic, label_topic
        self.unmatched_images = 0
        self.unmatched_labels = 0

    def count(self) -> int:
        """Return the number of truth messages, the most pairs there can be.

        Raises:
            BagError: as iterating.

        """
        with BagReader(self.path) as bag:
            self._check_topics(bag)
            return bag.topics[self.label_topic].count

    def __iter__(self) -> Iterator[Pair]:
        self.unmatched_images = self.unmatched_labels = 0
        with BagReader(self.path) as bag:
            self._check_topics(bag)
            # Cameras often run much faster than truth was labelled: knowing the truth's stamps
            # first lets every other image be dropped at once instead of waiting in memory.
            labelled = {header_stamp_ns(m.message) for m in bag.messages([self.label_topic])}
        images: dict[int, Any] = {}
        truths: dict[int, Any] = {}
        with BagReader(self.path) as bag:
            for item in bag.messages([self.image_topic, self.label_topic]):
                stamp_ns = header_stamp_ns(item.message)
                if item.topic == self.label_topic:
                    truths[stamp_ns] = item.message
                elif stamp_ns in labelled:
                    images[stamp_ns] = item.message
                else:
                    self.unmatched_images += 1
                if stamp_ns in images and stamp_ns in truths:
                    labelled.discard(stamp_ns)
                    yield Pair(stamp_ns, images.pop(stamp_ns), truths.pop(stamp_ns))
        self.unmatched_images += len(images)
        self.unmatched_labels += len(truths)

    def _check_topics(self, bag: BagReader) -> None:
        bag.require(self.image_topic, self.label_topic)
        for topic, types in ((self.image_topic, _IMAGE_TYPES), (self.label_topic, _TRUTH_TYPES)):
            found = bag.topics[topic].type
            if found not in types:
                raise BagError(
                    f'topic {topic!r} of bag {self.path} is {found}, not {" or ".join(types)}'
                )
