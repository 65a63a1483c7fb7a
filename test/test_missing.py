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
"""A package that is missing is told in one line, with the command that installs it."""

import os
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from spssn_ros import __version__, missing
from spssn_ros.missing import explain_import

ROOT = Path(__file__).resolve().parents[1]
PIP = f'{shlex.quote(sys.executable)} -m pip install'
TOOLS = f"run in the package's source folder: {PIP} '.[tools]'"
ALL = (
    'source /opt/ros/DISTRO/setup.bash where ROS 2 is installed; '
    f"where not, run in the package's source folder: {PIP} '.[all]'"
)
ROSDEP = 'run in the workspace: rosdep install --from-paths src --ignore-src -y'
BASE = (
    'install requirements/base.txt in an environment and build with its Python '
    '(README.md, In your workspace)'
)
# None in sys.modules would not do: of that, some imports of submodules tell otherwise.
MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {packages}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Missing())
from spssn_ros.{module} import {function} as run
sys.exit(run())
"""


@pytest.fixture(autouse=True)
def no_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)


def run(start: str, words: list[str], *packages: str) -> subprocess.CompletedProcess[str]:
    """Run an executable's first step where these packages are missing."""
    module, function = start.split(':')
    code = MISSING.format(packages=packages, module=module, function=function)
    return subprocess.run(
        [sys.executable, '-c', code, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize('package', ['cv2', 'torch', 'rosbags'])
def test_a_command_that_lacks_a_package(package: str) -> None:
    done = run('tools.start:spssn', ['evaluate', 'nobag'], package)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == f'spssn: {package} is not installed for {sys.executable}; {TOOLS}\n'


def test_a_command_started_as_a_module_that_lacks_a_package(tmp_path: Path) -> None:
    """As torchrun starts it, too."""
    words = ['-m', 'spssn_ros.tools.main', 'evaluate', 'nobag']
    # In the current folder, it comes before the package that is installed.
    (tmp_path / 'torch.py').write_text("raise ModuleNotFoundError('No module', name='torch')\n")
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == f'spssn: torch is not installed for {sys.executable}; {TOOLS}\n'


def test_a_demo_that_lacks_ros() -> None:
    done = run('tools.start:spssn', ['demo'], 'rclpy')
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == f'spssn: rclpy is not installed for {sys.executable}; {ALL}\n'


@pytest.mark.parametrize(
    ('node', 'package'),
    [('segment_node', 'torch'), ('evaluate_node', 'yaml'), ('play_bag', 'rclpy')],
)
def test_a_node_that_lacks_a_package(node: str, package: str) -> None:
    # What installs it brings ROS too: there is no second round.
    done = run(f'nodes.start:{node}', [], package)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == f'{node}: {package} is not installed for {sys.executable}; {ALL}\n'


def test_debug_shows_who_wanted_it() -> None:
    done = run('tools.start:spssn', ['evaluate', 'nobag', '--debug'], 'torch')
    assert done.returncode == 2
    assert done.stderr.startswith('Traceback (most recent call last):')
    assert done.stderr.splitlines()[-1].startswith('spssn: torch is not installed for ')


def test_version_needs_no_other_package() -> None:
    done = run('tools.start:spssn', ['--version'], 'numpy', 'torch')
    assert (done.returncode, done.stdout, done.stderr) == (0, f'spssn {__version__}\n', '')


@pytest.mark.parametrize(
    ('package', 'remedy'), [('rclpy', ROSDEP), ('numpy', ROSDEP), ('torch', BASE)]
)
def test_beside_a_ros_installation(
    package: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    error = ModuleNotFoundError(f'No module named {package!r}', name=package)
    # Named, as in a second shell of a container, but not sourced.
    assert 'source /opt/ros/jazzy/setup.bash where' in explain_import(error, ros=True)
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt/ros/jazzy')
    for ros in (False, True):
        told = explain_import(error, ros)
        assert told == f'{package} is not installed for {sys.executable}; {remedy}'


@pytest.mark.parametrize(
    'error',
    [
        ImportError('libGL.so.1: cannot open\nshared object file', name='cv2'),
        ModuleNotFoundError("No module named 'torch.new'", name='torch.new'),
        ImportError('numpy.core.multiarray failed to import'),
    ],
    ids=str,
)
def test_a_package_that_is_there_but_cannot_be_used(error: ImportError) -> None:
    text = str(error).replace('\n', ' ')
    expected = f'a package that this needs cannot be imported ({text}); {TOOLS}'
    assert explain_import(error) == expected


def test_what_rosdep_brings_is_what_the_manifest_names() -> None:
    keys = {
        str(element.text).removeprefix('python3-').replace('opencv', 'cv2')
        for element in ElementTree.parse(ROOT / 'package.xml').getroot().iter('exec_depend')
    }
    assert keys == missing._ROS | missing._SYSTEM
    assert 'torch' not in keys
    assert 'rclpy' in missing._ROS
