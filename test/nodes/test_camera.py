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
from harness import camera_image, picture
from in_process import Bench
from sensor_msgs.msg import CameraInfo, Image

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


def test_camera_info_alone_is_passed_on_without_the_network(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(SegmentNode, 'cameras:=[front]', 'output_size:=48x32')
    camera = made.node._cameras['front']
    segmenter = made.node._pipeline.segmenter
    batches: list[int] = []
    batch = segmenter.batch

    def counted(frames: Any, *arguments: Any) -> Any:
        batches.append(len(frames))
        return batch(frames, *arguments)

    monkeypatch.setattr(segmenter, 'batch', counted)
    infos: list[CameraInfo] = []
    listener = made.peer.create_subscription(
        CameraInfo, '/segment_node/front/camera_info', infos.append, 10
    )
    made.publisher = made.peer.create_publisher(Image, 'front/image', 10)
    calibration = made.peer.create_publisher(CameraInfo, 'front/camera_info', 10)

    # Without one there is nothing to pass on, and no frame is taken.
    made.send_until(lambda: camera.wanted() and camera.statistics.rate_in.per_second())
    made.send()
    made.settle()
    assert camera.statistics.answered == 0
    assert camera.statistics.stages.percentiles() == {}
    calibration.publish(CameraInfo(width=96, height=64, k=[80.0, 0, 48, 0, 80, 32, 0, 0, 1]))
    made.send_until(lambda: len(infos) > 2)
    assert infos[0].header.frame_id == 'front_camera'
    assert infos[0].header.stamp.sec == made.message.header.stamp.sec
    assert (infos[0].width, infos[0].height, infos[0].k[0]) == (48, 32, 40)
    assert batches == []
    made.settle()
    assert camera.statistics.answered == len(infos)
    assert camera.statistics.rejected == 0

    # A frame that cannot be used has none.
    good = made.message
    made.message = camera_image(picture())
    made.message.encoding = 'rgb7'
    infos.clear()
    made.send_until(lambda: camera.statistics.rejected > 2)
    assert infos == []

    made.message = good
    made.labels.clear()
    made.peer.create_subscription(Image, '/segment_node/front/label', made.labels.append, 10)
    made.send_until(lambda: made.labels and infos)
    assert set(batches) == {1}
    made.peer.destroy_subscription(listener)
