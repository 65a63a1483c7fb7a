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

import pytest

from spssn_ros.runtime import Causes


@pytest.mark.parametrize(
    'again',
    [
        "image 7x8 'rgb9': unsupported encoding",
        "image 64x48 'x [y': unsupported encoding",
    ],
)
def test_a_cause_is_told_once_whatever_its_details(again: str) -> None:
    causes = Causes()
    assert causes.due("image 64x48 'RGB8': unsupported encoding")
    assert not causes.due(again)
    assert causes.due("image 64x48 'RGB8': step 3 is shorter than a row of 9 bytes")


def test_a_cause_is_told_again_after_a_minute() -> None:
    now = [0.0]
    causes = Causes(clock=lambda: now[0])
    told = []
    for now[0] in range(130):
        if causes.due(f'frame {now[0]} is damaged'):
            told.append(now[0])
    assert told == [0, 60, 120]


def test_endless_causes_are_told_as_one() -> None:
    causes = Causes(most=5)
    assert sum(causes.due('x' * length) for length in range(1, 1000)) == 6
    assert len(causes._told_at) == 6
