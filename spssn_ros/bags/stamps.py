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
"""Header stamps."""

from typing import Any

from spssn_ros.errors import BagError

END_OF_TIME_NS = 2**31 * 1_000_000_000
"""ROS counts the seconds since 1970 by 31 bits."""


def header_stamp_ns(message: Any) -> int:
    """Return the stamp in a message's header, in nanoseconds.

    Raises:
        BagError: its type has no header.

    """
    header = getattr(message, 'header', None)
    if header is None:
        raise BagError(f'messages of type {type(message).__name__} have no header with a stamp')
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def stamp_text(stamp_ns: int) -> str:
    """Return a stamp as seconds with nine decimals."""
    return f'{stamp_ns // 10**9}.{stamp_ns % 10**9:09d}'
