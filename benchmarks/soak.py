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
"""Hours of a `segment_node`'s life in minutes: does it leak, slow down or fall silent?

    python benchmarks/soak.py [--minutes 60] [--output out/soak] [--seed 0]

Two cameras publish at 10 Hz each, in changing sizes and encodings, every tenth frame unusable;
cameras and subscribers come and go, parameters and weights change. The node runs in a process of
its own, whose memory, file descriptors and threads are sampled into `soak.csv` and `soak.png`,
with the latency that a subscriber sees. The first quarter of the run is warming up; the last is
compared with the second. Exit status 1 beyond a limit.
"""

import argparse
import csv
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from matplotlib.figure import Figure
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from spssn_ros.nodes import qos
from spssn_ros.nodes.children import check_alive, isolate, started
from spssn_ros.nodes.messages import image_message
from spssn_ros.nodes.params_file import parameter_words
from spssn_ros.runtime import Percentiles
from spssn_ros.synthetic import StreetScene

CAMERAS = ('front', 'rear')
RATE_HZ = 10.0
# Three aspect ratios: fewer input sizes than the node keeps networks of.
SIZES = ((640, 480), (320, 240), (640, 320), (960, 540))
OUTPUTS = ('color', 'overlay', 'confidence', 'mask/road', 'mask/sky')


@dataclass(frozen=True)
class Sample:
    """The node at one moment; latency over the time since the sample before.

    Of `rss_mb`, `own_mb` is the process's own (heap, networks); `shared_mb` is shared with other
    processes: Fast DDS's segments, whose pages count from when they are first touched.
    """

    time_s: float
    rss_mb: float
    own_mb: float
    shared_mb: float
    descriptors: int
    threads: int
    latency_ms_p50: float
    latency_ms_p95: float
    latency_ms_p99: float
    published: int
    unusable: int
    received: int
    answered: int
    dropped: int
    rejected: int


@dataclass(frozen=True)
class Limits:
    """What the last quarter of a run may have more than the second, and what must be answered.

    Attributes:
        slope_mb_h: of memory, from the second quarter on.
        growth_mb: of memory.
        descriptors: more open.
        threads: more running.
        latency_ratio: of p99 in the quieter moments: what else runs on the machine is not judged.
        answered_share: of the usable frames received, from the second quarter on.

    """

    slope_mb_h: float
    growth_mb: float
    descriptors: int
    threads: int
    latency_ratio: float
    answered_share: float


