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
"""Watches a running `segment_node` for the demo: is it ready, and what do its overlays show."""

import functools
import time
from collections.abc import Callable
from types import TracebackType

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_msgs.msg import String

from spssn_ros.imaging import to_rgb
from spssn_ros.nodes import qos
from spssn_ros.runtime import EvenSample

_QUIET_S = 1.0
_FIRST_S = 10.0
# Diagnostics come once a second.
_TOLD_S = 3.0


class OverlayListener:
    """Subscribes to the outputs of one `segment_node`; a context manager.

    Args:
        node_name: whose outputs.
        keep: how many overlays to show, evenly spread.

    """

    def __init__(self, node_name: str = 'segment_node', keep: int = 4) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('demo_listener', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._messages: EvenSample[Image] = EvenSample(keep)
        self._announced = False
        self.received = 0
        self._first_s = self._last_s = 0.0
        # What the node last said of its camera in /diagnostics, and when.
        self._told: dict[str, str] = {}
        self._told_s = 0.0
        self._status = f'/{node_name}: '
        self._node.create_subscription(
            Image, f'/{node_name}/overlay', self._on_overlay, qos.LOSSLESS
        )
        self._node.create_subscription(
            String, f'/{node_name}/label_info_json', self._on_announced, qos.LATCHED
        )
        self._node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.LOSSLESS
        )

    def __enter__(self) -> 'OverlayListener':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def spin_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Take messages until `condition()`; return False at the time-out."""
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True

    def spin_until_quiet(self) -> None:
        """Take messages until none has come for a second, or for three times as long as usual.

        The first one is waited for ten seconds.
        """
        come = True
        while come:
            before = self.received
            usual_s = self._seconds() / max(1, before - 1)
            patience_s = max(_QUIET_S, 3 * usual_s) if before else _FIRST_S
            come = self.spin_until(functools.partial(self._has_more, before), patience_s)

    def network_ready(self) -> bool:
        """Whether the node has loaded its network and announced the classes."""
        return self._announced

    def subscribers(self, topic: str) -> int:
        """Return how many subscribers a topic has."""
        return int(self._node.count_subscribers(topic))

    def overlays(self) -> list[NDArray[np.uint8]]:
        """Return the kept overlays, (H, W, 3) uint8 RGB each."""
        return [to_rgb(message) for message in self._messages.items()]

    def spin_until_told(self) -> None:
        """Take messages until the node has counted the latest overlay in /diagnostics."""
        self.spin_until(lambda: self._told_s > self._last_s, _TOLD_S)

    def summary(self) -> str:
        """Return a sentence on how many frames were answered and dropped, how fast, how late."""
        seconds = self._seconds()
        rate = f' at {(self.received - 1) / seconds:.1f} frames/s' if seconds else ''
        text = f'live: {self.received} frames answered{rate}'
        if self._told:
            text += f', {self._told["dropped"]} dropped'
        rejected = self._told.get('rejected', '0')
        if rejected != '0':
            text += f', {rejected} rejected'
        times = {name: self._told.get(f'total_ms_{name}') for name in ('p50', 'p95')}
        if all(times.values()):
            text += '; latency ' + ', '.join(f'{name} {ms} ms' for name, ms in times.items())
        return text

    def _has_more(self, before: int) -> bool:
        return self.received > before

    def _seconds(self) -> float:
        """Return the time from the first overlay to the latest."""
        return self._last_s - self._first_s

    def _on_announced(self, message: String) -> None:
        self._announced = True

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(self._status):
                self._told = {item.key: item.value for item in status.values}
                self._told_s = time.monotonic()

    def _on_overlay(self, message: Image) -> None:
        self._last_s = time.monotonic()
        self._first_s = self._first_s or self._last_s
        self.received += 1
        if self._messages.wants_next():
            self._messages.add(message)
