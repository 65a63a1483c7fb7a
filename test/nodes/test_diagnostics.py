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

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from in_process import Bench

from spssn_ros.nodes.camera_statistics import CameraStatistics
from spssn_ros.nodes.diagnostics import diagnostic_array
from spssn_ros.nodes.segment_node import SegmentNode
from spssn_ros.runtime import Pace, Rate, SlotCounts

NO_IMAGES = (DiagnosticStatus.WARN, 'no images on /image')


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def said(statistics: CameraStatistics) -> tuple[bytes, str]:
    """Return level and message of a camera of an active node whose labels are wanted."""
    camera: Any = SimpleNamespace(
        name='', topic='/image', statistics=statistics, wanted=lambda: {'label'}
    )
    plan = SimpleNamespace(
        device=SimpleNamespace(value='cpu'), backend=SimpleNamespace(value='torch')
    )
    backend = SimpleNamespace(precision=SimpleNamespace(value='float32'))
    segmenter: Any = SimpleNamespace(description='', plan=plan, backend=backend)
    counted = [(camera, SlotCounts())]
    (status,) = diagnostic_array('/segment_node', Time(), segmenter, counted).status
    return status.level, status.message


def test_a_slow_camera_is_well_between_two_frames_and_told_once_it_has_stopped() -> None:
    clock = Clock()
    statistics = CameraStatistics(rate_in=Rate(clock=clock), pace=Pace(clock=clock))
    assert said(statistics) == NO_IMAGES
    for _ in range(4):
        clock.now += 30
        statistics.rate_in.tick()
        statistics.pace.tick()
    clock.now += 29
    assert said(statistics) == (DiagnosticStatus.OK, '0.0 of 0.0 frames a second answered')
    statistics.is_failing, statistics.last_error = True, 'damaged'
    assert said(statistics) == (DiagnosticStatus.ERROR, 'damaged')
    clock.now += 62
    assert said(statistics) == NO_IMAGES


def test_a_camera_fails_until_a_frame_of_it_is_answered(bench: Callable[..., Bench]) -> None:
    made = bench(SegmentNode)
    statistics = made.node._cameras[''].statistics
    made.message.encoding = 'rgb7'
    made.send_until(lambda: statistics.is_failing)
    made.message.encoding = 'rgb8'
    made.send_until(lambda: not statistics.is_failing)


def test_a_frame_that_hangs_is_an_error_also_when_no_more_images_come() -> None:
    statistics = CameraStatistics()
    assert said(statistics) == NO_IMAGES
    statistics.working_since_s = time.monotonic() - 21
    assert said(statistics) == (DiagnosticStatus.ERROR, 'one frame has been at work for 21 s')
