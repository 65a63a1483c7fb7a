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
"""Tells of a package that cannot be imported: in one line, with the command that installs it."""

import os
import shlex
import sys

from spssn_ros.errors import one_line

# What package.xml names, so that rosdep brings it: ROS's own packages and those of the system.
_ROS = frozenset(
    {
        'builtin_interfaces',
        'cv_bridge',
        'diagnostic_msgs',
        'launch',
        'launch_ros',
        'lifecycle_msgs',
        'rcl_interfaces',
        'rclpy',
        'rosgraph_msgs',
        'sensor_msgs',
        'std_msgs',
        'std_srvs',
        'vision_msgs',
    }
)
_SYSTEM = frozenset({'cv2', 'jinja2', 'matplotlib', 'numpy', 'rich', 'tqdm', 'yaml'})


def explain_import(error: ImportError, ros: bool = False) -> str:
    """Return what is missing and the command for it.

    Args:
        error: what an import raised.
        ros: the program needs ROS; so the command is to bring ROS, whichever package is missing.

    """
    name = error.name or ''
    package = name.partition('.')[0]
    if isinstance(error, ModuleNotFoundError) and name == package != '':
        what = f'{package} is not installed for {sys.executable}'
    else:
        # It is there, but it, or a library that it loads, is damaged or another version.
        what = f'a package that this needs cannot be imported ({one_line(error, 300)})'
    return f'{what}; {_remedy(package, ros or package in _ROS)}'


def _remedy(package: str, ros: bool) -> str:
    distribution = os.environ.get('ROS_DISTRO')
    if distribution and os.environ.get('AMENT_PREFIX_PATH'):
        if package in _ROS | _SYSTEM:
            return 'run in the workspace: rosdep install --from-paths src --ignore-src -y'
        return (
            'install requirements/base.txt in an environment and build with its Python '
            '(README.md, In your workspace)'
        )
    command = f'{shlex.quote(sys.executable)} -m pip install'
    if not ros:
        return f"run in the package's source folder: {command} '.[tools]'"
    return (
        f'source /opt/ros/{distribution or "DISTRO"}/setup.bash where ROS 2 is installed; '
        f"where not, run in the package's source folder: {command} '.[all]'"
    )
