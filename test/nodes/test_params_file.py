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
"""A parameter file is read as ROS reads it."""

from pathlib import Path
from typing import Any

import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.nodes.params_file import parameter_in, parameter_words

CONFIG = Path(__file__).resolve().parents[2] / 'config'


def entry(name: str, value: str) -> str:
    return f'{name}:\n  ros__parameters: {{weights: {value}}}\n'


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        (entry('/**', 'a'), 'a'),
        (entry('segment_node', 'a'), 'a'),
        (entry('/segment_node', 'a'), 'a'),
        (entry('/*', 'a'), 'a'),
        (entry('/**/segment_node', 'a'), 'a'),
        (entry('/*/segment_node', 'a'), None),
        (entry('/segment', 'a'), None),
        (entry('/segmentXnode', 'a'), None),
        # The last one that matches counts, whatever its pattern.
        (entry('/**', 'a') + entry('segment_node', 'b'), 'b'),
        (entry('segment_node', 'a') + entry('/**', 'b'), 'b'),
        (entry('segment_node', 'a') + entry('/other', 'b'), 'a'),
        (entry('segment_node', 'a') + '/**: {ros__parameters: {device: cpu}}\n', 'a'),
        ('/**:\n  segment_node:\n    ros__parameters: {weights: a}\n', 'a'),
        ('/ns:\n  segment_node:\n    ros__parameters: {weights: a}\n', None),
    ],
)
def test_the_entry_that_ros_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, value: str | None
) -> None:
    file = tmp_path / 'params.yaml'
    file.write_text(text)
    assert parameter_in(file, '/segment_node', 'weights') == value
    rclpy: Any = pytest.importorskip('rclpy', reason='rclpy is not installed')
    from harness import environment

    for name, setting in environment(in_process=True).items():
        if name.startswith('ROS_'):
            monkeypatch.setenv(name, setting)
    rclpy.init(args=['--ros-args', '--params-file', str(file)])
    try:
        node = rclpy.create_node('segment_node')
        assert node.declare_parameter('weights', 'none').value == (value or 'none')
        node.destroy_node()
    finally:
        rclpy.try_shutdown()


def test_the_shipped_file() -> None:
    file = CONFIG / 'segment_node.yaml'
    assert parameter_in(file, '/segment_node', 'weights') == 'spssn_camvid'
    assert parameter_in(file, '/segment_node', 'transport') == 'raw'


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        (None, r'^cannot read params_file .*p\.yaml: No such file or directory; check the path$'),
        (b'a: [', r'^params_file .*p\.yaml is no YAML: while parsing .*$'),
        (b'\xff', r'^params_file .*p\.yaml is no YAML: '),
        (b'a: 2026-31-12', r'^params_file .*p\.yaml is no YAML: month must be in 1..12$'),
        pytest.param(b'[' * 2000, r'^params_file .* is no YAML: .*recursion', id='nested'),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, content: bytes | None, text: str) -> None:
    file = tmp_path / 'p.yaml'
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=text):
        parameter_in(file, '/segment_node', 'weights')


@pytest.mark.parametrize('text', ['', '7', '[a]', '/**: 7', '/**: {ros__parameters: 7}'])
def test_files_without_parameters(tmp_path: Path, text: str) -> None:
    file = tmp_path / 'p.yaml'
    file.write_text(text)
    assert parameter_in(file, '/segment_node', 'weights') is None


def test_texts_are_quoted_where_yaml_reads_something_else() -> None:
    texts = {'a': 'x', 'b': '1', 'c': 'y', 'd': '2026-12-31', 'e': '2026-31-12'}
    words = ['a:=x', 'b:="1"', 'c:="y"', 'd:="2026-12-31"', 'e:="2026-31-12"']
    assert parameter_words(texts)[1::2] == words
