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
"""More frames than the network can do: does a `segment_node` stay quick, flat and honest?

    python benchmarks/overload.py [--seconds 120] [--factor 4] [--size 480x360] [--output DIR]

A camera floods the node with `--factor` times the frames that it answers one by one, a third of
the time each: with one subscriber, with twenty more, and with two more that hang (SIGSTOP) while
reliable messages to them pile up. Then comes a silence, and a burst. Node, camera and the other
subscribers are processes of their own. Writes `overload.json`; exit status 1 beyond a limit.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image

from spssn_ros.machine import describe_machine
from spssn_ros.nodes import qos
from spssn_ros.nodes.children import check_alive, isolate, started, wait_or_kill
from spssn_ros.nodes.messages import image_message
from spssn_ros.nodes.params_file import parameter_words
from spssn_ros.runtime import Percentiles
from spssn_ros.synthetic import StreetScene

BURST = 30
# A camera in Python does not reach more.
MOST_HZ = 300.0


def street_image(size: str) -> Image:
    """Return an rgb8 message of WxH."""
    width, height = (int(side) for side in size.split('x'))
    return image_message(Image().header, StreetScene(0, width, height).render(0)[0])


def stamp(message: Image) -> None:
    """Give a message the time of sending as its stamp."""
    seconds, nanoseconds = divmod(time.monotonic_ns(), 10**9)
    message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds


def age_ms(message: Image) -> float:
    """Return how long ago a message was stamped."""
    sent = message.header.stamp
    return (time.monotonic_ns() - sent.sec * 10**9 - sent.nanosec) / 1e6


def flood(size: str, rate_hz: float) -> None:
    """Publish images of that size until the process is ended."""
    rclpy.init()
    publisher = rclpy.create_node('flood').create_publisher(Image, 'image', qos.INPUT)
    message, due = street_image(size), time.monotonic()
    while rclpy.ok():
        stamp(message)
        try:
            publisher.publish(message)
        except RCLError:
            # A signal has come since the look at ok().
            if rclpy.ok():
                raise
        # What could not be sent in time is left out, not made up for.
        due = max(due + 1 / rate_hz, time.monotonic() - 1 / rate_hz)
        time.sleep(max(0.0, due - time.monotonic()))


def subscribe(count: int) -> None:
    """Take labels by so many reliable subscriptions until the process is ended."""
    rclpy.init()
    node = rclpy.create_node(f'subscribers_{os.getpid()}')
    for _ in range(count):
        node.create_subscription(Image, '/segment_node/label', lambda message: None, qos.LOSSLESS)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)


@contextlib.contextmanager
def child(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run this file with these words, and end it in the end, in order if it can."""
    process = subprocess.Popen([sys.executable, __file__, *words])
    try:
        yield process
    finally:
        process.terminate()
        process.send_signal(signal.SIGCONT)
        wait_or_kill(process, 20)


