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
"""Several cameras at once, and what segment_node costs by what is subscribed to.

    python benchmarks/segment_node_load.py [--size 960x720] [--seconds 20] [--json FILE]

Cameras: four on one node, one flooding at 60 Hz, three at 10 Hz; frames answered by each.
CPU: share of one core that the node's process takes with one camera at 10 Hz while nobody, the
label alone, or every output is subscribed to. Publisher, node and subscriber are processes of
their own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from spssn_ros.labels import CAMVID
from spssn_ros.machine import describe_machine
from spssn_ros.nodes import qos
from spssn_ros.nodes.camera import IMAGE_OUTPUTS, mask_topics
from spssn_ros.nodes.children import isolate, started
from spssn_ros.nodes.messages import image_message
from spssn_ros.nodes.params_file import parameter_words
from spssn_ros.runtime import Percentiles
from spssn_ros.synthetic import StreetScene

FOUR_CAMERAS = {'flood': 60.0, 'left': 10.0, 'rear': 10.0, 'right': 10.0}
ALL_OUTPUTS = [*IMAGE_OUTPUTS, *(f'mask/{topic}' for topic in mask_topics(CAMVID.names).values())]
SETTLE_S = 6.0


def publish(rates_hz: dict[str, float], width: int, height: int) -> None:
    """Publish bgr8 street images on NAME/image of every camera until the process is ended."""
    rclpy.init()
    node = rclpy.create_node('cameras')
    message = image_message(Image().header, StreetScene(0, width, height).render(0)[0][..., ::-1])
    message.encoding = 'bgr8'
    publishers = {
        name: node.create_publisher(Image, f'{name}/image'.lstrip('/'), qos.INPUT)
        for name in rates_hz
    }
    start = time.monotonic()
    due = dict.fromkeys(rates_hz, start)
    while rclpy.ok():
        name = min(due, key=lambda camera: due[camera])
        time.sleep(max(0.0, due[name] - time.monotonic()))
        due[name] += 1 / rates_hz[name]
        stamp_ns = time.monotonic_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        publishers[name].publish(message)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has taken so far."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def measure(
    rates_hz: dict[str, float], outputs: list[str], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Run node and cameras with these outputs subscribed to; return counts, latency and CPU."""
    cameras = [name for name in rates_hz if name]
    given = {'weights': arguments.weights, **({'cameras': cameras} if cameras else {})}
    options = [*parameter_words(given), '--log-level', 'error']
    command = [sys.executable, __file__, '--size', arguments.size]
    command += ['--publish', json.dumps(rates_hz)]
    with started('segment_node', ['--ros-args', *options]) as process:
        publisher = subprocess.Popen(command)
        node = rclpy.create_node('listener')
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            return _listen(node, executor, rates_hz, outputs, process.pid, arguments.seconds)
        finally:
            publisher.kill()
            publisher.wait()
            node.destroy_node()


