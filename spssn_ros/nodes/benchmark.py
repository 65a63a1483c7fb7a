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
"""Measures `segment_node` from outside: frames published by one process, answered by another."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image

from spssn_ros.errors import SpssnError
from spssn_ros.nodes import qos
from spssn_ros.nodes.children import Process, check_alive, isolate, started
from spssn_ros.nodes.messages import image_message
from spssn_ros.nodes.params_file import parameter_words
from spssn_ros.runtime import Percentiles, keep_freed_memory
from spssn_ros.synthetic import StreetScene

MOST_DROPPED = 0.05
"""Share of frames that may be lost at the peak rate (NVIDIA's ros2_benchmark allows as many)."""

_DISTINCT_FRAMES = 8
_READY_S = 120.0
# What has not come by then will not; a large network takes seconds for a frame.
_LOST_S = 30.0
_PEAK_STEP = 1.06


@dataclass(frozen=True)
class NodeTiming:
    """Frames of one size sent to the node for a while.

    Attributes:
        rate_hz: at which they were published; None where each waited for the answer to the last.
        published: number of frames.
        answered: number of labels.
        latency_ms: from just before publishing to the label's arrival, through DDS both ways.
        engine_ms: median of the network's share of it, as the node's diagnostics tell: over the
            last five seconds, so that shorter runs see something of the one before.
        on_time: whether the publisher kept the rate.

    """

    rate_hz: float | None
    published: int
    answered: int
    latency_ms: Percentiles
    engine_ms: float
    on_time: bool = True

    @property
    def dropped(self) -> float:
        """Share of the frames that were not answered."""
        return 1 - self.answered / self.published

    @property
    def added_ms(self) -> float:
        """What the node and DDS add to the engine, at the medians."""
        return self.latency_ms.p50 - self.engine_ms


@dataclass(frozen=True)
class NodeResult:
    """All that was measured at one size.

    Attributes:
        timings: one frame at a time first, then at each rate.
        peak: at the highest rate found with fewer drops than `MOST_DROPPED`; None if there was
            none.

    """

    timings: tuple[NodeTiming, ...]
    peak: NodeTiming | None


def benchmark_node(
    size: tuple[int, int],
    rates_hz: Sequence[float],
    seconds: float,
    weights: str,
    input_size: str = 'auto',
) -> NodeResult:
    """Publish bgr8 frames to a `segment_node` of its own process and count its labels.

    Args:
        size: (width, height) of the frames.
        rates_hz: frames a second.
        seconds: for each rate.
        weights: of the network.
        input_size: the node's parameter.

    Raises:
        SpssnError: the node did not become ready.

    """
    isolate()
    # The camera's own cost belongs to no node.
    keep_freed_memory()
    arguments = parameter_words(
        {'weights': weights, 'input_size': input_size, 'diagnostics_period': 0.2}
    )
    with started('segment_node', ['--ros-args', *arguments, '--log-level', 'error']) as process:
        link = _Link(process, size)
        try:
            link.wait_until_ready()
            alone = link.send_one_by_one(seconds)
            timings = [alone, *(link.send_at(rate, seconds) for rate in rates_hz)]
            peak = find_peak(
                lambda rate: link.send_at(rate, seconds / 2), 1000 / alone.latency_ms.p50
            )
            return NodeResult(tuple(timings), peak)
        finally:
            link.close()


def find_peak(measure: Callable[[float], NodeTiming], guess_hz: float) -> NodeTiming | None:
    """Search the highest rate with few drops, from a quarter to four times a guess.

    Args:
        measure: sends frames at a rate.
        guess_hz: the rate without any overlap of frames, say.

    """
    best: NodeTiming | None = None
    low, high = guess_hz / 4, guess_hz * 4
    rate = guess_hz
    while high / low > _PEAK_STEP:
        timing = measure(rate)
        if timing.dropped < MOST_DROPPED and timing.on_time:
            best, low = timing, rate
        else:
            high = rate
        rate = math.sqrt(low * high)
    return best


class _Link:
    """The side of the measuring process: a camera, and a subscriber to labels and diagnostics."""

    def __init__(self, process: Process, size: tuple[int, int]) -> None:
        self._process = process
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node('benchmark', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._messages = list(_messages(size))
        self._sent_s: dict[int, float] = {}
        self._latencies_ms: list[float] = []
        self._number = 0
        self._engine_ms = float('nan')
        self._diagnosed = 0
        self._publisher = self._node.create_publisher(Image, 'image', qos.OUTPUT)
        self._node.create_subscription(Image, '/segment_node/label', self._on_label, qos.LOSSLESS)
        self._node.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.LOSSLESS
        )

    def close(self) -> None:
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def wait_until_ready(self) -> None:
        """Have three frames answered; the first ones compile the network for their size."""
        self._spin(_READY_S, lambda: self._publisher.get_subscription_count() > 0)
        deadline = time.monotonic() + _READY_S
        while len(self._latencies_ms) < 3:
            check_alive(self._process, 'segment_node')
            if time.monotonic() > deadline:
                raise SpssnError(
                    f'segment_node did not answer within {_READY_S:.0f} s; its log above says why'
                )
            self._publish()
            self._spin(0.5)
        # What was sent in vain may still come.
        self._spin(1.0)

    def send_one_by_one(self, seconds: float) -> NodeTiming:
        """Publish each frame when the one before is answered, or lost."""
        self._begin()
        end = time.monotonic() + seconds
        count = 0
        while not count or time.monotonic() < end:
            answered = len(self._latencies_ms)
            self._publish()
            count += 1
            self._spin(_LOST_S, lambda before=answered: len(self._latencies_ms) > before)  # type: ignore[misc]
        return self._timing(None, count)

    def send_at(self, rate_hz: float, seconds: float) -> NodeTiming:
        """Publish at a rate."""
        self._begin()
        start, count = time.monotonic(), max(1, round(rate_hz * seconds))
        for i in range(count):
            self._spin(start + i / rate_hz - time.monotonic())
            self._publish()
        # The last frame leaves one period before the end.
        on_time = time.monotonic() - start < 1.03 * count / rate_hz
        self._spin(2.0, lambda: len(self._latencies_ms) == count)
        return self._timing(rate_hz, count, on_time)

    def _begin(self) -> None:
        check_alive(self._process, 'segment_node')
        self._latencies_ms.clear()
        self._sent_s.clear()

    def _timing(self, rate_hz: float | None, count: int, on_time: bool = True) -> NodeTiming:
        diagnosed = self._diagnosed
        self._spin(_LOST_S, lambda: self._diagnosed > diagnosed)
        check_alive(self._process, 'segment_node')
        return NodeTiming(
            rate_hz,
            count,
            len(self._latencies_ms),
            Percentiles.of(self._latencies_ms),
            self._engine_ms,
            on_time,
        )

    def _publish(self) -> None:
        message = self._messages[self._number % _DISTINCT_FRAMES]
        message.header.stamp.sec = self._number
        self._sent_s[self._number] = time.monotonic()
        self._number += 1
        self._publisher.publish(message)

    def _on_label(self, label: Image) -> None:
        sent_s = self._sent_s.pop(label.header.stamp.sec, None)
        if sent_s is not None:
            self._latencies_ms.append((time.monotonic() - sent_s) * 1e3)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        values = {value.key: value.value for value in array.status[0].values}
        if values.get('network_ms_p50'):
            self._engine_ms = float(values['network_ms_p50'])
            self._diagnosed += 1

    def _spin(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        end = time.monotonic() + seconds
        while not done() and (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 0.05))
            if self._process.poll() is not None:
                return


def _messages(size: tuple[int, int]) -> Iterator[Image]:
    scene = StreetScene(0, *size)
    for i in range(_DISTINCT_FRAMES):
        message = image_message(Image().header, scene.render(i / 10)[0][..., ::-1])
        message.encoding = 'bgr8'
        yield message
