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
"""`segment_node` under simulated time that stands still, jumps back, or never comes."""

from collections.abc import Callable

import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import values  # noqa: E402
from in_process import Bench  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402

from spssn_ros.nodes.segment_node import SegmentNode  # noqa: E402


def test_frames_and_diagnostics_go_on_whatever_the_clock_does(
    bench: Callable[..., Bench],
) -> None:
    made = bench(SegmentNode, 'use_sim_time:=true')
    clock = made.peer.create_publisher(Clock, '/clock', 10)

    def go_on_at(seconds: float) -> None:
        message = Clock()
        message.clock.sec = int(seconds)
        made.labels.clear()
        made.diagnostics.clear()

        def came() -> bool:
            clock.publish(message)
            return len(made.labels) > 2 and len(made.diagnostics) > 2

        made.send_until(came)

    made.message.header.stamp.sec = 90
    made.labels.clear()
    made.send_until(lambda: made.labels and made.diagnostics)  # no clock yet
    go_on_at(100)
    made.send_until(lambda: values(made.diagnostics[-1])['frame_age_ms'].startswith('10000'))
    go_on_at(100)  # paused
    go_on_at(50)  # a bag that begins anew
    made.send_until(lambda: values(made.diagnostics[-1])['frame_age_ms'].startswith('-40000'))
    assert values(made.diagnostics[-1])['rejected'] == '0'


def test_a_frame_stamped_before_1970_is_answered_and_not_rejected(
    bench: Callable[..., Bench],
) -> None:
    made = bench(SegmentNode)
    made.message.header.stamp.sec = -5
    made.send_until(lambda: len(made.labels) > 2)
    assert made.labels[0].header.stamp.sec == -5
    made.diagnostics.clear()
    made.send_until(lambda: made.diagnostics and values(made.diagnostics[-1])['frame_age_ms'])
    told = values(made.diagnostics[-1])
    assert float(told['frame_age_ms']) > 1e12
    assert told['rejected'] == '0'