def _listen(
    node: Node,
    executor: SingleThreadedExecutor,
    rates_hz: dict[str, float],
    outputs: list[str],
    pid: int,
    seconds: float,
) -> dict[str, Any]:
    latencies_ms: dict[str, list[float]] = {name: [] for name in rates_hz}
    diagnostics: list[DiagnosticArray] = []

    def on_label(name: str, label: Image) -> None:
        stamp = label.header.stamp
        sent_ns = stamp.sec * 10**9 + stamp.nanosec
        latencies_ms[name].append((time.monotonic_ns() - sent_ns) / 1e6)

    for name in rates_hz:
        prefix = f'/segment_node/{name}'.rstrip('/')
        for output in outputs:
            on_message = partial(on_label, name) if output == 'label' else lambda message: None
            node.create_subscription(Image, f'{prefix}/{output}', on_message, qos.OUTPUT)
        if len(outputs) > 1:
            node.create_subscription(
                CameraInfo, f'{prefix}/camera_info', lambda message: None, qos.OUTPUT
            )
    node.create_subscription(DiagnosticArray, '/diagnostics', diagnostics.append, 1)

    def spin(until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=min(left, 0.1))

    def counts() -> list[dict[str, str]]:
        seen = len(diagnostics)
        while len(diagnostics) == seen:
            executor.spin_once(timeout_sec=0.1)
        return [{pair.key: pair.value for pair in s.values} for s in diagnostics[-1].status]

    while not diagnostics or not all(float(c['fps_in']) > 0 for c in counts()):
        executor.spin_once(timeout_sec=0.1)
    spin(time.monotonic() + SETTLE_S)
    before, cpu, start = counts(), cpu_seconds(pid), time.monotonic()
    for values in latencies_ms.values():
        values.clear()
    spin(start + seconds)
    span, used = time.monotonic() - start, cpu_seconds(pid) - cpu
    heard = {name: list(values) for name, values in latencies_ms.items()}
    after = counts()
    rows = {}
    for (name, rate_hz), old, new in zip(rates_hz.items(), before, after, strict=True):
        latency = Percentiles.of(heard[name])
        rows[name or 'camera'] = {
            'rate_hz': rate_hz,
            'published_in_window': round(rate_hz * span),
            'labels_heard': len(heard[name]),
            'answered': int(new['answered']) - int(old['answered']),
            'dropped': int(new['dropped']) - int(old['dropped']),
            'latency_ms': {'p50': round(latency.p50, 1), 'p95': round(latency.p95, 1)}
            if heard[name]
            else None,
        }
    return {'seconds': round(span, 1), 'cpu_share': round(used / span, 3), 'cameras': rows}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--size', default='960x720', metavar='WxH', help='image size')
    parser.add_argument('--seconds', type=float, default=20.0, help='of each measurement')
    parser.add_argument('--weights', default='spssn_camvid')
    parser.add_argument('--json', type=Path, help='file to write')
    parser.add_argument('--publish', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.publish:
        width, height = (int(side) for side in arguments.size.split('x'))
        publish(json.loads(arguments.publish), width, height)
        return
    isolate()
    rclpy.init()
    machine = describe_machine()
    four = measure(FOUR_CAMERAS, ['label'], arguments)
    print(f'four cameras of {arguments.size}, label of each subscribed to')
    for name, row in four['cameras'].items():
        print(
            f'  {name:6} {row["rate_hz"]:4.0f} Hz: {row["labels_heard"]} labels of '
            f'{row["published_in_window"]} frames, {row["dropped"]} dropped, '
            f'latency {row["latency_ms"]}'
        )
    costs = {}
    for words, outputs in (
        ('nobody', []),
        ('label', ['label']),
        ('every output', ALL_OUTPUTS),
    ):
        costs[words] = measure({'': 10.0}, outputs, arguments)
        print(f'subscribed: {words}: {costs[words]["cpu_share"]:.0%} of a core')
    costs['nobody, no camera'] = measure_without_camera(arguments)
    print(f'no camera at all: {costs["nobody, no camera"]["cpu_share"]:.0%} of a core')
    if arguments.json:
        result = {'machine': machine, 'size': arguments.size, 'four_cameras': four, 'cpu': costs}
        arguments.json.write_text(json.dumps(result, indent=2) + '\n')
    rclpy.shutdown()


def measure_without_camera(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the CPU share of the node while nothing comes in."""
    given = parameter_words({'weights': arguments.weights})
    options = ['--ros-args', *given, '--log-level', 'error']
    with started('segment_node', options) as process:
        time.sleep(2 * SETTLE_S)
        cpu, start = cpu_seconds(process.pid), time.monotonic()
        time.sleep(arguments.seconds)
        used, span = cpu_seconds(process.pid) - cpu, time.monotonic() - start
    return {'seconds': round(span, 1), 'cpu_share': round(used / span, 3)}


if __name__ == '__main__':
    main()
