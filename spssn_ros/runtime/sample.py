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
"""A few items of a stream of unknown length, evenly spread."""

from typing import Generic, TypeVar

T = TypeVar('T')


class EvenSample(Generic[T]):
    """Keeps fewer than twice `size` items, whose memory stays bounded, and shows `size` of them.

    Ask `wants_next` for every item of the stream, and `add` it if so.

    Args:
        size: how many items to show.

    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._stride = 1
        self._seen = 0
        self._kept: list[T] = []

    def __len__(self) -> int:
        """Return the number of items kept."""
        return len(self._kept)

    def wants_next(self) -> bool:
        """Count one more item of the stream, and return whether it belongs to the sample."""
        self._seen += 1
        return (self._seen - 1) % self._stride == 0

    def add(self, item: T) -> None:
        """Keep an item that was wanted."""
        self._kept.append(item)
        if len(self._kept) == 2 * self._size:
            # Keep every second one: the sample stays even without knowing the stream's length.
            self._kept = self._kept[::2]
            self._stride *= 2

    def items(self) -> list[T]:
        """Return at most `size` items, spread over the stream, in order."""
        count = len(self._kept)
        shown = min(count, self._size)
        return [self._kept[i * count // shown] for i in range(shown)]
