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
"""Frames of several cameras that wait together go through the network together."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import TIMEOUT_S, camera_image, picture
from in_process import Bench
from sensor_msgs.msg import Image

from spssn_ros.errors import GpuMemoryError
from spssn_ros.imaging import to_labels
from spssn_ros.inference import Segmenter
from spssn_ros.nodes import pipeline
from spssn_ros.nodes.camera import Camera
from spssn_ros.nodes.segment_node import SegmentNode

NAMES = ('front', 'left', 'rear', 'right')


class BatchingNode(SegmentNode):
    """Its backend takes four frames at once, which those of a CPU gain nothing by."""

    def _load(self, settings: Any) -> Any:
        pipeline = super()._load(settings)
        backend: Any = pipeline.segmenter.backend
        segment_batch = backend.segment_batch
        self.sizes: list[int] = []
        self.faults: list[Exception] = []

        def recorded(frames: Any, *arguments: Any) -> Any:
            self.sizes.append(len(frames))
            if self.faults:
                raise self.faults.pop(0)
            return segment_batch(frames, *arguments)

        backend.max_batch = 4
        backend.segment_batch = recorded
        return pipeline


class Cameras:
    """Has one frame of each camera wait while the inference thread is held up."""

    def __init__(self, made: Bench) -> None:
        self.made = made
        self.labels: dict[str, list[Image]] = {name: [] for name in NAMES}
        for name in NAMES:
            made.peer.create_subscription(
                Image, f'/segment_node/{name}/label', self.labels[name].append, 10
            )
        self.spin_until(lambda: all(c.wanted() for c in made.node._cameras.values()))

    def spin_until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end, {n: len(labels) for n, labels in self.labels.items()}
            self.made.executor.spin_once(timeout_sec=0.01)

    def send_together(self, messages: dict[str, Image]) -> None:
        go_on = threading.Event()
        held = self.made.node._worker.submit(lambda: go_on.wait(TIMEOUT_S))
        for name, message in messages.items():
            self.made.node._on_image(self.made.node._cameras[name], message)
        go_on.set()
        held.result(TIMEOUT_S)
        # A label comes before its frame is counted.
        self.spin_until(lambda: all(map(self.is_counted, messages)))

    def is_counted(self, name: str) -> bool:
        return bool(self.statistics(name).answered + self.statistics(name).rejected)

    def statistics(self, name: str) -> Any:
        return self.made.node._cameras[name].statistics

    def check(self, name: str, rgb: np.ndarray) -> None:
        alone = Segmenter.from_weights(
            self.made.node._settings.weights, device='cpu', backend='torch', precision='float32'
        )
        label = self.labels[name][-1]
        assert label.header.frame_id == name
        assert (to_labels(label) == alone(rgb).labels).mean() > 0.999


@pytest.fixture
def cameras(bench: Callable[..., Bench]) -> Cameras:
    names = f'cameras:=[{", ".join(NAMES)}]'
    return Cameras(bench(BatchingNode, names, 'backend:=torch', 'precision:=float32'))


def frames() -> dict[str, np.ndarray]:
    return {name: picture(seed) for seed, name in enumerate(NAMES)}


def test_frames_of_one_size_go_together_and_each_has_its_own_answer(cameras: Cameras) -> None:
    pictures = frames()
    pictures['left'] = np.ascontiguousarray(pictures['left'][:40])
    messages = {name: camera_image(rgb, frame_id=name) for name, rgb in pictures.items()}
    cameras.send_together(messages)
    cameras.spin_until(lambda: all(cameras.labels.values()))
    assert cameras.made.node.sizes == [3, 1]
    for name, rgb in pictures.items():
        cameras.check(name, rgb)
        assert cameras.statistics(name).answered == 1
        assert cameras.statistics(name).working_since_s is None


class StandingClock:
    """Stands in for `time`: only what a test says takes time."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_camera_is_not_told_the_time_that_others_take(
    cameras: Cameras, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = StandingClock()
    monkeypatch.setattr(pipeline, 'time', time)
    publish = Camera.publish

    def slowly(*arguments: Any) -> float:
        time.now += 0.05
        return publish(*arguments)

    monkeypatch.setattr(Camera, 'publish', slowly)
    cameras.send_together({n: camera_image(rgb, frame_id=n) for n, rgb in frames().items()})
    assert cameras.made.node.sizes == [4]
    stages = [cameras.statistics(name).stages.percentiles() for name in NAMES]
    assert [found['post'].p50 for found in stages] == [0, 0, 0, 0]
    assert sorted(found['total'].p50 for found in stages) != [50, 50, 50, 50]
    for found in stages:
        assert found['encode'].p50 + found['publish'].p50 == pytest.approx(50)


def test_a_bad_frame_costs_only_itself(cameras: Cameras) -> None:
    pictures = frames()
    messages = {name: camera_image(rgb, frame_id=name) for name, rgb in pictures.items()}
    messages['rear'].encoding = 'rgb7'
    messages['front'].step = 1
    cameras.send_together(messages)
    cameras.spin_until(lambda: cameras.labels['left'] and cameras.labels['right'])
    assert cameras.made.node.sizes == [2]
    for name in ('left', 'right'):
        cameras.check(name, pictures[name])
    assert "'rgb7': unsupported encoding" in cameras.statistics('rear').last_error
    assert 'step 1 is shorter' in cameras.statistics('front').last_error
    assert [cameras.statistics(name).rejected for name in NAMES] == [1, 0, 1, 0]
    assert [cameras.statistics(name).answered for name in NAMES] == [0, 1, 0, 1]


def test_the_engine_is_told_how_many_frames_may_wait_together(cameras: Cameras) -> None:
    assert cameras.made.node._pipeline.segmenter.backend.expected == len(NAMES)


def test_a_batch_that_fails_is_tried_frame_by_frame(cameras: Cameras) -> None:
    cameras.made.node.faults = [RuntimeError('only together')]
    pictures = frames()
    cameras.send_together({n: camera_image(rgb, frame_id=n) for n, rgb in pictures.items()})
    cameras.spin_until(lambda: all(cameras.labels.values()))
    assert cameras.made.node.sizes == [4, 1, 1, 1, 1]
    for name, rgb in pictures.items():
        cameras.check(name, rgb)
        assert cameras.statistics(name).rejected == 0


def test_a_batch_without_gpu_memory_goes_to_the_cpu(cameras: Cameras) -> None:
    cameras.made.node.faults = [GpuMemoryError('out of GPU memory at network input 96x64')]
    pictures = frames()
    cameras.send_together({n: camera_image(rgb, frame_id=n) for n, rgb in pictures.items()})
    cameras.spin_until(lambda: all(cameras.labels.values()))
    for name, rgb in pictures.items():
        assert to_labels(cameras.labels[name][0]).shape == rgb.shape[:2]
        assert cameras.statistics(name).answered == 1
    assert cameras.made.node._pipeline.segmenter.max_batch == 1
