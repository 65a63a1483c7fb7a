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
"""Settings that name one of a few things: the member, or a sentence with what there is."""

from enum import Enum

import pytest

from spssn_ros.choices import parse_choice
from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.truth import TruthFormat


class Side(Enum):
    LEFT = 'left'
    RIGHT = 'right'


@pytest.mark.parametrize('member', [*Side, *TruthFormat])
def test_the_member_of_a_value(member: Enum) -> None:
    assert parse_choice(type(member), member.value, 'key') is member


@pytest.mark.parametrize(
    ('kind', 'text'),
    [
        (Side, "key is 'up'; give left or right"),
        (TruthFormat, "key is 'up'; give one of auto, ids, camvid-colors, cityscapes-ids"),
    ],
)
def test_what_is_none_is_answered_with_those_that_there_are(kind: type[Enum], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_choice(kind, 'up', 'key')
    assert str(caught.value) == text
