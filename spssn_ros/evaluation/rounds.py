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
"""Tells the rounds of a bag apart that is played in a loop, with the same stamps in each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A moment, as the truth that came tells it.

    Attributes:
        round: how often the stamps had started again.
        stamp_ns: of the truth that was the latest; before the first one None.

    """

    round: int = 0
    stamp_ns: int | None = None


class Rounds:
    """Follows the stamps of truth, and judges by them whether what waits is of an earlier round.

    Time alone would not do: a label may come before its truth, and then finds that of the round
    before, which got no label. Labels are taken to be less than half a round late.

    Attributes:
        place: where the truth is now.

    """

    def __init__(self) -> None:
        self.place = Place()
        # Of this round: the stamps' range, and how many there were.
        self._first_ns = self._highest_ns = self._count = 0
        # Of the one before: where it ended, and its length with the pause behind it.
        self._end_ns = self._length_ns = 0

    def follow(self, stamp_ns: int) -> None:
        """Note that truth came; that is a new round where the stamps go back most of their way."""
        number, reach_ns = self.place.round, self._highest_ns - self._first_ns
        # Those of two cameras on one topic go back a little all the time.
        if self._count > 1 and 2 * (self._highest_ns - stamp_ns) > reach_ns > 0:
            number += 1
            self._end_ns = self._highest_ns
            self._length_ns = reach_ns + reach_ns // (self._count - 1)
            self._count = 0
        if not self._count:
            self._first_ns = self._highest_ns = stamp_ns
        self._count += 1
        self._first_ns = min(self._first_ns, stamp_ns)
        self._highest_ns = max(self._highest_ns, stamp_ns)
        self.place = Place(number, stamp_ns)

    def is_old_truth(self, came: Place, stamp_ns: int) -> bool:
        """Whether truth that came at a place is too old for a label of its stamp, come now."""
        ago, now_ns = self.place.round - came.round, self.place.stamp_ns or 0
        if ago == 0:
            # A label that is early is, at the end of a round, of the beginning of the next one.
            at_end = self.place.round > 0 and now_ns == self._end_ns
            return at_end and 2 * (now_ns - stamp_ns) > self._length_ns
        # A label that is late is of truth that now lies nearly a whole round ahead.
        return ago > 1 or 0 < 2 * (stamp_ns - now_ns) <= self._length_ns

    def is_old_label(self, came: Place, stamp_ns: int) -> bool:
        """Whether a label that came at a place is too old for truth of its stamp, come now."""
        ago = self.place.round - came.round
        # A label that is early came at the end of the round before.
        return ago > 1 or (ago == 1 and 2 * ((came.stamp_ns or 0) - stamp_ns) <= self._length_ns)
