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
"""Which pairs of which bags a process scores, where several share the work."""

import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.evaluation.instance_truth import InstanceImages
from spssn_ros.evaluation.pairing import BagPairs, Pair


@dataclass
class Share:
    """The pairs of a bag that one process scores; by default all.

    Attributes:
        source: all pairs of the bag.
        size: the most pairs there can be.
        instance_topic: topic of the truth's instances; '' for none.
        first: index of the first pair of this share, in the bag's order.
        last: index after its last one.
        is_owner: whether this process answers for the whole source: it reads it to the end, and
            counts what is unmatched.

    """

    source: BagPairs
    size: int
    instance_topic: str = ''
    first: int = 0
    last: int = sys.maxsize
    is_owner: bool = True
    _found: int = 0

    @property
    def unmatched_images(self) -> int:
        """Images without truth, in the process that owns the source, else 0."""
        return self.source.unmatched_images if self.is_owner else 0

    @property
    def unmatched_labels(self) -> int:
        """Truth without image, in the process that owns the source, else 0."""
        return self.source.unmatched_labels if self.is_owner else 0

    @property
    def has_no_pair(self) -> bool:
        """Whether the source, read to its end, has not one pair; known to its owner."""
        return self.is_owner and not self._found

    def pairs(self) -> Generator[Pair, None, None]:
        """Yield the pairs of this share; closing the generator closes the bag.

        Raises:
            BagError: as the source, or a pair has no instance image.

        """
        self._found = 0
        with ExitStack() as stack:
            pairs = stack.enter_context(closing(self.source.pairs()))
            topic = self.instance_topic
            images = (
                stack.enter_context(InstanceImages(self.source.path, topic)) if topic else None
            )
            for index, pair in enumerate(pairs):
                self._found += 1
                if self.first <= index < self.last:
                    if images is not None:
                        stamp_ns = header_stamp_ns(pair.truth)
                        pair = replace(pair, instances=images.at(stamp_ns))
                    yield pair
                if index + 1 >= self.last and not self.is_owner:
                    return


def deal(work: Sequence[Share], rank: int, count: int) -> list[Share]:
    """Return what a process has to do, of as many pairs as any other's, give or take one.

    The bags lie end to end on one line, which is cut into `count` equal pieces. So every process
    works on few bags, reads a bag that is all its own once, and decodes no image of another's; a
    bag that is cut is read, not decoded, by each of those who share it.

    Args:
        work: the whole of every source.
        rank: which process, from 0.
        count: how many there are.

    """
    total = sum(share.size for share in work)
    begin, end = total * rank // count, total * (rank + 1) // count
    mine = []
    offset = 0
    for share in work:
        # Sources without a pair at the end of the line are the last process's.
        is_owner = begin <= offset < end or (offset == total and rank == count - 1)
        first, last = max(begin - offset, 0), min(end - offset, share.size)
        if is_owner or first < last:
            mine.append(replace(share, first=first, last=last, is_owner=is_owner))
        offset += share.size
    return mine
