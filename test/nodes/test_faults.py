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
"""Faults put into a `segment_node` of this process: it says so, goes on and recovers."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from harness import TIMEOUT_S, picture, values  # noqa: E402
from in_process import Bench  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402

from spssn_ros.errors import GpuMemoryError  # noqa: E402
from spssn_ros.imaging import to_labels  # noqa: E402
from spssn_ros.inference import Segmenter  # noqa: E402
from spssn_ros.nodes import diagnostics as node_diagnostics  # noqa: E402
from spssn_ros.nodes import load  # noqa: E402
from spssn_ros.nodes.camera import Camera  # noqa: E402
from spssn_ros.nodes.segment_node import SegmentNode  # noqa: E402

Fault = Callable[[], None]


def nothing() -> None:
    pass


class FaultySegmentNode(SegmentNode):
    """Calls `fault` before every frame that the network segments."""

    fault: Fault = staticmethod(nothing)

    def _load(self, settings: Any) -> Any:
        pipeline = super()._load(settings)
        backend = pipeline.segmenter.backend
        segment = backend.segment

        def faulty(*arguments: Any) -> Any:
            self.fault()
            return segment(*arguments)

        backend.segment = faulty
        return pipeline


def test_a_network_that_raises_from_the_first_frame_on_is_an_error_until_it_recovers(
    bench: Callable[..., Bench],
) -> None:
    broken = threading.Event()
    broken.set()

    def fault() -> None:
        if broken.is_set():
            raise ZeroDivisionError('first line\nsecond line')

    made = bench(FaultySegmentNode)
    made.node.fault = fault
    made.send_until(
        lambda: made.says(DiagnosticStatus.ERROR, "ZeroDivisionError('first line\\nsecond line')")
    )
    rejected = int(values(made.diagnostics[-1])['rejected'])
    assert rejected > 0
    assert not made.labels
    broken.clear()
    made.send_until(lambda: made.labels)
    expected = Segmenter.from_weights(made.node._settings.weights)(picture()).labels
    np.testing.assert_array_equal(to_labels(made.labels[0]), expected)
    # The window of the rates is five seconds.
    made.send_until(lambda: made.says(DiagnosticStatus.OK, 'frames a second answered'))


def test_a_network_that_raises_now_and_then_is_a_warning(bench: Callable[..., Bench]) -> None:
    calls = iter(range(10**6))

    def fault() -> None:
        if next(calls) % 2:
            raise RuntimeError('every second frame')

    made = bench(FaultySegmentNode)
    made.node.fault = fault
    made.send_until(
        lambda: made.says(DiagnosticStatus.WARN, "rejected: RuntimeError('every second frame')")
    )
    assert made.labels


def test_a_frame_that_is_still_at_work_is_not_answered_once_it_was_deactivated(
    bench: Callable[..., Bench],
) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def fault() -> None:
        at_work.set()
        go_on.wait(TIMEOUT_S)

    made = bench(FaultySegmentNode)
    made.send_until(lambda: made.labels)
    made.node.fault = fault
    made.send_until(at_work.is_set)
    # Of frames before it.
    made.settle()
    made.labels.clear()
    network = weakref.ref(made.node._pipeline.segmenter)
    assert made.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert made.node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
    go_on.set()
    # Behind the frame.
    made.node._on_worker(nothing)
    made.settle()
    assert made.labels == []
    gc.collect()
    assert network() is None
    assert made.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert made.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    made.send_until(lambda: made.labels)


def test_deactivating_waits_for_what_is_just_being_published(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing, sent_s = threading.Event(), []
    publish = Camera.publish

    def slowly(*arguments: Any) -> float:
        publishing.set()
        time.sleep(0.3)
        took_ms = publish(*arguments)
        sent_s.append(time.monotonic())
        return took_ms

    made = bench(SegmentNode)
    made.send_until(lambda: made.labels)
    monkeypatch.setattr(Camera, 'publish', slowly)
    made.send_until(publishing.is_set)
    assert made.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    deactivated_s = time.monotonic()
    # Behind the frame.
    made.node._on_worker(nothing)
    assert sent_s
    assert max(sent_s) < deactivated_s


def test_a_network_that_hangs_is_an_error_until_it_goes_on(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_diagnostics, 'STUCK_S', 0.3)
    go_on = threading.Event()
    made = bench(FaultySegmentNode)
    made.node.fault = lambda: go_on.wait(TIMEOUT_S)
    made.send_until(lambda: made.says(DiagnosticStatus.ERROR, 'one frame has been at work for'))
    go_on.set()
    made.send_until(lambda: made.labels and made.status.level == DiagnosticStatus.OK)


def test_a_swap_of_weights_that_breaks_is_refused_and_the_old_network_works_on(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(FaultySegmentNode)
    made.send_until(lambda: made.labels)

    def broken(self: Segmenter, *arguments: Any) -> None:
        raise RuntimeError('CUDA error:\nan illegal memory access')

    with monkeypatch.context() as patch:
        patch.setattr(Segmenter, 'warm_up', broken)
        swap = rclpy.parameter.Parameter('weights', value='spssn_camvid')
        result = made.node.set_parameters([swap])[0]
    assert not result.successful
    assert result.reason == "RuntimeError('CUDA error:\\nan illegal memory access')"
    made.labels.clear()
    made.send_until(lambda: made.labels)


@pytest.fixture
def no_garbage_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures('no_garbage_collector')
@pytest.mark.parametrize('trouble', ['bad frame', 'network', 'publishing', 'swap'])
def test_an_old_network_is_freed_at_once_whatever_went_wrong_with_it(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    made = bench(FaultySegmentNode)
    made.send_until(lambda: made.labels)

    def broken(*arguments: Any) -> None:
        try:
            raise KeyError('inner')
        except KeyError as error:
            raise RuntimeError('outer') from error

    rejected = 1
    with monkeypatch.context() as patch:
        if trouble == 'bad frame':
            patch.setattr(made.message, 'encoding', 'rgb9')
        elif trouble == 'network':
            patch.setattr(made.node, 'fault', broken)
        elif trouble == 'publishing':
            patch.setattr(made.node._cameras[''], 'publish', broken)
        else:
            patch.setattr(Segmenter, 'warm_up', broken)
            assert not set_weights(made).successful
            rejected = 0
        made.send_until(lambda: made.node._cameras[''].statistics.rejected >= rejected)
    made.labels.clear()
    made.send_until(lambda: made.labels)
    old = weakref.ref(made.node._pipeline.segmenter)
    assert set_weights(made).successful
    made.labels.clear()
    made.send_until(lambda: made.labels)
    assert old() is None


def set_weights(made: Bench, spelling: str = '/./') -> Any:
    """Set the weights that are set, by another spelling of their path or by the same."""
    path = made.node._settings.weights.replace('/', spelling, 1)
    swap = rclpy.parameter.Parameter('weights', value=path)
    return made.node.set_parameters([swap])[0]


def test_weights_that_are_set_already_are_not_loaded_again(
    bench: Callable[..., Bench], tiny_weights: Path, tmp_path: Path
) -> None:
    made = bench(SegmentNode, 'device:=auto')
    made.send_until(lambda: made.labels)

    def loads() -> bool:
        before = made.node._pipeline.segmenter
        assert set_weights(made, '/').successful
        return made.node._pipeline.segmenter is not before

    assert not loads()
    copy = tmp_path / 'copy.safetensors'
    copy.write_bytes(tiny_weights.read_bytes())
    name = rclpy.parameter.Parameter('weights', value=str(copy))
    assert made.node.set_parameters([name])[0].successful
    assert not loads()
    # The other parameters that come with it hold all the same.
    before = made.node._pipeline.segmenter
    alpha = rclpy.parameter.Parameter('overlay_alpha', value=0.25)
    assert made.node.set_parameters_atomically([name, alpha]).successful
    assert made.node._pipeline.segmenter is before
    assert made.node._pipeline.settings.overlay_alpha == 0.25
    # Trained on meanwhile.
    copy.write_bytes(tiny_weights.read_bytes())
    assert loads()
    assert not loads()
    copy.unlink()
    assert not set_weights(made, '/').successful
    copy.write_bytes(tiny_weights.read_bytes())
    assert loads()
    # A GPU had no memory; there may be some by now.
    made.node._pipeline.segmenter.move_to_cpu()
    assert loads()


def test_a_gpu_whose_memory_runs_out_leaves_the_work_to_the_cpu(
    bench: Callable[..., Bench], capfd: pytest.CaptureFixture[str]
) -> None:
    attempts: list[None] = []

    def fault() -> None:
        attempts.append(None)
        raise GpuMemoryError('out of GPU memory at network input 96x64')

    made = bench(FaultySegmentNode)
    made.node.fault = fault
    made.send_until(lambda: len(made.labels) > 3 and made.diagnostics)
    assert len(attempts) == 1, 'the frame is tried again, and every later one, on the CPU'
    assert made.node._pipeline is not None
    assert made.node._pipeline.segmenter.plan.device.value == 'cpu'
    assert values(made.diagnostics[-1])['rejected'] == '0'
    expected = Segmenter.from_weights(made.node._settings.weights)(picture()).labels
    np.testing.assert_array_equal(to_labels(made.labels[-1]), expected)
    said = ''.join(capfd.readouterr())
    assert said.count('out of GPU memory at network input 96x64; running on the CPU from') == 1


def test_a_gpu_without_memory_for_the_network_leaves_it_to_the_cpu(
    bench: Callable[..., Bench],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    warm_up, attempts = Segmenter.warm_up, list[Any]()
    alive_when_given_back: list[bool] = []

    def full(self: Segmenter, *arguments: Any) -> None:
        attempts.append(weakref.ref(self))
        if len(attempts) == 1:
            raise GpuMemoryError('out of GPU memory at the network')
        warm_up(self, *arguments)

    monkeypatch.setattr(Segmenter, 'warm_up', full)
    monkeypatch.setattr(
        load, 'give_back_memory', lambda: alive_when_given_back.append(attempts[0]() is not None)
    )
    made = bench(SegmentNode)
    made.send_until(lambda: made.labels)
    assert made.node._pipeline is not None
    assert made.node._pipeline.segmenter.config.device.value == 'cpu'
    said = ''.join(capfd.readouterr())
    assert said.count('out of GPU memory at the network; running on the CPU instead') == 1
    assert alive_when_given_back == [False]
