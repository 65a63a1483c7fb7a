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
"""`segment_node`'s lifecycle within this process, where faults can be put in."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import environment, ros_args  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402

from spssn_ros.nodes.segment_node import SegmentNode  # noqa: E402

SUCCESS, FAILURE, ERROR = (
    TransitionCallbackReturn.SUCCESS,
    TransitionCallbackReturn.FAILURE,
    TransitionCallbackReturn.ERROR,
)


class FaultySegmentNode(SegmentNode):
    """Breaks the first time it loads a network, in a way that nobody foresaw."""

    broken = True

    def _load(self, settings: Any) -> Any:
        if self.broken:
            self.broken = False
            raise ZeroDivisionError('put in by a test')
        return super()._load(settings)


@pytest.fixture
def create(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., SegmentNode]]:
    for name, value in environment(in_process=True).items():
        if name.startswith('ROS_'):
            monkeypatch.setenv(name, value)
    nodes: list[SegmentNode] = []

    def make(kind: type[SegmentNode], *parameters: str) -> SegmentNode:
        rclpy.init(args=ros_args(tiny_weights, *parameters))
        nodes.append(kind())
        return nodes[-1]

    yield make
    for node in nodes:
        node.stop()
        node.destroy_node()
    rclpy.try_shutdown()


def state(node: SegmentNode) -> str:
    return str(node._state_machine.current_state[1])


def test_an_unforeseen_fault_leads_back_to_unconfigured_from_where_it_recovers(
    create: Callable[..., SegmentNode], capfd: pytest.CaptureFixture[str]
) -> None:
    node = create(FaultySegmentNode)
    assert node.trigger_configure() == ERROR
    assert "cannot configure: ZeroDivisionError('put in by a test')" in capfd.readouterr().err
    assert state(node) == 'unconfigured'
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    assert state(node) == 'active'


def test_configuring_with_weights_that_are_not_there_can_be_mended(
    create: Callable[..., SegmentNode], tiny_weights: Path
) -> None:
    node = create(SegmentNode, 'weights:=/nowhere.safetensors')
    assert node.trigger_configure() == FAILURE
    assert state(node) == 'unconfigured'
    mended = rclpy.parameter.Parameter('weights', value=str(tiny_weights))
    assert node.set_parameters([mended])[0].successful
    assert node.trigger_configure() == SUCCESS


def test_weights_and_classes_are_checked_before_there_is_a_network(
    create: Callable[..., SegmentNode], tiny_weights: Path, tmp_path: Path
) -> None:
    node = create(SegmentNode, 'mask_classes:=[road, dragon]', 'overlay_classes:=[unicorn]')

    def answer(**values: object) -> str:
        given = [rclpy.parameter.Parameter(name, value=value) for name, value in values.items()]
        return str(node.set_parameters_atomically(given).reason)

    assert answer(weights='/nowhere.safetensors').startswith("no weights file '/nowhere.safetenso")
    (tmp_path / 'cut.safetensors').write_bytes(tiny_weights.read_bytes()[:-1])
    assert 'is not a safetensors file' in answer(weights=str(tmp_path / 'cut.safetensors'))
    # One wrong list after the other can be mended; others do not ask for weights.
    assert answer(mask_classes=['wyvern']).startswith("mask_classes names 'wyvern'; the ")
    assert answer(max_rate=5.0) == ''
    assert answer(weights='spssn_camvid').startswith("mask_classes names 'dragon'; the classes of")
    assert answer(mask_classes=['sky']) == answer(overlay_classes=['all']) == ''
    assert answer(weights=str(tiny_weights)) == ''
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    assert answer(weights='/nowhere.safetensors').startswith('no weights file')
    assert node._settings.mask_classes == ('sky',)


def test_classes_may_be_set_while_the_weights_are_missing(
    create: Callable[..., SegmentNode], tiny_weights: Path
) -> None:
    node = create(SegmentNode, 'weights:=/nowhere.safetensors')
    classes = rclpy.parameter.Parameter('mask_classes', value=['sky'])
    assert node.set_parameters([classes])[0].successful
    mended = rclpy.parameter.Parameter('weights', value=str(tiny_weights))
    assert node.set_parameters([mended])[0].successful


def test_the_network_lives_on_the_inference_thread_and_is_freed(
    create: Callable[..., SegmentNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    load = SegmentNode._load

    def recorded(self: SegmentNode, settings: Any) -> Any:
        threads.append(threading.current_thread().name)
        return load(self, settings)

    monkeypatch.setattr(SegmentNode, '_load', recorded)
    node = create(SegmentNode)
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    assert threads == ['inference']
    assert node.trigger_deactivate() == SUCCESS
    assert node._pipeline is not None, 'deactivating keeps the network'
    assert node.trigger_cleanup() == SUCCESS
    assert node._pipeline is None
    assert node.trigger_configure() == SUCCESS
    assert threads == ['inference', 'inference']
    assert node.trigger_shutdown() == SUCCESS
    assert node._pipeline is None


def test_topics_that_cannot_be_made_leave_all_as_it_was(
    create: Callable[..., SegmentNode], capfd: pytest.CaptureFixture[str]
) -> None:
    bad = 'qos_overrides./segment_node/mask/car.publisher.reliability:=wrong'
    node = create(SegmentNode, 'mask_classes:=[road, sky]', bad)
    assert node.trigger_configure() == SUCCESS
    before = node._pipeline
    rule = before.segmenter.config.input_size
    answer = node.set_parameters_atomically(
        [
            rclpy.parameter.Parameter('mask_classes', value=['tree', 'car']),
            rclpy.parameter.Parameter('input_size', value='64x64'),
        ]
    )
    assert not answer.successful
    assert '/segment_node/mask/car cannot be had with its qos_overrides' in answer.reason
    assert node._pipeline is before
    topics = {publisher.topic_name for publisher in node.publishers}
    assert {topic for topic in topics if '/mask/' in topic} == {
        '/segment_node/mask/road',
        '/segment_node/mask/sky',
    }
    assert before.segmenter.config.input_size == rule
    # The timer's look at who does not match finds only topics that there are.
    node._explain()
    # Nor does it stand in the way of others.
    assert node.set_parameters([rclpy.parameter.Parameter('max_rate', value=5.0)])[0].successful
