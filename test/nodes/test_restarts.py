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

import contextlib
import os
import pickle
import re
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
    ENDING_SIGNALS,
    environment,
    ros_args,
)
from std_msgs.msg import String  # noqa: E402

from spssn_ros.bags.labelled import write_street_bag  # noqa: E402
from spssn_ros.bags.writer import Storage  # noqa: E402

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

    def silent() -> bool:
        labels.clear()
        peer.spin(1.0)
        return not labels

    # What the camera has sent before is still answered.
    assert peer.spin_until(silent), 'the node answers frames of a camera that is no more'
    cameras()
    assert answered_again(), 'the node does not hear the restarted camera'

    told = len(facts)
    assert node.stop(signal.SIGKILL) == -signal.SIGKILL
    run_node('segment_node', *ros_args(tiny_weights))
    assert answered_again(), 'the subscribers do not hear the restarted node'
    # A latched message may come after the labels.
    assert peer.spin_until(lambda: len(facts) > told)


class Noise:
    """A scene for bags, quick to render."""

    camera_matrix = np.eye(3)

    def render(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        image = np.random.default_rng(round(time_s * 1000)).integers(0, 256, (64, 96, 3), np.uint8)
        return image, (image[..., 0] % 11).astype(np.uint8)


def shared_memory(pid: int | str) -> set[str]:
    """Return the files of Fast DDS in shared memory that a process has mapped."""
    return set(re.findall(r'/dev/shm/fast\w+_[0-9a-f]{16}', Path(f'/proc/{pid}/maps').read_text()))


def group(number: int) -> list[str]:
    """Return the processes of a process group that still run."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):
            state, _, leader = stat.read_text().rpartition(')')[2].split()[:3]
            if int(leader) == number and state != 'Z':
                found.append(stat.parent.name)
    return found


def minds_signals(pid: int) -> bool:
    """Whether the package's first handlers are in place; Python has one for Ctrl-C alone."""
    with contextlib.suppress(OSError):
        caught = re.search(r'SigCgt:\s*(\w+)', Path(f'/proc/{pid}/status').read_text())
        return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def test_signals_at_any_moment_end_every_node_silently(
    peer: Any, run_node: Any, cameras: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    """SPSSN_SIGNAL_ROUNDS: how many moments of each node are tried."""
    bag = tmp_path / 'bag'
    write_street_bag(bag, Noise(), 500, 100.0, Storage.MCAP)
    weights = f'weights:={tiny_weights}'

    def start(kind: str) -> Any:
        scores = f'json:={tmp_path / kind}.json'
        if kind == 'play_bag':
            return run_node('play_bag', str(bag), '--rate', '0.05')
        if kind == 'segment_node':
            return run_node('segment_node', *ros_args(tiny_weights))
        words = [weights, scores] + ([f'bag:={bag}', 'mode:=offline'] if kind == 'offline' else [])
        return run_node('evaluate_node', '--ros-args', *(w for v in words for w in ('-p', v)))

    at_work = {
        'segment_node': 'active: segmenting',
        'live': 'scoring',
        'offline': 'mIoU',
        'play_bag': 'playing',
    }
    peer.listen('/segment_node/label')
    camera, images = cameras(), peer.listen('image')
    assert peer.spin_until(lambda: images)
    theirs = shared_memory('self') | shared_memory(camera.pid)
    # All at once, as later: on a busy machine that takes several times as long as on a quiet one.
    nodes, begun = {kind: start(kind) for kind in at_work}, time.monotonic()
    start_s: dict[str, float] = {}

    def look() -> bool:
        for kind, node in nodes.items():
            if kind not in start_s and at_work[kind] in node.output:
                start_s[kind] = time.monotonic() - begun
        return len(start_s) == len(nodes)

    assert peer.spin_until(look), {kind: node.output for kind, node in nodes.items()}
    mapped = {
        kind: shared_memory(node.process.pid) - theirs
        for kind, node in nodes.items()
        if kind != 'offline'
    }
    assert all(mapped.values())
    for kind, node in nodes.items():
        # No pair has come to be scored.
        assert node.stop() == (2 if kind == 'live' else 0), kind
    for kind, files in mapped.items():
        assert not [file for file in files if Path(file).exists()], kind

    rng = np.random.default_rng(3)
    for _ in range(int(os.environ.get('SPSSN_SIGNAL_ROUNDS', '2'))):
        for scores in tmp_path.glob('*.json'):
            scores.unlink()
        nodes = {kind: start(kind) for kind in at_work}
        # Until then a process is Python's, whose own answer to a signal is not silent.
        assert peer.spin_until(
            lambda nodes=nodes: all(minds_signals(n.process.pid) for n in nodes.values())
        )
        begun = time.monotonic()
        moments = {kind: rng.uniform(0.0, 1.1) * start_s[kind] for kind in nodes}
        for kind in sorted(moments, key=lambda kind: moments[kind]):
            peer.spin(max(0.0, begun + moments[kind] - time.monotonic()))
            number = ENDING_SIGNALS[int(rng.integers(len(ENDING_SIGNALS)))]
            nodes[kind].process.send_signal(number)
        for kind, node in nodes.items():
            told = (kind, f'{moments[kind]:.2f} of {start_s[kind]:.2f} s', node.output)
            status = node.wait()
            if kind == 'live':
                assert status == (2 if 'no pair of label and truth' in node.output else 130), told
            elif kind == 'offline':
                # The signal may come when the scores are written and the node has not yet ended.
                written = (tmp_path / f'{kind}.json').exists()
                assert status in ((0, 130) if written else (130,)), told
            else:
                assert status == 0, told
            assert 'Traceback' not in node.output, told
            assert 'terminate called' not in node.output, told
            assert not group(node.process.pid), told


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
