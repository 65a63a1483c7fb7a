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

import time
from collections.abc import Callable

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image

from spssn_ros.errors import SpssnError
from spssn_ros.nodes import qos
from spssn_ros.nodes.children import Process, check_alive, isolate, started
from spssn_ros.nodes.messages import image_message
from spssn_ros.runtime import Percentiles
from spssn_ros.synthetic import StreetScene

_DISTINCT_FRAMES = 8


def benchmark_node(
    width: int, height: int, rate_hz: float, seconds: float, weights: str
) -> dict[str, object]:
    """Publish bgr8 frames to a `segment_node` of its own process and count its labels.

    Args:
        width: of the frames, pixels.
        height: of the frames, pixels.
        rate_hz: frames a second.
        seconds: how long.
        weights: of the network.

    Returns:
        size, rate_hz, published, answered, and latency_ms (p50, p95, p99) from just before
        publishing to the label's arrival.

    Raises:
        SpssnError: the node did not become ready.

    """
    isolate()
    arguments = ['--ros-args', '-p', f'weights:={weights}', '--log-level', 'warn']
    with started('segment_node', arguments) as process:
        context = Context()
        rclpy.init(context=context)
        node = rclpy.create_node('benchmark', context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        try:
            return _measure(node, executor, process, (width, height), rate_hz, seconds)
        finally:
            node.destroy_node()
            rclpy.shutdown(context=context)


def _measure(
    node: Node,
    executor: SingleThreadedExecutor,
    process: Process,
    size: tuple[int, int],
    rate_hz: float,
    seconds: float,
) -> dict[str, object]:
    scene = StreetScene(0, *size)
    messages = []
    for i in range(_DISTINCT_FRAMES):
        message = image_message(Image().header, scene.render(i / 10)[0][..., ::-1])
        message.encoding = 'bgr8'
        messages.append(message)
    sent_s: dict[int, float] = {}
    latencies_ms: list[float] = []

    def on_label(label: Image) -> None:
        if label.header.stamp.sec in sent_s:
            latencies_ms.append((time.monotonic() - sent_s[label.header.stamp.sec]) * 1e3)

    publisher = node.create_publisher(Image, 'image', qos.OUTPUT)
    node.create_subscription(Image, '/segment_node/label', on_label, qos.LOSSLESS)

    def publish(number: int) -> None:
        message = messages[number % _DISTINCT_FRAMES]
        message.header.stamp.sec = number
        sent_s[number] = time.monotonic()
        publisher.publish(message)

    # The first frames compile the network for their size; they are not counted.
    _spin(
        executor,
        60,
        lambda: publisher.get_subscription_count() > 0 or process.poll() is not None,
    )
    number = 0
    deadline = time.monotonic() + 60
    while len(latencies_ms) < 3:
        check_alive(process, 'segment_node')
        if time.monotonic() > deadline:
            raise SpssnError('segment_node did not answer within 60 s; its log above says why')
        publish(number)
        number += 1
        _spin(executor, 0.5, lambda: False)
    latencies_ms.clear()
    sent_s.clear()
    start, count = time.monotonic(), round(rate_hz * seconds)
    for i in range(count):
        due = start + i / rate_hz
        _spin(executor, due - time.monotonic(), lambda: False)
        publish(number + i)
    _spin(executor, 2.0, lambda: len(latencies_ms) == count)
    latency = Percentiles.of(latencies_ms)
    return {
        'size': f'{size[0]}x{size[1]}',
        'rate_hz': rate_hz,
        'published': count,
        'answered': len(latencies_ms),
        'latency_ms': {k: round(getattr(latency, k), 2) for k in ('p50', 'p95', 'p99')},
    }


def _spin(executor: SingleThreadedExecutor, seconds: float, done: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not done() and (left := end - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=min(left, 0.05))