class Watcher:
    """A camera for single frames, and a subscriber that looks at what comes back."""

    def __init__(self, size: str, pid: int) -> None:
        self.pid = pid
        self.node = rclpy.create_node('watcher')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.publisher = self.node.create_publisher(Image, 'image', qos.INPUT)
        self.message = street_image(size)
        self.latencies_ms: list[float] = []
        self.stamps_ns: list[int] = []
        self.values: dict[str, str] = {}
        self.node.create_subscription(Image, '/segment_node/label', self._on_label, qos.LOSSLESS)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 1)

    def spin(self, seconds: float) -> None:
        """Take messages for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.executor.spin_once(timeout_sec=left)

    def ask(self, timeout_s: float) -> bool:
        """Publish a frame and wait for its label; return whether it came."""
        answered, end = len(self.latencies_ms), time.monotonic() + timeout_s
        stamp(self.message)
        self.publisher.publish(self.message)
        while len(self.latencies_ms) == answered and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        return len(self.latencies_ms) > answered

    def fresh_values(self) -> dict[str, str]:
        """Wait for the next diagnostics."""
        old, end = self.values, time.monotonic() + 30
        while self.values is old and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.1)
        return self.values

    def wait_for_frames(self) -> None:
        """Return when the flood has come: on a busy machine it takes long to start."""
        before, end = int(self.fresh_values()['received']), time.monotonic() + 120
        while int(self.fresh_values()['received']) < before + 5:
            if time.monotonic() > end:
                sys.exit('overload: the flood has not come within 120 s')

    def wait_for_subscribers(self, count: int) -> None:
        """Return when so many subscribe to the labels, those that were killed forgotten."""
        end = time.monotonic() + 120
        while self.node.count_subscribers('/segment_node/label') != count:
            self.executor.spin_once(timeout_sec=0.1)
            if time.monotonic() > end:
                sys.exit(f'overload: there are not {count} subscribers within 120 s')

    def rss_mb(self) -> float:
        """Return the node's resident memory."""
        status = Path(f'/proc/{self.pid}/status').read_text()
        return int(status.split('VmRSS:')[1].split()[0]) / 1024

    def measure(self, name: str, seconds: float) -> dict[str, Any]:
        """Watch the flood; return what the node did with it."""
        before, start, memory = self.fresh_values(), time.monotonic(), [self.rss_mb()]
        self.latencies_ms.clear()
        self.stamps_ns.clear()
        while time.monotonic() < start + seconds:
            self.spin(seconds / 10)
            memory.append(self.rss_mb())
        latency = Percentiles.of(self.latencies_ms)
        stamps = list(self.stamps_ns)
        after = self.fresh_values()

        def new(key: str) -> int:
            return int(after[key]) - int(before[key])

        half = len(memory) // 2
        row = {
            'seconds': round(time.monotonic() - start, 1),
            'received': new('received'),
            'answered': new('answered'),
            'dropped': new('dropped'),
            'rejected': new('rejected'),
            'heard': len(stamps),
            'in_order': stamps == sorted(stamps),
            'latency_ms': {k: round(getattr(latency, k), 1) for k in ('p50', 'p95', 'p99')},
            'work_ms_p95': round(
                sum(float(after[f'{stage}_ms_p95']) for stage in ('decode', 'network', 'publish')),
                1,
            ),
            'memory_mb': round(memory[-1], 1),
            'growth_mb': round(max(memory[half:]) - max(memory[:half]), 1),
        }
        print(f'{name}: {row}', flush=True)
        return row

    def burst(self, timeout_s: float) -> dict[str, Any]:
        """After a silence, send many frames at once; return how many were answered."""
        self.spin(2.0)
        before = self.fresh_values()
        self.stamps_ns.clear()
        for _ in range(BURST):
            stamp(self.message)
            self.publisher.publish(self.message)
        sent = self.message.header.stamp
        newest_ns, end = sent.sec * 10**9 + sent.nanosec, time.monotonic() + timeout_s
        while newest_ns not in self.stamps_ns and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
        answered = len(self.stamps_ns)
        self.fresh_values()
        after = self.fresh_values()
        return {
            'sent': BURST,
            'received': int(after['received']) - int(before['received']),
            'answered': answered,
            'newest_answered': newest_ns in self.stamps_ns,
        }

    def _on_label(self, label: Image) -> None:
        sent = label.header.stamp
        self.latencies_ms.append(age_ms(label))
        self.stamps_ns.append(sent.sec * 10**9 + sent.nanosec)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.values = {pair.key: pair.value for pair in message.status[0].values}


def judge(result: dict[str, Any], margin_ms: float, growth_mb: float) -> list[str]:
    """Return what is beyond its limit, in sentences."""
    faults = []
    phases: dict[str, dict[str, Any]] = result['phases']
    for name, row in phases.items():
        # One frame at work, and one that waits for it; two may be under way at each end.
        accounted = row['answered'] + row['dropped'] + row['rejected']
        if abs(row['received'] - accounted) > 4:
            faults.append(f'{name}: {row["received"]} frames received, {accounted} accounted for')
        if row['received'] < 1.5 * row['answered'] or row['dropped'] == 0:
            faults.append(f'{name}: {row["received"]} frames are no overload')
        if not row['in_order']:
            faults.append(f'{name}: an older frame was answered after a newer one')
        if row['heard'] < 0.8 * row['answered'] - 3 or not row['answered']:
            faults.append(f'{name}: {row["answered"]} answered, but {row["heard"]} heard')
        limit_ms = 2 * row['work_ms_p95'] + margin_ms
        if not row['latency_ms']['p95'] <= limit_ms:
            faults.append(
                f'{name}: latency p95 {row["latency_ms"]["p95"]:.0f} ms, limit {limit_ms:.0f} ms'
            )
        if row['growth_mb'] > growth_mb:
            faults.append(f'{name}: memory grew by {row["growth_mb"]:.1f} MB, limit {growth_mb:g}')
    before, after = phases['flood'], phases['stuck subscriber']
    usual, stuck = (row['answered'] / row['seconds'] for row in (before, after))
    # A few frames more or less are chance.
    if after['answered'] + 3 < 0.5 * usual * after['seconds']:
        faults.append(
            f'a stuck subscriber slows the node from {usual:.1f} to {stuck:.1f} frames/s'
        )
    burst = result['burst']
    if not burst['newest_answered']:
        faults.append('the newest frame of a burst was not answered')
    # The first is at work at once; while it is, others replace one another.
    if burst['answered'] > BURST // 2:
        faults.append(f'{burst["answered"]} frames of a burst of {BURST} were answered')
    return faults


