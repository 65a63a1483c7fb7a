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
"""Stamps are paired nearest first, one to one, in whatever order they come."""

import random
import time

import pytest

from spssn_ros.evaluation.stamps import match_stamps, smallest_distance


def greedy(images: set[int], truths: set[int], slop: int) -> dict[int, int]:
    """Pair by the definition: again and again the nearest two that are left, the earlier first."""
    images, truths, pairs = set(images), set(truths), {}
    while True:
        near = [
            (abs(image - truth), min(image, truth), image, truth)
            for image in images
            for truth in truths
            if abs(image - truth) <= slop
        ]
        if not near:
            return pairs
        *_, image, truth = min(near)
        pairs[image] = truth
        images.remove(image)
        truths.remove(truth)


@pytest.mark.parametrize('seed', range(30))
def test_as_by_definition(seed: int) -> None:
    rng = random.Random(seed)
    images = {rng.randrange(60) for _ in range(rng.randrange(1, 16))}
    truths = {rng.randrange(60) for _ in range(rng.randrange(1, 16))}
    # Pairs as near and as early as one another can be chosen either way.
    for slop in (0, 1, 3, 100):
        pairs = match_stamps(images, truths, slop)
        assert sorted(abs(i - t) for i, t in pairs.items()) == sorted(
            abs(i - t) for i, t in greedy(images, truths, slop).items()
        )
        assert len({*pairs.values()}) == len(pairs)
        assert pairs.keys() <= images
        assert {*pairs.values()} <= truths


def test_the_order_does_not_matter() -> None:
    images, truths = [30, 10, 20, 45], [41, 12, 33, 19]
    expected = {10: 12, 20: 19, 30: 33, 45: 41}
    for _ in range(5):
        random.shuffle(images)
        random.shuffle(truths)
        assert match_stamps(images, truths, 4) == expected


def test_each_truth_of_a_slow_topic_gets_the_nearest_image() -> None:
    images = range(0, 10_000, 33)
    truths = [1000, 2000, 3000]
    assert match_stamps(images, truths, 500) == {990: 1000, 2013: 2000, 3003: 3000}


def test_the_slop_is_included_and_ties_go_to_the_earlier() -> None:
    assert match_stamps([10], [15], 5) == {10: 15}
    assert match_stamps([10], [15], 4) == {}
    assert match_stamps([10, 20], [15], 5) == {10: 15}
    assert match_stamps([15], [20, 10], 5) == {15: 10}


def test_a_slop_of_years_pairs_all_of_a_long_run() -> None:
    start = time.process_time()
    pairs = match_stamps(range(0, 40_000, 2), range(1, 80_001, 2), 10**18)
    assert len(pairs) == 20_000
    # All pairs of all stamps would be 800 million candidates.
    assert time.process_time() - start < 30


def test_smallest_distance() -> None:
    assert smallest_distance([1, 100], [50, 93]) == 7
    assert smallest_distance([5], [5]) == 0
    assert smallest_distance([5], []) is None
