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
"""Which stamps of two topics belong together."""

import heapq
from collections.abc import Iterable
from itertools import pairwise


def match_stamps(images: Iterable[int], truths: Iterable[int], slop_ns: int) -> dict[int, int]:
    """Pair image stamps with truth stamps that are at most `slop_ns` apart.

    The two that are nearest to each other are paired first, then the nearest of the rest, and so
    on; each stamp is used once, and of equally near pairs the earlier one is taken. The order of
    the arguments does not matter. Takes O(n log n) time and O(n) memory.

    Returns:
        Truth stamp by image stamp, nanoseconds.

    """
    points = sorted(
        [(stamp, False) for stamp in {*images}] + [(stamp, True) for stamp in {*truths}]
    )
    # The nearest two of different kind are always neighbours on the line of those left.
    before, after = list(range(-1, len(points) - 1)), list(range(1, len(points) + 1))
    taken = [False] * len(points)
    near: list[tuple[int, int, int]] = []

    def consider(first: int, second: int) -> None:
        distance = points[second][0] - points[first][0]
        if points[first][1] != points[second][1] and distance <= slop_ns:
            heapq.heappush(near, (distance, first, second))

    for first, second in pairwise(range(len(points))):
        consider(first, second)
    pairs = {}
    while near:
        _, first, second = heapq.heappop(near)
        if taken[first] or taken[second]:
            continue
        taken[first] = taken[second] = True
        image, truth = (second, first) if points[first][1] else (first, second)
        pairs[points[image][0]] = points[truth][0]
        left, right = before[first], after[second]
        if left >= 0:
            after[left] = right
        if right < len(points):
            before[right] = left
            if left >= 0:
                consider(left, right)
    return pairs


def smallest_distance(images: Iterable[int], truths: Iterable[int]) -> int | None:
    """Return how far apart the two nearest stamps of two topics are; None if one has none."""
    points = sorted([(stamp, 0) for stamp in images] + [(stamp, 1) for stamp in truths])
    distances = [b[0] - a[0] for a, b in pairwise(points) if a[1] != b[1]]
    return min(distances, default=None)
