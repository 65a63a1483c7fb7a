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
"""When the explainer tells a cause, by a clock and a graph of the test's own."""

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from spssn_ros.nodes import dds, explain
from spssn_ros.nodes.parameters import Transport
from spssn_ros.runtime import Pace, SlotCounts


class FakeNode:
    """Stands for a node, its graph and time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.types: list[str] = []
        self.told: list[str] = []
        self.topics: dict[str, str] = {}
        self.publishers: dict[str, str] = {}

    def monotonic(self) -> float:
        return self.now

    def get_logger(self) -> Any:
        return SimpleNamespace(warning=self.told.append)

    def get_fully_qualified_name(self) -> str:
        return '/segment_node'

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        types = [self.topics[topic]] if topic in self.topics else self.types
        name = self.publishers.get(topic, 'driver')
        return [
            SimpleNamespace(topic_type=kind, node_namespace='/', node_name=name) for kind in types
        ]

    def get_topic_names_and_types(self) -> list[Any]:
        return [(name, [kind]) for name, kind in self.topics.items()]


def start(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, explain.Explainer, Any]:
    node: Any = FakeNode()
    monkeypatch.setattr(explain, 'time', node)
    explainer = explain.Explainer(node, Transport.RAW, lambda camera: SlotCounts())
    statistics = SimpleNamespace(
        pace=Pace(clock=node.monotonic),
        unstamped=False,
        stages=SimpleNamespace(percentiles=dict),
    )
    camera: Any = SimpleNamespace(
        name='',
        topic='/image',
        remappable='image',
        info_remappable='camera_info',
        info_topic='/camera_info',
        info=None,
        statistics=statistics,
        wanted=lambda: ['label'],
    )
    return node, explainer, camera


@pytest.mark.parametrize(
    ('types', 'text'),
    [([], 'nobody publishes /image'), (['std_msgs/msg/String'], 'published as std_msgs/msg/Str')],
)
def test_what_begins_again_after_images_have_come_is_told_again(
    monkeypatch: pytest.MonkeyPatch, types: list[str], text: str
) -> None:
    node, explainer, camera = start(monkeypatch)

    def look(seconds: int, images: bool = False) -> int:
        for _ in range(seconds):
            node.now += 1
            if images:
                camera.statistics.pace.tick()
            explainer.look(camera)
        return sum(text in line for line in node.told)

    node.types = types
    assert look(1) == 0, 'discovery takes a moment'
    assert look(10) == 1
    node.types = ['sensor_msgs/msg/Image']
    assert look(3, images=True) == 1
    node.types = types
    assert look(6) == 1
    assert look(10) == 2


def test_a_slow_camera_is_told_as_silent_once_and_again_when_it_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node, explainer, camera = start(monkeypatch)
    monkeypatch.setattr(explainer, '_has_match', lambda topic, publishers: True)
    node.types = ['sensor_msgs/msg/Image']

    def look(seconds: int, period: int = 0) -> list[str]:
        for second in range(1, seconds + 1):
            node.now += 1
            if period and second % period == 0:
                camera.statistics.pace.tick()
            explainer.look(camera)
        return [line.partition('no image has come for ')[2][:5] for line in node.told]

    assert look(10) == ['5 s: ']
    assert look(600, period=30) == ['5 s: '], 'it comes, at its own pace'
    assert look(90) == ['5 s: '], 'it may be late'
    assert look(10) == ['5 s: ', '90 s:']
    # A moment is no return: it stops again before a minute has passed.
    assert look(4, period=1) == look(20) == ['5 s: ', '90 s:']
    assert look(120, period=1) == ['5 s: ', '90 s:']
    assert look(15) == ['5 s: ', '90 s:', '5 s: ']


@pytest.mark.parametrize(
    ('wanted', 'text'), [([], 'idle: /image'), (['camera_info'], '~/camera_info has a subscriber')]
)
def test_subscribers_that_come_and_go_are_told_of_once(
    monkeypatch: pytest.MonkeyPatch, wanted: list[str], text: str
) -> None:
    node, explainer, camera = start(monkeypatch)

    def look(seconds: int, outputs: list[str]) -> int:
        camera.wanted = lambda: outputs
        for _ in range(seconds):
            node.now += 1
            camera.statistics.pace.tick()
            explainer.look(camera)
        return sum(text in line for line in node.told)

    assert look(1, wanted) == 0
    for _ in range(5):
        assert look(9, wanted) == look(20, ['label']) == 1
    assert look(70, ['label']) == 1
    assert look(9, wanted) == 2


def test_drops_about_the_limit_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    node, explainer, camera = start(monkeypatch)
    counts = SlotCounts()
    monkeypatch.setattr(explainer, '_counts', lambda camera: counts)

    def look(seconds: int, dropped: list[int]) -> int:
        nonlocal counts
        for second in range(seconds):
            node.now += 1
            camera.statistics.pace.tick()
            more = dropped[second // 5 % len(dropped)]
            counts = SlotCounts(counts.received + 30, counts.dropped + more)
            explainer.look(camera)
        return sum('are replaced by newer ones' in line for line in node.told)

    assert look(600, dropped=[1, 3]) == 1
    assert look(70, dropped=[0]) == 1
    assert look(10, dropped=[3]) == 2


def test_drops_while_the_network_is_compiled_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    node, explainer, camera = start(monkeypatch)
    counts = SlotCounts()
    monkeypatch.setattr(explainer, '_counts', lambda camera: counts)
    prepared_at_s = node.now

    def look(seconds: int, dropped: int, compiling: bool = False) -> int:
        nonlocal counts, prepared_at_s
        for _ in range(seconds):
            node.now += 1
            camera.statistics.pace.tick()
            counts = SlotCounts(counts.received + 30, counts.dropped + dropped)
            # It ends between two looks.
            prepared_at_s = node.now - 0.1 if compiling else prepared_at_s
            explainer.look(camera, False, prepared_at_s)
        return sum('are replaced by newer ones' in line for line in node.told)

    assert look(8, dropped=30, compiling=True) == 0
    assert look(5, dropped=0) == 0
    assert look(8, dropped=30, compiling=True) == 0
    assert look(5, dropped=10) == 1, 'it is too slow for the camera'


@pytest.mark.parametrize('gain', [True, False])
def test_who_drops_frames_is_told_of_integers_where_they_help(
    gain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, explainer, camera = start(monkeypatch)
    counts = SlotCounts()
    monkeypatch.setattr(explainer, '_counts', lambda camera: counts)
    for _ in range(5):
        node.now += 1
        camera.statistics.pace.tick()
        counts = SlotCounts(counts.received + 30, counts.dropped + 15)
        explainer.look(camera, gain)
    (told,) = node.told
    more = ', or start the node with precision int8, which these weights hold and this CPU is '
    assert told.endswith('lighter weights' + f'{more}faster with' * gain)


def test_a_silent_driver_is_told_the_setting_that_its_distribution_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node, explainer, camera = start(monkeypatch)
    monkeypatch.setattr(dds.metadata, 'version', lambda package: '7.1.6')  # Jazzy
    monkeypatch.setattr(explainer, '_has_match', lambda topic, publishers: True)
    node.types = ['sensor_msgs/msg/Image']
    for _ in range(10):
        node.now += 1
        explainer.look(camera)
    (told,) = node.told
    assert f'FASTRTPS_DEFAULT_PROFILES_FILE={dds.shipped_profile()} ' in told


def test_outputs_of_other_segment_nodes_are_no_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    node, explainer, camera = start(monkeypatch)
    image, text = 'sensor_msgs/msg/Image', 'std_msgs/msg/String'
    for folder in ('/segment_node', '/robot/segment_node/front'):
        outputs = ('label', 'overlay', 'mask/road', 'mask/car', 'confidence')
        node.topics |= {f'{folder}/{output}': image for output in outputs}
        node.topics[f'{folder}/label_info_json'] = text
    node.topics |= {'/robot/segment_node_camera/image': image, '/label_info_json': text}
    # One of this node's own, remapped.
    node.topics['/perception/label'] = image
    node.publishers['/perception/label'] = 'segment_node'
    for _ in range(5):
        node.now += 1
        explainer.look(camera)
    (line,) = node.told
    assert (
        'nobody publishes /image (images are on /robot/segment_node_camera/image (Image))' in line
    )


@pytest.mark.parametrize(('rmw', 'hint'), [('', True), ('rmw_cyclonedds_cpp', False)])
def test_the_hint_at_fast_dds_is_for_its_users(
    monkeypatch: pytest.MonkeyPatch, rmw: str, hint: bool
) -> None:
    monkeypatch.setenv('RMW_IMPLEMENTATION', rmw)
    node, explainer, camera = start(monkeypatch)
    monkeypatch.setattr(explainer, '_look_at_publishers', lambda camera: True)
    for _ in range(10):
        node.now += 1
        explainer.look(camera)
    (line,) = node.told
    assert 'no image has come for 5 s: is the camera running?' in line
    assert ('Fast DDS' in line) is hint
