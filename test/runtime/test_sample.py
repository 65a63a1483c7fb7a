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
"""A few items stand for a stream of any length, evenly."""

import pytest

from spssn_ros.runtime import EvenSample


def sampled(size: int, length: int) -> EvenSample[int]:
    sample: EvenSample[int] = EvenSample(size)
    for item in range(length):
        if sample.wants_next():
            sample.add(item)
    return sample


@pytest.mark.parametrize(
    ('length', 'shown'),
    [
        (0, []),
        (1, [0]),
        (3, [0, 1, 2]),
        (4, [0, 1, 2]),
        (5, [0, 1, 3]),
        # From the sixth on every second one is kept, from the eleventh every fourth.
        (6, [0, 2, 4]),
        (8, [0, 2, 4]),
        (11, [0, 4, 8]),
        (21, [0, 8, 16]),
    ],
)
def test_what_is_shown_is_spread_over_the_stream(length: int, shown: list[int]) -> None:
    assert sampled(3, length).items() == shown


@pytest.mark.parametrize('size', [1, 2, 5])
def test_memory_stays_bounded(size: int) -> None:
    assert max(len(sampled(size, length)) for length in range(200)) == max(2 * size - 1, 1)
    assert all(len(sampled(size, length)) >= size for length in range(size, 200))
