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
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path

import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.nodes import children, dds

MIB = 2**20
NAMESPACE = {'': 'http://www.eprosima.com'}
NEW, OLD = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'


@pytest.mark.parametrize(
    ('rclpy_version', 'names'),
    [
        ('3.3.16', {OLD}),  # Humble
        ('7.1.6', {OLD}),  # Jazzy
        ('8.0.0', {OLD, NEW}),  # Rolling between
        ('9.1.2', {NEW}),  # Kilted
        ('10.0.1', {NEW}),
        (None, {OLD, NEW}),
    ],
)
def test_variable_is_the_one_that_the_distribution_reads(
    monkeypatch: pytest.MonkeyPatch, rclpy_version: str | None, names: set[str]
) -> None:
    def version(package: str) -> str:
        assert package == 'rclpy'
        if rclpy_version is None:
            raise metadata.PackageNotFoundError(package)
        return rclpy_version

    monkeypatch.setattr(metadata, 'version', version)
    variables = dds.large_image_environment(environment={})
    assert set(variables) == names
    assert {Path(path).name for path in variables.values()} == {'fastdds_large_images.xml'}
    assert all(Path(path).is_file() for path in variables.values())
    name, _, path = dds.driver_setting().partition('=')
    assert (name, path) in variables.items()


@pytest.mark.parametrize('name', [NEW, OLD, 'FASTDDS_BUILTIN_TRANSPORTS'])
def test_settings_of_the_user_are_left_alone(name: str) -> None:
    assert dds.large_image_environment(environment={name: 'mine'}) == {}
    assert dds.large_image_environment(environment={name: ''})


def test_the_profile_can_be_declined() -> None:
    assert dds.large_image_environment(environment={'SPSSN_DDS_PROFILE': 'none'}) == {}
    assert dds.large_image_environment(environment={'SPSSN_DDS_PROFILE': ''})


def test_other_middleware_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable = 'RMW_IMPLEMENTATION'
    for name in ('', 'rmw_fastrtps_cpp', 'rmw_fastrtps_dynamic_cpp'):
        assert dds.large_image_environment(environment={variable: name})
    assert dds.large_image_environment(environment={variable: 'rmw_zenoh_cpp'}) == {}
    # However little shared memory there is.
    monkeypatch.setattr(dds, 'SEGMENT_MIB', 1e9)
    monkeypatch.setenv(variable, 'rmw_fastrtps_cpp')
    assert dds.shared_memory_shortage(1, tmp_path)
    monkeypatch.setenv(variable, 'rmw_cyclonedds_cpp')
    assert dds.shared_memory_shortage(1, tmp_path) is None


def test_a_process_takes_the_profile_where_shared_memory_has_room_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, 'environ', {'HOME': '/'})
    monkeypatch.setattr(dds, 'shared_memory_shortage', lambda processes: 'too small')
    dds.set_up_process()
    assert os.environ == {'HOME': '/'}
    monkeypatch.setattr(dds, 'shared_memory_shortage', lambda processes: None)
    dds.set_up_process()
    assert set(os.environ) - {'HOME'}
    assert os.environ == {'HOME': '/', **dds.large_image_environment(environment={})}


def test_environment_of_the_process_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*dds.USER_VARIABLES, dds.CHOICE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    assert dds.large_image_environment()
    monkeypatch.setenv(NEW, 'mine.xml')
    assert dds.large_image_environment() == {}


def test_other_profile_is_used_or_refused_in_a_sentence(tmp_path: Path) -> None:
    profile = tmp_path / 'mine.xml'
    with pytest.raises(ConfigError, match=r"'.*mine\.xml' is not a file; give the path of a Fast"):
        dds.large_image_environment(profile, {})
    profile.write_text('<dds/>')
    assert set(dds.large_image_environment(profile, {}).values()) == {str(profile)}


def test_the_profile_keeps_to_this_machine_if_ros_shall(monkeypatch: pytest.MonkeyPatch) -> None:
    def name(value: str) -> str:
        (path,) = set(
            dds.large_image_environment(environment={'ROS_LOCALHOST_ONLY': value}).values()
        )
        return Path(path).name

    assert [name(value) for value in ('', '0', '1')] == [
        'fastdds_large_images.xml',
        'fastdds_large_images.xml',
        'fastdds_large_images_localhost.xml',
    ]
    monkeypatch.setenv('ROS_LOCALHOST_ONLY', '1')
    assert dds.driver_setting().endswith('=' + str(dds.shipped_profile(local=True)))
    texts = [
        ElementTree.canonicalize(from_file=dds.shipped_profile(local), strip_text=True)
        for local in (False, True)
    ]
    only = '<interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>'
    assert texts[1].count(only) == 1
    assert texts[1].replace(only, '') == texts[0]


