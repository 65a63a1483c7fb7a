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

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spssn_ros.bags.reader import BagMessage, BagReader
from spssn_ros.bags.stamps import header_stamp_ns, stamp_text
from spssn_ros.errors import BagError
from spssn_ros.evaluation.stamps import match_stamps, smallest_distance

_MOST_WAITING_BYTES = 64 << 20
"""Messages of a topic kept for their other half; older ones are read again when it comes."""


@dataclass(frozen=True)
class Pair:
    """An image and its truth.

    Attributes:
        stamp_ns: the image's header stamp, nanoseconds.
        image: the first topic's message, as `spssn_ros.imaging` decodes it.
        truth: the label topic's message.
        instances: the message that tells the truth's instances, or None.

    """

    stamp_ns: int
    image: Any
    truth: Any
    instances: Any = None


class BagPairs:
    """Iterates over the pairs of a bag, in the order in which they become complete.

    `unmatched_images` and `unmatched_labels` count what the iteration left over. Of messages of
    one topic with one stamp the first counts, the others are left over. Memory stays bounded
    however far apart an image and its truth were recorded.

    Args:
        path: the bag.
        image_topic: of images or recorded predictions.
        label_topic: of truth.
        slop_ns: most nanoseconds between the stamps of a pair; see `match_stamps`.

    Raises:
        BagError: while iterating: missing, damaged, a topic not in it or not of images.

    """

    def __init__(self, path: Path, image_topic: str, label_topic: str, slop_ns: int = 0) -> None:
        self.path, self.image_topic, self.label_topic = path, image_topic, label_topic
        self.slop_ns = slop_ns
        self.unmatched_images = 0
        self.unmatched_labels = 0
        self._nearest_ns: int | None = None

    def count(self) -> int:
        """Return the number of messages of the rarer topic, the most pairs there can be.

        Raises:
            BagError: as iterating.

        """
        with BagReader(self.path) as bag:
            bag.require_images(self.image_topic, self.label_topic)
            return min(bag.topics[topic].count for topic in (self.image_topic, self.label_topic))

    def __iter__(self) -> Iterator[Pair]:
        return self.pairs()

    def pairs(self) -> Generator[Pair, None, None]:
        """Yield the pairs; closing the generator closes the bag.

        Raises:
            BagError: as the class says.

        """
        self.unmatched_images = self.unmatched_labels = 0
        with BagReader(self.path) as bag:
            bag.require_images(self.image_topic, self.label_topic)
            partners = self._match(bag) if self.slop_ns else None
            wanted = None if partners is None else {*partners.values()}
            images, truths = _Waiting(bag, self.image_topic), _Waiting(bag, self.label_topic)
            for item in bag.messages([self.image_topic, self.label_topic]):
                is_truth = item.topic == self.label_topic
                mine, other = (truths, images) if is_truth else (images, truths)
                stamp_ns = header_stamp_ns(item.message)
                # Without a slop the stamp they share is the key, with one the truth's.
                key = stamp_ns if partners is None or is_truth else partners.get(stamp_ns)
                if (
                    key is None
                    or (wanted is not None and key not in wanted)
                    or not mine.add(key, stamp_ns, item)
                ):
                    self._count_unmatched(is_truth)
                elif key in other:
                    image, truth = images.pop(key), truths.pop(key)
                    yield Pair(header_stamp_ns(image), image, truth)
        self.unmatched_images += len(images)
        self.unmatched_labels += len(truths)
        if partners is None:
            self._nearest_ns = smallest_distance(images.keys(), truths.keys())

    def no_pair(self) -> BagError:
        """Return the error that explains why an iteration gave no pair."""
        counts = (
            f'bag {self.path}: no stamp is on both {self.image_topic} '
            f'({self.unmatched_images} messages) and {self.label_topic} ({self.unmatched_labels})'
        )
        if self._nearest_ns is None:
            return BagError(f'{counts}; choose topics that both have messages')
        nearest_ms = self._nearest_ns / 1e6
        if self.slop_ns:
            within = f' within the slop of {self.slop_ns / 1e6:g} ms'
            return BagError(f'{counts}{within}; the nearest two are {nearest_ms:g} ms apart')
        return BagError(
            f'{counts}; the nearest two are {nearest_ms:g} ms apart: truth needs exactly the '
            'header stamp of its image, or a slop of that (--slop, parameter slop_ms)'
        )

    def located(self, stamp_ns: int, error: Exception) -> BagError:
        """Return the error of a frame with its place: bag, topic and the image's stamp."""
        stamp = stamp_text(stamp_ns)
        place = f'bag {self.path}, frame of {self.image_topic} with stamp {stamp}'
        return BagError(f'{place}: {error}')

    def _count_unmatched(self, is_truth: bool) -> None:
        if is_truth:
            self.unmatched_labels += 1
        else:
            self.unmatched_images += 1

    def _match(self, bag: BagReader) -> Mapping[int, int]:
        """Return the truth's stamp by the image's for all pairs within the slop."""
        images = {*bag.header_stamps(self.image_topic)}
        truths = {*bag.header_stamps(self.label_topic)}
        self._nearest_ns = smallest_distance(images, truths)
        return match_stamps(images, truths, self.slop_ns)


class _Waiting:
    """The messages of a topic that wait for their other half, by the key they share with it."""

    def __init__(self, bag: BagReader, topic: str) -> None:
        self._bag, self._topic = bag, topic
        self._places: dict[int, tuple[int, int]] = {}
        self._held: dict[int, Any] = {}
        self._bytes = 0
        self._seen: set[int] = set()

    def __contains__(self, key: int) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def keys(self) -> Iterator[int]:
        """Return the keys that wait."""
        return iter(self._places)

    def add(self, key: int, header_ns: int, item: BagMessage) -> bool:
        """Take a message; return False if one of its key was there before."""
        if key in self._seen:
            return False
        self._seen.add(key)
        self._places[key] = (item.stamp_ns, header_ns)
        self._held[key] = item.message
        self._bytes += len(item.message.data)
        while self._bytes > _MOST_WAITING_BYTES and len(self._held) > 1:
            self._bytes -= len(self._held.pop(next(iter(self._held))).data)
        return True

    def pop(self, key: int) -> Any:
        """Return the message of a key, if need be from the bag."""
        place = self._places.pop(key)
        if key not in self._held:
            return self._bag.message_at(self._topic, *place).message
        message = self._held.pop(key)
        self._bytes -= len(message.data)
        return message
