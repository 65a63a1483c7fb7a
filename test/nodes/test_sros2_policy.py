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
"""The SROS2 policy allows what each node needs, and nothing else."""

import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import TIMEOUT_S, by_the_node, environment  # noqa: E402

from spssn_ros.bags.labelled import write_street_bag  # noqa: E402
from spssn_ros.bags.reader import BagReader  # noqa: E402
from spssn_ros.bags.writer import Storage  # noqa: E402
from spssn_ros.nodes.evaluate_node import EvaluateNode  # noqa: E402
from spssn_ros.nodes.messages import LABEL_INFO_TYPE  # noqa: E402
from spssn_ros.nodes.play_bag import BagPlayer, StopFlag  # noqa: E402
from spssn_ros.nodes.segment_node import SegmentNode  # noqa: E402

POLICY = Path(__file__).resolve().parents[2] / 'config' / 'sros2' / 'policy.xml'


class Grey:
    """A scene for bags."""

    camera_matrix = np.eye(3)

    def render(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        return np.full((4, 6, 3), 128, np.uint8), np.zeros((4, 6), np.uint8)


@pytest.fixture
def start(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that makes a node as the launch files do, and its name on the way."""
    for name, value in environment(in_process=True).items():
        if name.startswith('ROS_'):
            monkeypatch.setenv(name, value)
    made: list[Any] = []
    camera = '/camera/image_raw'
    words = {
        'segment_node': ['-r', f'image:={camera}', '-r', 'camera_info:=/camera/camera_info'],
        'evaluate_node': [
            *('-r', f'image:={camera}', '-r', 'label:=/segment_node/label'),
            *('-r', 'label_truth:=/camera/label_truth', '-p', f'report:={tmp_path}/report'),
        ],
        'play_bag': [],
    }

    def create(name: str) -> Any:
        given = ['-p', f'weights:={tiny_weights}', '-p', 'use_sim_time:=true', *words[name]]
        # A node that an earlier test destroyed can still stand in the graph, under its old name.
        rclpy.init(args=['--ros-args', '-r', f'__node:={renamed(name)}', *given])
        if name == 'segment_node':
            node: Any = SegmentNode()
            made.append(node)
            assert node.autostart() is None
        elif name == 'evaluate_node':
            node = EvaluateNode()
            made.append(node)
            assert node.begin() is None
        else:
            node = rclpy.create_node(name)
            made.append(node)
            bag = tmp_path / 'bag'
            write_street_bag(bag, Grey(), 2, 10.0, Storage.MCAP)
            with BagReader(bag) as reader:
                BagPlayer(node, bag, reader.topics, 1.0, 40.0, StopFlag())
        return node

    yield create
    for node in made:
        if isinstance(node, SegmentNode):
            node.stop()
        node.destroy_node()
    rclpy.try_shutdown()


def renamed(name: str) -> str:
    return f'{name}_of_the_policy'


def allowed(name: str) -> dict[str, set[str]]:
    """Return full names that the policy allows a node, by kind."""
    profile = ElementTree.parse(POLICY).getroot().find(f".//profile[@node='{name}']")
    assert profile is not None
    kinds: dict[str, set[str]] = {}
    for rule in profile:
        assert rule.tag in ('topics', 'services')
        (kind,) = rule.attrib
        assert rule.attrib[kind] == 'ALLOW'
        kinds[kind] = {
            f'/{renamed(name)}{e.text[1:]}' if e.text[0] == '~' else e.text for e in rule
        }
    return kinds


@pytest.mark.parametrize('name', ['segment_node', 'evaluate_node', 'play_bag'])
def test_the_policy_allows_what_the_node_uses_and_no_more(name: str, start: Any) -> None:
    node = start(name)
    rules = allowed(name)
    # What only other distributions of ROS 2 or other installations have.
    elsewhere = {f'/{renamed(name)}/get_type_description'}
    if LABEL_INFO_TYPE is None:
        elsewhere.add(f'/{renamed(name)}/label_info')

    def idle(kind: str) -> set[str]:
        mine = rules[kind] - elsewhere
        return {rule for rule in mine if not any(fnmatchcase(t, rule) for t in names(kind))}

    def names(kind: str) -> set[str]:
        return {topic for topic, _ in listing[kind](renamed(name), '/')}

    listing = {
        'publish': node.get_publisher_names_and_types_by_node,
        'subscribe': node.get_subscriber_names_and_types_by_node,
        'reply': node.get_service_names_and_types_by_node,
    }
    assert set(rules) == set(listing)
    # The graph comes to know a node's topics a moment after they are made.
    deadline = time.monotonic() + TIMEOUT_S
    while any(map(idle, rules)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not node.get_client_names_and_types_by_node(renamed(name), '/')
    for kind in rules:
        refused = {t for t in names(kind) if not any(fnmatchcase(t, r) for r in rules[kind])}
        assert not refused, kind
        assert not idle(kind), kind


def test_security_that_cannot_be_had_ends_a_node_in_one_line(
    run_node: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('ROS_SECURITY_ENABLE', 'true')
    monkeypatch.setenv('ROS_SECURITY_STRATEGY', 'Enforce')
    monkeypatch.setenv('ROS_SECURITY_KEYSTORE', str(tmp_path))
    node = run_node('evaluate_node')
    assert node.wait() == 2
    assert by_the_node(node.output).count('\n') == 1
    assert 'SECURITY ERROR' in node.output
    assert str(tmp_path) in node.output