def judge(samples: list[Sample], limits: Limits) -> tuple[float, list[str]]:
    """Return the slope of memory in MB/h after the first quarter, and what is beyond its limit."""
    quarter = max(1, len(samples) // 4)
    judged, second, last = samples[quarter:], samples[quarter : 2 * quarter], samples[-quarter:]
    times_h = [sample.time_s / 3600 for sample in judged]
    slope = float(np.polyfit(times_h, [sample.rss_mb for sample in judged], 1)[0])
    faults = []

    def median(name: str, part: list[Sample], quantile: float = 0.5) -> float:
        values = [getattr(sample, name) for sample in part]
        return float(np.nan if np.isnan(values).all() else np.nanquantile(values, quantile))

    growth = median('rss_mb', last) - median('rss_mb', second)
    # A slope over minutes says little: then the growth itself is judged.
    if times_h[-1] - times_h[0] >= 0.25 and slope > limits.slope_mb_h:
        faults.append(f'memory grows by {slope:.1f} MB/h, limit {limits.slope_mb_h:g}')
    if growth > limits.growth_mb:
        faults.append(f'memory has grown by {growth:.1f} MB, limit {limits.growth_mb:g}')
    for name in ('descriptors', 'threads'):
        more = median(name, last) - median(name, second)
        if more > getattr(limits, name):
            faults.append(f'{more:g} more {name}, limit {getattr(limits, name)}')
    before, after = (median('latency_ms_p99', part, 0.25) for part in (second, last))
    # NaN, where nothing was answered, is beyond every limit.
    if not after <= before * limits.latency_ratio:
        faults.append(
            f'latency p99 went from {before:.0f} to {after:.0f} ms, limit '
            f'{limits.latency_ratio:g} times'
        )
    received, answered, dropped, rejected = (
        getattr(judged[-1], name) - getattr(judged[0], name)
        for name in ('received', 'answered', 'dropped', 'rejected')
    )
    # A swap of the node's state throws away what waits; that is neither answered nor replaced.
    if answered + dropped + rejected < 0.95 * received - 10:
        faults.append(f'{received} frames received, {answered + dropped + rejected} accounted for')
    usable = max(1, received - rejected)
    if answered < limits.answered_share * usable:
        faults.append(
            f'{answered / usable:.0%} of the usable frames answered, limit '
            f'{limits.answered_share:.0%}'
        )
    return slope, faults


class Trouble:
    """Cameras, subscribers and a user that never rest; all in this process."""

    def __init__(self, seed: int, weights: list[str]) -> None:
        self.rng = np.random.default_rng(seed)
        self.weights = weights
        self.node = rclpy.create_node('soak')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.pictures = [StreetScene(0, *size).render(0)[0] for size in SIZES]
        self.published = self.unusable = 0
        self.latencies_ms: list[float] = []
        self.diagnostics = DiagnosticArray()
        self.publishers: dict[str, Any] = {}
        self.watchers: dict[str, Any] = {}
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 1)
        self.parameters = self.node.create_client(SetParameters, '/segment_node/set_parameters')
        for camera in CAMERAS:
            self.toggle_camera(camera)
            self.node.create_subscription(
                Image, f'/segment_node/{camera}/label', self._on_label, qos.LOSSLESS
            )

    def run(self, until_s: float) -> None:
        """Publish, and do something else about once in three seconds, until a monotonic time."""
        due_s = time.monotonic()
        while due_s < until_s:
            # What cannot be sent in time on a busy machine is left out, not made up for.
            due_s = max(due_s + 1 / RATE_HZ, time.monotonic())
            for camera in self.publishers:
                self.publish(camera)
            if self.rng.uniform() < 1 / (3 * RATE_HZ):
                self.disturb()
            # However late it is: labels that nobody takes look old.
            end_s = max(due_s, time.monotonic() + 0.5 / RATE_HZ)
            while (left_s := end_s - time.monotonic()) > 0:
                self.executor.spin_once(timeout_sec=left_s)

    def publish(self, camera: str) -> None:
        """Publish one frame, usable or not, whose stamp is the time of sending."""
        rgb = self.pictures[int(self.rng.integers(len(self.pictures)))]
        message = image_message(Image().header, rgb)
        message.encoding = str(self.rng.choice(['rgb8', 'bgr8']))
        self.published += 1
        if self.rng.uniform() < 0.1:
            self.unusable += 1
            name, value = [
                ('encoding', 'rgb9'),
                ('height', 2**32 - 1),
                ('step', 3),
                ('width', 0),
            ][int(self.rng.integers(4))]
            setattr(message, name, value)
        stamp = message.header.stamp
        stamp.sec, stamp.nanosec = divmod(time.monotonic_ns(), 10**9)
        self.publishers[camera].publish(message)

    def disturb(self) -> None:
        """Change one thing."""
        kind = self.rng.choice(['camera', 'subscriber', 'parameter'], p=[0.1, 0.4, 0.5])
        if kind == 'camera':
            self.toggle_camera(CAMERAS[1])
        elif kind == 'subscriber':
            camera = CAMERAS[int(self.rng.integers(len(CAMERAS)))]
            self.toggle_watcher(f'{camera}/{OUTPUTS[int(self.rng.integers(len(OUTPUTS)))]}')
        else:
            self.set_parameter()

    def toggle_camera(self, name: str) -> None:
        """Have a camera go, or come."""
        if name in self.publishers:
            self.node.destroy_publisher(self.publishers.pop(name))
        else:
            self.publishers[name] = self.node.create_publisher(Image, f'{name}/image', qos.INPUT)

    def toggle_watcher(self, output: str) -> None:
        """Have a subscriber go, or come."""
        if output in self.watchers:
            self.node.destroy_subscription(self.watchers.pop(output))
        else:
            self.watchers[output] = self.node.create_subscription(
                Image, f'/segment_node/{output}', lambda message: None, qos.OUTPUT
            )

    def set_parameter(self) -> None:
        """Change a parameter, seldom the weights."""
        choices: list[tuple[str, Any]] = [
            ('confidence_threshold', float(self.rng.choice([0.0, 0.4]))),
            ('overlay_alpha', float(self.rng.uniform())),
            ('output_size', str(self.rng.choice(['input', 'network', '320x240']))),
            ('mask_classes', [['all'], ['road', 'sky']][int(self.rng.integers(2))]),
            ('overlay_classes', ['no such class']),
            ('weights', str(self.rng.choice(self.weights))),
        ]
        chances = [0.25, 0.2, 0.2, 0.2, 0.1, 0.05]
        name, value = choices[int(self.rng.choice(len(choices), p=chances))]
        change = Parameter(name, value=value).to_parameter_msg()
        self.parameters.call_async(SetParameters.Request(parameters=[change]))

    def sample(self, pid: int, start_s: float) -> Sample:
        """Look at the node's process, and begin a new period of latencies."""
        status = dict(
            line.split(':', 1) for line in Path(f'/proc/{pid}/status').read_text().splitlines()
        )
        counts = [
            {pair.key: pair.value for pair in status.values} for status in self.diagnostics.status
        ]
        memory_mb = {
            name: round(int(status[name].split()[0]) / 1024, 1)
            for name in ('VmRSS', 'RssAnon', 'RssShmem')
        }
        latency = Percentiles.of(self.latencies_ms)
        self.latencies_ms.clear()
        return Sample(
            round(time.monotonic() - start_s, 1),
            memory_mb['VmRSS'],
            memory_mb['RssAnon'],
            memory_mb['RssShmem'],
            len(list(Path(f'/proc/{pid}/fd').iterdir())),
            int(status['Threads']),
            round(latency.p50, 1),
            round(latency.p95, 1),
            round(latency.p99, 1),
            self.published,
            self.unusable,
            *(
                sum(int(of_camera[name]) for of_camera in counts)
                for name in ('received', 'answered', 'dropped', 'rejected')
            ),
        )

    def _on_label(self, label: Image) -> None:
        stamp = label.header.stamp
        sent_ns = stamp.sec * 10**9 + stamp.nanosec
        self.latencies_ms.append((time.monotonic_ns() - sent_ns) / 1e6)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics = message