def overload(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run every phase; return the measurements."""
    given = {'weights': arguments.weights, 'backend': arguments.backend, 'input_size': 'native'}
    options = ['--ros-args', *parameter_words(given), '--log-level', 'error']
    phases: dict[str, Any] = {}
    with started('segment_node', options) as process:
        watcher = Watcher(arguments.size, process.pid)
        deadline = time.monotonic() + 180
        while not watcher.ask(2.0):
            check_alive(process, 'segment_node')
            if time.monotonic() > deadline:
                sys.exit('overload: segment_node has not answered within 180 s')
        watcher.ask(5.0)
        watcher.latencies_ms.clear()
        for _ in range(10):
            watcher.ask(5.0)
        # The least: what else runs for a moment must not make the flood a trickle.
        alone_ms = min(watcher.latencies_ms)
        rate_hz = min(MOST_HZ, arguments.factor * 1000 / alone_ms)
        seconds = arguments.seconds / 3
        print(f'one by one {alone_ms:.1f} ms, camera at {rate_hz:.1f} Hz', flush=True)
        with child('--flood', arguments.size, str(rate_hz)):
            watcher.wait_for_frames()
            phases['flood'] = watcher.measure('flood', seconds)
            with child('--subscribe', '20'):
                watcher.wait_for_subscribers(21)
                phases['20 more subscribers'] = watcher.measure('20 more subscribers', seconds)
            with child('--subscribe', '2') as stuck:
                watcher.wait_for_subscribers(3)
                stuck.send_signal(signal.SIGSTOP)
                phases['stuck subscriber'] = watcher.measure('stuck subscriber', seconds)
        check_alive(process, 'segment_node')
        burst = watcher.burst(10.0)
        watcher.node.destroy_node()
    if process.returncode:
        sys.exit(f'overload: segment_node ended with status {process.returncode}')
    return {
        'machine': describe_machine(),
        'size': arguments.size,
        'one_by_one_ms': round(alone_ms, 1),
        'camera_hz': round(rate_hz, 1),
        'phases': phases,
        'burst': burst,
    }


def main() -> int:
    """Flood, write, judge; return 1 beyond a limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seconds', type=float, default=120.0, help='of flood (default: 120)')
    parser.add_argument('--factor', type=float, default=4.0, help='of overload (default: 4)')
    parser.add_argument('--size', default='480x360', metavar='WxH', help='of the images')
    parser.add_argument('--weights', default='spssn_camvid')
    parser.add_argument('--backend', default='auto', help='auto, torch or openvino')
    parser.add_argument('--output', type=Path, default=Path('out/overload'), metavar='DIR')
    parser.add_argument(
        '--margin', type=float, default=20.0, help='ms of transport beside two frames of work'
    )
    parser.add_argument('--max-growth', type=float, default=30.0, help='MB of memory in a phase')
    parser.add_argument('--flood', nargs=2, help=argparse.SUPPRESS)
    parser.add_argument('--subscribe', type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.flood:
        flood(arguments.flood[0], float(arguments.flood[1]))
        return 0
    if arguments.subscribe:
        subscribe(arguments.subscribe)
        return 0
    arguments.output.mkdir(parents=True, exist_ok=True)
    isolate()
    rclpy.init()
    result = overload(arguments)
    rclpy.shutdown()
    (arguments.output / 'overload.json').write_text(json.dumps(result, indent=2) + '\n')
    print(f'burst: {result["burst"]}')
    faults = judge(result, arguments.margin, arguments.max_growth)
    for fault in faults:
        print(f'FAILED: {fault}')
    if not faults:
        print('passed')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
