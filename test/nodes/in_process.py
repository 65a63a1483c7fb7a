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
"""Runs `segment_node` within the test's process, where its parts can be reached."""

import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from harness import TIMEOUT_S, camera_image, picture
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from spssn_ros.nodes.segment_node import SegmentNode


class Bench:
    """The node under test and a camera, in this process."""

    def __init__(self, kind: type[SegmentNode]) -> None:
        self.node: Any = kind()
        self.peer = rclpy.create_node('peer')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self.labels: list[Image] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.peer.create_subscription(Image, '/segment_node/label', self.labels.append, 10)
        self.peer.create_subscription(DiagnosticArray, '/diagnostics', self.diagnostics.append, 10)
        self.publisher = self.peer.create_publisher(Image, 'image', 10)
        self.message = camera_image(picture())

    def send(self) -> None:
        """Publish a frame and take what comes within some milliseconds."""
        self.message.header.stamp.nanosec += 1
        self.publisher.publish(self.message)
        for _ in range(5):
            self.executor.spin_once(timeout_sec=0.01)

    def send_until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end, self.status
            self.send()

    @property
    def status(self) -> DiagnosticStatus:
        return self.diagnostics[-1].status[0] if self.diagnostics else DiagnosticStatus()

    def settle(self) -> None:
        """Take what has come and what is on its way within this process."""
        for _ in range(50):
            self.executor.spin_once(timeout_sec=0.01)

    def says(self, level: bytes, text: str) -> bool:
        return bool(self.status.level == level and text in self.status.message)

    def close(self) -> None:
        self.node.stop()
        self.node.destroy_node()
        self.peer.destroy_node()
