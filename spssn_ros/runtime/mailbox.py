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
"""Newest-only hand-over of frames from subscriptions to the inference thread."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar('T')


@dataclass(frozen=True)
class SlotCounts:
    """What came into a slot since the start.

    Attributes:
        received: items put.
        dropped: items replaced by a newer one before they were taken.

    """

    received: int = 0
    dropped: int = 0


class Mailbox(Generic[T]):
    """One newest-only slot a camera.

    Latency cannot pile up: a new item replaces the one that waits. Slots are served in turn, so
    that a flooding camera cannot starve another. Safe to use from any thread.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: dict[Hashable, T] = {}
        self._counts: dict[Hashable, SlotCounts] = {}
        self._woken = False
        self.closed = False

    def put(self, slot: Hashable, item: T) -> bool:
        """Leave an item; return whether it replaced one. After `close` it is ignored."""
        with self._condition:
            if self.closed:
                return False
            replaces = slot in self._waiting
            counts = self._counts.get(slot, SlotCounts())
            self._counts[slot] = SlotCounts(counts.received + 1, counts.dropped + replaces)
            # A replacing item keeps its slot's place in the row: dicts keep the order of the
            # first insertion.
            self._waiting[slot] = item
            self._condition.notify()
            return replaces

    def take(self, timeout_s: float | None = None) -> tuple[Hashable, T] | None:
        """Wait for an item and return (slot, item).

        The slot that has waited longest is served first; one just served queues up anew.

        Returns:
            None at the time-out, after `wake`, or once closed.

        """
        with self._condition:
            self._condition.wait_for(
                lambda: self._waiting or self._woken or self.closed, timeout_s
            )
            if self.closed or self._woken or not self._waiting:
                self._woken = False
                return None
            slot = next(iter(self._waiting))
            return slot, self._waiting.pop(slot)

    def take_more(self, most: int, fits: Callable[[T], bool]) -> list[tuple[Hashable, T]]:
        """Return at most `most` of the items that wait and fit, in turn, without waiting."""
        with self._condition:
            slots = [slot for slot, item in self._waiting.items() if fits(item)][:most]
            return [(slot, self._waiting.pop(slot)) for slot in slots]

    def wake(self) -> None:
        """Make the next or present `take` return None once, so that its caller looks about."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def clear(self) -> None:
        """Throw away what waits."""
        with self._condition:
            self._waiting.clear()

    def close(self) -> None:
        """Wake every waiter and take nothing more."""
        with self._condition:
            self.closed = True
            self._waiting.clear()
            self._condition.notify_all()

    def counts(self, slot: Hashable) -> SlotCounts:
        """Return the slot's counts so far."""
        with self._condition:
            return self._counts.get(slot, SlotCounts())