def write(samples: list[Sample], output: Path) -> None:
    """Write soak.csv and soak.png."""
    rows = [asdict(sample) for sample in samples]
    with (output / 'soak.csv').open('w', newline='') as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    minutes = [sample.time_s / 60 for sample in samples]
    figure = Figure(figsize=(9, 9), layout='constrained')
    panels = {
        'memory, MB': ['rss_mb', 'own_mb', 'shared_mb'],
        'count': ['descriptors', 'threads'],
        'latency, ms': ['latency_ms_p50', 'latency_ms_p95', 'latency_ms_p99'],
        'frames': ['published', 'unusable', 'received', 'answered', 'dropped', 'rejected'],
    }
    for axes, (label, names) in zip(
        figure.subplots(4, 1, sharex=True), panels.items(), strict=True
    ):
        for name in names:
            axes.plot(minutes, [row[name] for row in rows], label=name)
        axes.set(ylabel=label, ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(loc='center left', bbox_to_anchor=(1, 0.5))
    axes.set_xlabel('minutes')
    figure.savefig(output / 'soak.png', dpi=100)


def soak(arguments: argparse.Namespace) -> list[Sample]:
    """Run the node and the trouble; return the samples taken."""
    given = {'weights': arguments.weights[0], 'cameras': CAMERAS, 'backend': arguments.backend}
    options = [*parameter_words(given), '--log-level', 'fatal']
    samples: list[Sample] = []
    with started('segment_node', ['--ros-args', *options]) as process:
        trouble = Trouble(arguments.seed, arguments.weights)
        deadline = time.monotonic() + 180
        while not trouble.latencies_ms:
            check_alive(process, 'segment_node')
            if time.monotonic() > deadline:
                sys.exit('soak: segment_node has not answered within 180 s')
            trouble.run(time.monotonic() + 0.5)
        trouble.latencies_ms.clear()
        start_s = time.monotonic()
        seconds = arguments.minutes * 60
        period_s = min(10.0, seconds / 24)
        for number in range(1, round(seconds / period_s) + 1):
            trouble.run(start_s + number * period_s)
            check_alive(process, 'segment_node')
            samples.append(trouble.sample(process.pid, start_s))
            if number % 30 == 0:
                print(samples[-1], flush=True)
        trouble.node.destroy_node()
    if process.returncode:
        sys.exit(f'soak: segment_node ended with status {process.returncode}')
    return samples


def main() -> int:
    """Soak, write, judge; return 1 beyond a limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    number = partial(parser.add_argument, type=float, metavar='X')
    number('--minutes', default=60.0, help='how long (default: 60)')
    parser.add_argument('--output', type=Path, default=Path('out/soak'), metavar='DIR')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--weights', nargs='+', default=['spssn_camvid', 'spssn_street'], help='to swap'
    )
    parser.add_argument('--backend', default='auto', help='auto, torch or openvino')
    number('--max-slope', default=20.0, help='MB/h, judged from 20 minutes on (default: 20)')
    number('--max-growth', default=100.0, help='MB (default: 100)')
    number('--max-latency-ratio', default=3.0, help='of p99, end to start (default: 3)')
    number('--min-answered', default=0.5, help='share of the usable frames (default: 0.5)')
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    isolate()
    rclpy.init()
    samples = soak(arguments)
    rclpy.shutdown()
    write(samples, arguments.output)
    limits = Limits(
        arguments.max_slope,
        arguments.max_growth,
        10,
        5,
        arguments.max_latency_ratio,
        arguments.min_answered,
    )
    slope, faults = judge(samples, limits)
    last = samples[-1]
    print(
        f'{last.time_s / 60:.1f} min: {last.published} frames published ({last.unusable} '
        f'unusable), {last.answered} answered, {last.dropped} replaced, {last.rejected} rejected; '
        f'memory {last.rss_mb:.0f} MB, slope {slope:+.1f} MB/h; {last.descriptors} descriptors, '
        f'{last.threads} threads; written to {arguments.output}'
    )
    for fault in faults:
        print(f'FAILED: {fault}')
    if not faults:
        print('passed')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
