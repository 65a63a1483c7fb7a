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
"""One camera of `segment_node`."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from in_process import Bench

from spssn_ros.nodes import camera as camera_module
from spssn_ros.nodes.segment_node import SegmentNode


class Clock:
    """Stands in for `time`: goes when a test says so."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_which_frames_are_within_a_rate_that_changes(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    camera: Any = bench(SegmentNode).node._cameras['']
    monkeypatch.setattr(camera_module, 'time', clock)

    def due_at(rate: float, *times: float) -> list[bool]:
        found = []
        for clock.now in times:
            found.append(camera.due(rate))
        return found

    assert due_at(2.0, 1000.0, 1000.2, 1000.4, 1000.5, 1000.6, 1001.0) == [
        *(True, False, False, True, False, True)
    ]
    # Every 100 s; then at once every tenth of a second.
    assert due_at(0.01, 2000.0, 2001.0) == [True, False]
    assert due_at(10.0, 2001.05, 2001.15, 2001.2, 2001.25) == [False, True, False, True]
    assert due_at(0.0, 2001.26, 2001.27) == [True, True]
