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
"""What a camera's diagnostics say, by a clock of the test's own."""

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from spssn_ros.nodes.camera_statistics import CameraStatistics
from spssn_ros.nodes.diagnostics import diagnostic_array
from spssn_ros.runtime import Pace, Rate, SlotCounts


def test_a_slow_camera_is_well_between_two_frames_and_told_once_it_has_stopped() -> None:
    now = 100.0

    def clock() -> float:
        return now

    statistics = CameraStatistics(rate_in=Rate(clock=clock), pace=Pace(clock=clock))
    camera: Any = SimpleNamespace(
        name='', topic='/image', statistics=statistics, wanted=lambda: {'label'}
    )
    segmenter: Any = SimpleNamespace(
        description='',
        plan=SimpleNamespace(
            device=SimpleNamespace(value='cpu'), backend=SimpleNamespace(value='torch')
        ),
        backend=SimpleNamespace(precision=SimpleNamespace(value='float32')),
    )

    def said() -> tuple[bytes, str]:
        counted = [(camera, SlotCounts())]
        (status,) = diagnostic_array('/segment_node', Time(), segmenter, counted).status
        return status.level, status.message

    none = (DiagnosticStatus.WARN, 'no images on /image')
    assert said() == none
    for _ in range(4):
        now += 30
        statistics.rate_in.tick()
        statistics.pace.tick()
    now += 29
    assert said() == (DiagnosticStatus.OK, '0.0 of 0.0 frames a second answered')
    now += 62
    assert said() == none
