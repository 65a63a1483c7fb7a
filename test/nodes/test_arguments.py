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
"""What stands outside --ros-args, which ROS passes over without a word."""

import subprocess
import sys
from pathlib import Path

import pytest

from spssn_ros.nodes.arguments import wants_help
from spssn_ros.nodes.parameters import PARAMETERS


@pytest.mark.parametrize(
    'words',
    [
        ['--help'],
        ['-h', '--ros-args', '-p', 'device:=cpu'],
        ['--ros-args', '-p', 'device:=cpu', '--', '--help'],
    ],
    ids=' '.join,
)
def test_help_lists_every_parameter(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('COLUMNS', '80')
    assert wants_help('segment_node', words)
    output, errors = capsys.readouterr()
    assert errors == ''
    assert output.startswith('usage: segment_node [--ros-args [-r image:=TOPIC] [-p PARAMETER')
    for spec in PARAMETERS:
        assert f'\n  {spec.name} ' in output
    told = ' '.join(output.split())
    assert "Default: 'spssn_camvid'" in told
    # As -p takes them.
    assert "Default: ['']" in told
    assert "Default: ['all']" in told
    assert max(map(len, output.splitlines())) <= 80


def test_help_of_the_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    assert wants_help('evaluate_node', ['--help'])
    assert '\n  fail_under ' in capsys.readouterr().out


def test_what_ros_passes_over_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    words = ['-p', 'device:=cpu', '--ros-args', '-r', 'image:=/i', '--', 'a b']
    assert not wants_help('segment_node', words)
    assert capsys.readouterr() == (
        '',
        "segment_node: ignored, because it does not stand behind --ros-args: -p device:=cpu 'a b';"
        ' see segment_node --help\n',
    )


@pytest.mark.parametrize(
    ('node', 'words'),
    [
        ('segment_node', []),
        ('segment_node', ['--ros-args', '-p', 'device:=cpu']),
        ('evaluate_node', ['--ros-args', '-r', 'a:=b', '--', '--ros-args', '-r', 'c:=d']),
        # It has options of its own.
        ('play_bag', ['bag', '--help']),
    ],
)
def test_nothing_is_said_of_what_is_taken(
    node: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not wants_help(node, words)
    assert capsys.readouterr() == ('', '')


def test_a_node_that_is_asked_for_help_does_not_start() -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'spssn_ros.nodes.start', 'segment_node', '--help'],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('usage: segment_node ')
