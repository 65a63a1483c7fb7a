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
"""Lets work be done while it is allowed."""

import contextlib
import threading
from collections.abc import Iterator


class Gate:
    """Closed at first. Safe to use from any thread.

    Attributes:
        is_open: whether work may begin.

    """

    def __init__(self) -> None:
        self.is_open = False
        self._passing = threading.Lock()

    def open(self) -> None:
        """Allow work."""
        self.is_open = True

    def close(self) -> None:
        """Forbid work, and wait for what is within `passing`."""
        self.is_open = False
        with self._passing:
            pass

    @contextlib.contextmanager
    def passing(self) -> Iterator[bool]:
        """Tell whether the gate is open; `close` does not return before the block ends."""
        with self._passing:
            yield self.is_open
