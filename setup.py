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
import os
import sys
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'spssn_ros'
VERSION = '0.1.0'


def interpreter() -> str:
    """Return the Python that the executables shall start with.

    That is the one that builds, but for a system-wide colcon in an active virtual environment:
    then it is the environment's, where PyTorch is installed.
    """
    active = Path(os.environ.get('VIRTUAL_ENV', ''), 'bin', 'python3')
    builds_in_environment = (Path(sys.executable).parents[1] / 'pyvenv.cfg').exists()
    if 'VIRTUAL_ENV' in os.environ and active.exists() and not builds_in_environment:
        return str(active)
    return sys.executable


def pinned(*names: str) -> list[str]:
    """Return what the files of that name in requirements/ pin.

    They are found beside this file, not in the current folder: colcon builds with symbolic links
    in another.
    """
    folder = Path(__file__).resolve().parent / 'requirements'
    lines = [line for name in names for line in (folder / f'{name}.txt').read_text().splitlines()]
    return [line for line in lines if line and not line.startswith('#')]


def files(folder: str, *patterns: str) -> list[str]:
    return sorted(str(path) for pattern in patterns for path in Path(folder).glob(pattern))


setup(
    name=PACKAGE,
    version=VERSION,
    description='Light-weight semantic segmentation of camera images for ROS 2',
    license='Apache-2.0',
    author='The spssn_ros developers',
    maintainer='The spssn_ros developers',
    maintainer_email='spssn_ros@example.com',
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={
        PACKAGE: [
            'py.typed',
            'weights/*.safetensors',
            'evaluation/report/page.css',
            'evaluation/report/page.html.jinja',
        ]
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', files('launch', '*.launch.py')),
        (f'share/{PACKAGE}/config', files('config', '*.yaml', '*.xml', '*.rviz')),
        (f'share/{PACKAGE}/config/sros2', files('config/sros2', '*.xml')),
        (f'share/{PACKAGE}/config/train', files('config/train', '*.yaml')),
    ],
    zip_safe=False,
    install_requires=['setuptools'],
    # For pip alone, where there is no ROS: in a workspace rosdep brings what package.xml names.
    extras_require={
        'tools': pinned('system', 'base'),
        'all': pinned('ros-kilted', 'system', 'base'),
        'test': ['hypothesis', 'pytest', 'pytest-timeout', 'cityscapesscripts', 'pyquaternion'],
    },
    options={'build_scripts': {'executable': interpreter()}},
    entry_points={
        'console_scripts': [
            f'segment_node = {PACKAGE}.nodes.start:segment_node',
            f'evaluate_node = {PACKAGE}.nodes.start:evaluate_node',
            f'play_bag = {PACKAGE}.nodes.start:play_bag',
            f'spssn = {PACKAGE}.tools.start:spssn',
        ],
    },
)
