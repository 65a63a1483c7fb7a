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
"""Processes that are killed, restarted or interrupted, and files that are no weights."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import (  # noqa: E402
    environment,
    ros_args,
)
from std_msgs.msg import String  # noqa: E402

CAMERA = """
import time, rclpy
from harness import camera_image, picture
from sensor_msgs.msg import Image
rclpy.init()
publisher = rclpy.create_node('camera').create_publisher(Image, 'image', 1)
message = camera_image(picture())
while True:
    publisher.publish(message)
    time.sleep(0.05)
"""


@pytest.fixture
def cameras() -> Iterator[Any]:
    """Start camera drivers that publish at 20 Hz; those that still run are killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        here = str(Path(__file__).parent)
        env = environment()
        env['PYTHONPATH'] = os.pathsep.join([here, env['PYTHONPATH']])
        started.append(subprocess.Popen([sys.executable, '-c', CAMERA], env=env))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_camera_and_a_node_that_are_killed_come_back(
    peer: Any, run_node: Any, cameras: Any, tiny_weights: Path
) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights))
    labels = peer.listen('/segment_node/label')
    facts = peer.listen('/segment_node/label_info_json', String, latched=True)

    def answered_again() -> bool:
        labels.clear()
        return bool(peer.spin_until(lambda: len(labels) > 3))

    camera = cameras()
    assert answered_again()
    camera.kill()
    camera.wait()
    peer.spin(0.5)
    labels.clear()
    peer.spin(0.5)
    assert not labels
    cameras()
    assert answered_again(), 'the node does not hear the restarted camera'

    told = len(facts)
    assert node.stop(signal.SIGKILL) == -signal.SIGKILL
    run_node('segment_node', *ros_args(tiny_weights))
    assert answered_again(), 'the subscribers do not hear the restarted node'
    assert len(facts) > told


def test_signals_at_any_moment_of_start_and_work_end_it_silently(
    peer: Any, run_node: Any, cameras: Any, tiny_weights: Path
) -> None:
    cameras()
    peer.listen('/segment_node/label')
    rng = np.random.default_rng(3)
    node = run_node('start', *ros_args(tiny_weights))
    begun = time.monotonic()
    assert peer.spin_until(lambda: 'active: segmenting' in node.output)
    # On a busy machine a start takes several times as long as on a quiet one.
    start_s = time.monotonic() - begun
    assert node.stop() == 0
    moments = rng.uniform(0.05, 1.2, 10) * start_s
    for first in range(0, len(moments), 2):
        pair = [run_node('start', *ros_args(tiny_weights)) for _ in range(2)]
        begun = time.monotonic()
        delays = sorted(moments[first : first + 2])
        for process, delay in zip(pair, delays, strict=True):
            peer.spin(max(0.0, begun + delay - time.monotonic()))
            number = [signal.SIGINT, signal.SIGTERM][int(rng.integers(2))]
            process.process.send_signal(number)
        for process, delay in zip(pair, delays, strict=True):
            sent = f'{delay:.2f} of {start_s:.2f} s'
            assert process.wait() == 0, (sent, process.output)
            assert 'Traceback' not in process.output, (sent, process.output)
            assert 'terminate called' not in process.output, (sent, process.output)


def test_files_that_are_no_weights_end_the_node_with_one_line(
    run_node: Any, tmp_path: Path, tiny_weights: Path
) -> None:
    trap = tmp_path / 'trap'

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(trap),)

    evil, cut = tmp_path / 'evil.safetensors', tmp_path / 'cut.safetensors'
    evil.write_bytes(pickle.dumps(Evil()))
    cut.write_bytes(tiny_weights.read_bytes()[:5000])
    nodes = [run_node('segment_node', *ros_args(path)) for path in (evil, cut)]
    for path, node in zip((evil, cut), nodes, strict=True):
        assert node.wait() == 2
        told = [line for line in node.lines if path.name in line]
        assert len(told) == 1, node.output
        assert 'is not a safetensors file' in told[0]
        assert 'Traceback' not in node.output
    assert not trap.exists()