def test_nodes_that_are_to_meet_only_each_other_keep_to_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, 'environ', {'HOME': '/'})
    children.isolate()
    given = [os.environ[name] for name in dds.USER_VARIABLES if name in os.environ]
    assert {Path(path).name for path in given} == {'fastdds_large_images_localhost.xml'}


def test_shipped_profile_holds_large_images_in_shared_memory_and_keeps_udp() -> None:
    root = ElementTree.parse(dds.shipped_profile()).getroot()
    transports = {}
    for descriptor in root.iterfind('.//transport_descriptor', NAMESPACE):
        transports[descriptor.findtext('transport_id', namespaces=NAMESPACE)] = descriptor
    kinds = {d.findtext('type', namespaces=NAMESPACE): d for d in transports.values()}
    assert set(kinds) == {'SHM', 'UDPv4'}
    segment = int(kinds['SHM'].findtext('segment_size', '0', NAMESPACE))
    message = int(kinds['SHM'].findtext('maxMessageSize', '0', NAMESPACE))
    assert segment == dds.SEGMENT_MIB * MIB
    assert 2048 * 1024 * 3 < message <= segment / 4
    participant = root.find('.//participant', NAMESPACE)
    assert participant is not None
    assert participant.get('is_default_profile') == 'true'
    used = {e.text for e in participant.iterfind('.//userTransports/transport_id', NAMESPACE)}
    assert used == set(transports)
    assert participant.findtext('.//useBuiltinTransports', namespaces=NAMESPACE) == 'false'


def test_shared_memory_shortage_names_what_is_there_and_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Usage:
        free = 128 * MIB

    monkeypatch.setattr(dds.shutil, 'disk_usage', lambda directory: Usage)
    assert dds.shared_memory_shortage(1, tmp_path) is None
    sentence = dds.shared_memory_shortage(2, tmp_path)
    assert sentence is not None
    assert sentence.startswith(f'{tmp_path} has 128 MiB free, and 2 processes')
    assert 'more than 128 MiB' in sentence
    assert dds.shared_memory_shortage(1000, tmp_path / 'nowhere') is None


# Prints the addresses other than this machine's own at which the process's UDP sockets are.
LIST_SOCKETS = """
import contextlib, os, pathlib, rclpy
rclpy.init()
node = rclpy.create_node('dds_profile_test')
mine = set()
for descriptor in os.listdir('/proc/self/fd'):
    with contextlib.suppress(FileNotFoundError):
        mine.add(os.readlink(f'/proc/self/fd/{descriptor}'))
for line in pathlib.Path('/proc/self/net/udp').read_text().splitlines()[1:]:
    words = line.split()
    address = bytes.fromhex(words[1].split(':')[0])[::-1]
    if f'socket:[{words[9]}]' in mine and address[0] not in (127, 239):
        print('.'.join(map(str, address)))
rclpy.shutdown()
"""


@pytest.mark.skipif(not Path('/proc/self/net/udp').is_file(), reason='no /proc/net here')
def test_no_socket_is_open_to_other_machines_if_ros_shall_keep_to_this_one() -> None:
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    environment = {k: v for k, v in os.environ.items() if k not in dds.USER_VARIABLES}
    # Apart from what later distributions do for that variable.
    environment |= {
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET',
        'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
    }

    def sockets(asked: str) -> list[str]:
        profile = dds.large_image_environment(environment={'ROS_LOCALHOST_ONLY': asked})
        result = subprocess.run(
            [sys.executable, '-c', LIST_SOCKETS],
            env=environment | profile,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert 'XMLPARSER' not in result.stderr
        return result.stdout.split()

    assert sockets('0')
    assert sockets('1') == []


# Prints the size of the largest Fast DDS segment that the process maps (fastrtps_ before 3.0).
CREATE_NODE = """
import pathlib, re, rclpy
rclpy.init()
node = rclpy.create_node('dds_profile_test')
paths = {line.split()[-1] for line in pathlib.Path('/proc/self/maps').read_text().splitlines()}
segments = [pathlib.Path(path) for path in paths if re.match('/dev/shm/fast(dds|rtps)_', path)]
print(max((path.stat().st_size for path in segments), default=0))
rclpy.shutdown()
"""


@pytest.mark.skipif(not dds.SHARED_MEMORY.is_dir(), reason='no /dev/shm here')
def test_fast_dds_takes_the_profile() -> None:
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    if (shortage := dds.shared_memory_shortage(2)) is not None:
        pytest.skip(shortage)
    environment = {k: v for k, v in os.environ.items() if k not in dds.USER_VARIABLES}
    environment |= {
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
    }

    def segment(variables: dict[str, str]) -> int:
        command = [sys.executable, '-c', CREATE_NODE]
        result = subprocess.run(
            command, env=environment | variables, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        assert 'XMLPARSER' not in result.stderr
        return int(result.stdout)

    assert segment({}) < dds.SEGMENT_MIB * MIB
    assert segment(dds.large_image_environment(environment={})) >= dds.SEGMENT_MIB * MIB
