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
"""Says in the log, once a cause, why the node is silent or drops frames."""

import time
from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode

from spssn_ros.nodes.camera import Camera
from spssn_ros.runtime import SlotCounts

GRACE_S = 2.0
"""Discovery takes a moment; what ends within it is nothing to report."""


class Explainer:
    """Looks at the cameras about once a second and tells each cause when it begins.

    Args:
        node: whose log and graph are used.
        counts: the mailbox's counts of a camera.

    """

    def __init__(self, node: LifecycleNode, counts: Callable[[Camera], SlotCounts]) -> None:
        self._node = node
        self._counts = counts
        self._log = node.get_logger()
        self._since: dict[tuple[str, str], float] = {}
        self._told: set[tuple[str, str]] = set()
        self._before: dict[str, SlotCounts] = {}

    def look(self, camera: Camera) -> None:
        """Tell what has begun since the last look."""
        no_publisher = self._node.count_publishers(camera.topic) == 0
        self._cause(
            camera,
            'publisher',
            no_publisher,
            f'waiting for images: nobody publishes {camera.topic}; start the camera, or remap '
            f'(--ros-args -r image:=/your/topic)',
        )
        idle = not no_publisher and not camera.wanted()
        self._cause(
            camera,
            'subscriber',
            idle,
            f'idle: {camera.topic} is published, but nobody subscribes to an output, so nothing '
            'is computed; subscribe to one, such as ~/label or ~/overlay',
        )
        self._look_at_drops(camera)

    def _look_at_drops(self, camera: Camera) -> None:
        counts = self._counts(camera)
        before = self._before.get(camera.name, SlotCounts())
        received = counts.received - before.received
        # A share of a handful of frames says little.
        if received < 20:
            return
        self._before[camera.name] = counts
        share = (counts.dropped - before.dropped) / received
        stages = camera.statistics.stages.percentiles()
        total = stages['total'].p50 if 'total' in stages else float('nan')
        self._cause(
            camera,
            'drops',
            share > 0.05,
            f'{camera.topic}: {share:.0%} of the frames are replaced by newer ones before their '
            f'turn, because a frame takes {total:.0f} ms; lower the camera rate, set max_rate, or '
            'give a smaller input_size',
            grace_s=0.0,
        )

    def _cause(
        self, camera: Camera, name: str, present: bool, text: str, grace_s: float = GRACE_S
    ) -> None:
        key = (camera.name, name)
        if not present:
            self._since.pop(key, None)
            self._told.discard(key)
            return
        since = self._since.setdefault(key, time.monotonic())
        if key not in self._told and time.monotonic() - since >= grace_s:
            self._told.add(key)
            self._log.warning(text)
