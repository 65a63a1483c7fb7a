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
from spssn_ros.runtime import SlotCounts


class FakeNode:
    """Stands for a node, its graph and time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.types: list[str] = []
        self.rate = 0.0
        self.told: list[str] = []
        self.topics: dict[str, str] = {}

    def monotonic(self) -> float:
        return self.now

    def get_logger(self) -> Any:
        return SimpleNamespace(warning=self.told.append)

    def get_fully_qualified_name(self) -> str:
        return '/segment_node'

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        return [SimpleNamespace(topic_type=name) for name in self.types]

    def get_topic_names_and_types(self) -> list[Any]:
        return [(name, [kind]) for name, kind in self.topics.items()]

    def count_publishers(self, topic: str) -> int:
        return int(topic in self.topics)


def start(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, explain.Explainer, Any]:
    node: Any = FakeNode()
    monkeypatch.setattr(explain, 'time', node)
    explainer = explain.Explainer(node, Transport.RAW, lambda camera: SlotCounts())
    rate = SimpleNamespace(per_second=lambda: node.rate)
    statistics = SimpleNamespace(rate_in=rate, unstamped=False)
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

    def look(seconds: int) -> int:
        for _ in range(seconds):
            node.now += 1
            explainer.look(camera)
        return sum(text in line for line in node.told)

    node.types = types
    assert look(1) == 0, 'discovery takes a moment'
    assert look(10) == 1
    node.types, node.rate = ['sensor_msgs/msg/Image'], 10.0
    assert look(3) == 1
    node.types, node.rate = types, 0.0
    assert look(1) == 1
    assert look(10) == 2


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
