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
"""A node starts wherever its log files can go."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from spssn_ros.nodes.log_folder import find_log_folder


def test_a_folder_is_named_only_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = str(Path(tempfile.gettempdir()) / f'ros_log_{os.getuid()}')
    for given, expected in (
        ({}, elsewhere),
        ({'HOME': ''}, elsewhere),
        ({'HOME': '/dev/null'}, elsewhere),
        ({'HOME': str(tmp_path)}, None),
        ({'HOME': '/dev/null', 'ROS_LOG_DIR': '/mine'}, '/mine'),
        ({'ROS_HOME': '/mine'}, None),
    ):
        monkeypatch.setattr(os, 'environ', dict(given))
        find_log_folder()
        assert os.environ.get('ROS_LOG_DIR') == expected, given
    assert list(tmp_path.iterdir()) == []


def test_a_node_of_a_system_service_starts(tmp_path: Path) -> None:
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    from harness import environment

    unset = ('HOME', 'ROS_LOG_DIR', 'ROS_HOME')
    service = {k: v for k, v in environment().items() if k not in unset}
    command = [sys.executable, '-m', 'spssn_ros.nodes.start', 'evaluate_node', '--ros-args']
    done = subprocess.run(
        [*command, '-p', 'mode:=offline', '-p', 'bag:=/dev/null/nowhere'],
        env=service,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert 'bag /dev/null/nowhere does not exist' in done.stderr
    assert 'logging' not in done.stderr
