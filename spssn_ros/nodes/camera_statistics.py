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
"""What is counted and timed of one camera of `segment_node`."""

from dataclasses import dataclass, field

from spssn_ros.runtime import Durations, Pace, Rate


@dataclass
class CameraStatistics:
    """What diagnostics tell of one camera.

    Attributes:
        rate_in: frames received.
        pace: of the frames received.
        rate_out: frames answered.
        stages: durations in milliseconds by stage.
        rate_rejected: frames that could not be used.
        answered: frames answered.
        rejected: frames that could not be used.
        last_error: text of the latest rejection.
        is_failing: whether the latest frame taken could not be used.
        frame_age_ms: from the header's stamp to publication, of the latest frame; NaN unstamped.
        unstamped: whether the latest frame had a stamp of zero.
        working_since_s: monotonic time since which a frame has been at work; None while none is.

    """

    rate_in: Rate = field(default_factory=Rate)
    pace: Pace = field(default_factory=Pace)
    rate_out: Rate = field(default_factory=Rate)
    rate_rejected: Rate = field(default_factory=Rate)
    stages: Durations = field(default_factory=Durations)
    answered: int = 0
    rejected: int = 0
    last_error: str = ''
    is_failing: bool = False
    frame_age_ms: float = float('nan')
    unstamped: bool = False
    working_since_s: float | None = None
