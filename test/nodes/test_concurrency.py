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
"""Whatever changes while frames flow, nothing breaks and the outputs of a frame fit together."""

import itertools
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import TIMEOUT_S, camera_image, picture  # noqa: E402
from in_process import Bench  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from spssn_ros.imaging import to_labels, to_rgb  # noqa: E402
from spssn_ros.labels import CAMVID, UNKNOWN  # noqa: E402
from spssn_ros.nodes.segment_node import SegmentNode  # noqa: E402

SEQUENCES, ACTIONS = int(os.environ.get('SPSSN_SEQUENCES', '40')), 12
OUTPUTS = ('label', 'confidence', 'color', 'mask/road', 'mask/sky')


class Chaos:
    """Does random things to an active node and keeps, by frame, what it publishes."""

    def __init__(self, bench: Bench, seed: int, weights: list[str]) -> None:
        self.bench, self.rng, self.weights = bench, np.random.default_rng(seed), weights
        self.subscriptions: dict[str, Any] = {}
        self.frames: dict[int, dict[str, Image]] = defaultdict(dict)
        self.thresholds: dict[int, float] = {}
        self.threshold = 0.0
        # No frame has the number of one before it, which may still be at work.
        self.number = 1000 * (seed + 1)
        for output in OUTPUTS:
            self.toggle_subscriber(output)

    def toggle_subscriber(self, output: str) -> None:
        if output in self.subscriptions:
            self.bench.peer.destroy_subscription(self.subscriptions.pop(output))
            return

        def keep(message: Image) -> None:
            self.frames[message.header.stamp.sec][output] = message

        self.subscriptions[output] = self.bench.peer.create_subscription(
            Image, f'/segment_node/{output}', keep, 10
        )

    def send_frames(self) -> None:
        for _ in range(int(self.rng.integers(1, 6))):
            self.number += 1
            size = [(96, 64), (60, 90), (33, 7)][int(self.rng.integers(3))]
            message = camera_image(picture(int(self.rng.integers(9)), *size), self.number)
            self.bench.publisher.publish(message)
            self.spin(int(self.rng.integers(4)))

    def spin(self, times: int) -> None:
        for _ in range(times):
            self.bench.executor.spin_once(timeout_sec=0.005)

    def set_parameter(self) -> None:
        choices: list[tuple[str, Any]] = [
            ('confidence_threshold', float(self.rng.choice([0.0, 0.3, 0.6]))),
            ('output_size', str(self.rng.choice(['input', 'network', '48x32']))),
            ('input_size', str(self.rng.choice(['auto', 'native', '64x48']))),
            ('mask_classes', [['all'], ['road'], ['sky', 'road']][int(self.rng.integers(3))]),
            ('overlay_alpha', float(self.rng.uniform())),
            ('max_rate', float(self.rng.choice([0.0, 500.0]))),
            ('weights', self.weights[int(self.rng.integers(2))]),
            ('mask_classes', ['dragon']),
        ]
        name, value = choices[int(self.rng.integers(len(choices)))]
        change = rclpy.parameter.Parameter(name, value=value)
        result = self.bench.node.set_parameters([change])[0]
        assert result.successful == (value != ['dragon']), result.reason

    def restart(self) -> None:
        node, success = self.bench.node, TransitionCallbackReturn.SUCCESS
        assert node.trigger_deactivate() == success
        self.send_frames()
        if self.rng.integers(2):
            assert node.trigger_cleanup() == success
            self.send_frames()
            assert node.trigger_configure() == success
        self.send_frames()
        assert node.trigger_activate() == success

    def hold_a_frame(self) -> None:
        """Have a frame be at work until the node is stopped."""
        node, at_work = self.bench.node, threading.Event()
        backend = node._pipeline.segmenter.backend
        segment = backend.segment

        def held(*arguments: Any) -> Any:
            at_work.set()
            while not node._worker.mailbox.closed:
                time.sleep(0.001)
            return segment(*arguments)

        backend.segment = held
        self.bench.send_until(at_work.is_set)

    def act(self) -> None:
        actions = [self.send_frames, self.set_parameter, self.send_frames, self.restart]
        if self.rng.integers(5) == 0:
            self.toggle_subscriber(OUTPUTS[int(self.rng.integers(len(OUTPUTS)))])
        else:
            actions[int(self.rng.choice(4, p=[0.3, 0.35, 0.25, 0.1]))]()


def check_consistent(frame: dict[str, Image]) -> int:
    """Compare the outputs of one frame with one another; return how many pairs there were."""
    if 'label' not in frame:
        return 0
    labels = to_labels(frame['label'])
    pairs = 0
    for output, message in frame.items():
        assert (message.width, message.height) == labels.shape[::-1], output
        if output == 'color':
            np.testing.assert_array_equal(to_rgb(message), CAMVID.color_table()[labels])
        if output.startswith('mask/'):
            expected = (labels == CAMVID.index(output.removeprefix('mask/'))) * np.uint8(255)
            np.testing.assert_array_equal(to_labels(message), expected)
        if output == 'confidence':
            confidence = to_labels(message)
            unknown = labels == UNKNOWN
            # What is unknown is less certain than everything that is known.
            if unknown.any() and not unknown.all():
                assert confidence[unknown].max() <= confidence[~unknown].min()
        pairs += output != 'label'
    return pairs


def test_random_changes_while_frames_flow(
    bench: Callable[..., Bench],
    tiny_weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    second = tmp_path / 'second.safetensors'
    second.write_bytes(tiny_weights.read_bytes())
    # PyTorch compiles nothing, so that swaps and new sizes are quick.
    made = bench(SegmentNode, 'backend:=torch')
    made.send_until(lambda: made.labels)
    pairs = 0
    for seed in itertools.count():
        # On a slow machine most frames of a sequence are replaced by newer ones.
        if seed >= SEQUENCES and pairs > 5 * SEQUENCES:
            break
        chaos = Chaos(made, seed, [str(tiny_weights), str(second)])
        for _ in range(ACTIONS):
            chaos.act()
        chaos.spin(20)
        pairs += sum(check_consistent(frame) for frame in chaos.frames.values())
        for subscription in chaos.subscriptions.values():
            made.peer.destroy_subscription(subscription)
    made.labels.clear()
    made.send_until(lambda: made.labels)
    camera = made.node._cameras['']
    assert camera.statistics.rejected == 0, camera.statistics.last_error
    assert 'Traceback' not in ''.join(capfd.readouterr())


def test_the_end_at_random_moments_of_the_work(
    bench: Callable[..., Bench],
    tiny_weights: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for seed in range(max(8, SEQUENCES // 5)):
        made = bench(SegmentNode, 'backend:=torch')
        chaos = Chaos(made, seed, [str(tiny_weights)] * 2)
        for _ in range(int(chaos.rng.integers(6))):
            chaos.act()
        if seed % 2:
            chaos.hold_a_frame()
            assert made.node._cameras[''].statistics.working_since_s is not None
        else:
            # Large enough to be at work for a while.
            made.publisher.publish(camera_image(picture(0, 640, 480)))
            chaos.spin(int(chaos.rng.integers(4)))
        # Half a second is not enough for a frame on a busy machine.
        assert made.node.stop() or made.node._worker.stop(TIMEOUT_S), seed
        assert 'inference' not in [thread.name for thread in threading.enumerate()], seed
        # As when the executor's thread is still in the middle of something.
        made.publisher.publish(made.message)
        chaos.spin(3)
    assert 'Traceback' not in ''.join(capfd.readouterr())
