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
"""Tell each cause of trouble once, however often it comes."""

import re
import time
from collections.abc import Callable

# What differs between two messages of one cause: numbers, and what somebody named.
_DETAILS = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\d+")


class Causes:
    """Which messages to tell: the first of each cause, and again after a while.

    Two texts have the same cause if they differ in numbers, quotations and brackets alone.

    Args:
        repeat_s: after so many seconds a cause may be told again.
        most: so many causes are told apart; all further ones count as one.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        repeat_s: float = 60.0,
        most: int = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repeat_s, self._most, self._clock = repeat_s, most, clock
        self._told_at: dict[str, float] = {}

    def due(self, text: str) -> bool:
        """Return whether to tell this, and count it as told."""
        cause = _DETAILS.sub('', text)
        if cause not in self._told_at and len(self._told_at) >= self._most:
            cause = ''
        now = self._clock()
        if now < self._told_at.get(cause, float('-inf')) + self._repeat_s:
            return False
        self._told_at[cause] = now
        return True
