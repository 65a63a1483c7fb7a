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
"""The Fast DDS profile that lets camera images pass between processes.

It is told by environment variables. Imports no ROS module, so that executables, launch files, the
demo and the benchmarks can call it before any node exists.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from spssn_ros.errors import ConfigError
from spssn_ros.share import shared

PROFILE_NAME = 'fastdds_large_images.xml'
LOCAL_PROFILE_NAME = 'fastdds_large_images_localhost.xml'
PROFILE_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'  # Kilted and later
OLD_PROFILE_VARIABLE = 'FASTRTPS_DEFAULT_PROFILES_FILE'  # Humble, Iron, Jazzy
# Any of these says that the user has set up Fast DDS already.
USER_VARIABLES = (PROFILE_VARIABLE, OLD_PROFILE_VARIABLE, 'FASTDDS_BUILTIN_TRANSPORTS')
# Set to none, it keeps the profile away.
CHOICE_VARIABLE = 'SPSSN_DDS_PROFILE'
LOCAL_VARIABLE = 'ROS_LOCALHOST_ONLY'
MIDDLEWARE_VARIABLE = 'RMW_IMPLEMENTATION'
SHARED_MEMORY = Path('/dev/shm')
SEGMENT_MIB = 64  # of /dev/shm, which each process reserves with the shipped profile


def shipped_profile(local: bool = False) -> Path:
    """Path of the shipped profile: in the source tree, or where the package is installed.

    With `local`, it is that of the profile that keeps to this machine.

    Raises ConfigError where the package was installed without its share directory.
    """
    name = LOCAL_PROFILE_NAME if local else PROFILE_NAME
    path = shared('config', name)
    if path is not None:
        return path
    raise ConfigError(
        f"the DDS profile '{name}' is not installed beside the package; build the package "
        'with colcon or pip, or name a profile of your own'
    )


def uses_fast_dds(environment: Mapping[str, str] | None = None) -> bool:
    """Whether Fast DDS is ROS's middleware: its default, unless another one is asked for."""
    present = os.environ if environment is None else environment
    name = present.get(MIDDLEWARE_VARIABLE)
    return not name or name.startswith('rmw_fastrtps')


def large_image_environment(
    profile: Path | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Environment variables that make Fast DDS carry large images.

    Empty if the user has set any of them, or SPSSN_DDS_PROFILE to none, or uses other middleware.

    `profile` is the XML file to name in them (default: the shipped one, or with
    ROS_LOCALHOST_ONLY=1 that which keeps to this machine), `environment` what is
    looked at for the user's own settings (default: this process's environment).

    Raises ConfigError if `profile` is not a file.
    """
    if profile is not None and not profile.is_file():
        raise ConfigError(
            f"the DDS profile '{profile}' is not a file; give the path of a Fast DDS XML profile"
        )
    present = os.environ if environment is None else environment
    if any(present.get(name) for name in USER_VARIABLES):
        return {}
    if present.get(CHOICE_VARIABLE) == 'none' or not uses_fast_dds(present):
        return {}
    path = str((profile or shipped_profile(_keeps_local(present))).resolve())
    return dict.fromkeys(_profile_variables(), path)


def driver_setting() -> str:
    """Return what to put into a camera driver's environment, as VARIABLE=PATH."""
    try:
        path = str(shipped_profile(_keeps_local(os.environ)))
    except ConfigError:
        path = PROFILE_NAME
    return f'{_profile_variables()[0]}={path}'


def set_up_process() -> None:
    """Have this process's nodes, yet to be made, carry large images, where nothing speaks against.

    That is a setting of the user's, too little shared memory, or a package without its files.
    """
    if shared_memory_shortage(1) is None:
        with contextlib.suppress(ConfigError):
            os.environ.update(large_image_environment())


def shared_memory_shortage(processes: int, directory: Path = SHARED_MEMORY) -> str | None:
    """Say in a sentence that `directory` is too small for so many processes; None if it is not.

    Other middleware than Fast DDS does not use it: None. Where Fast DDS cannot have its segment,
    it falls back to UDP and loses most large images.
    """
    if not directory.is_dir() or not uses_fast_dds():
        return None
    free_mib = shutil.disk_usage(directory).free // 2**20
    needed_mib = processes * SEGMENT_MIB
    # Locks and queues come on top of the segments.
    if free_mib > needed_mib:
        return None
    return (
        f'{directory} has {free_mib} MiB free, and {processes} processes that exchange images '
        f'need more than {needed_mib} MiB: large images will be lost. Enlarge it (in a container: '
        'docker run --shm-size=1g).'
    )


def _keeps_local(environment: Mapping[str, str]) -> bool:
    # ROS heeds no other value.
    return environment.get(LOCAL_VARIABLE) == '1'


def _profile_variables() -> tuple[str, ...]:
    """Name the variable the installed ROS 2 reads; Kilted warns about the old one."""
    try:
        rclpy_major = int(metadata.version('rclpy').split('.')[0])
    except (metadata.PackageNotFoundError, ValueError):
        return (PROFILE_VARIABLE, OLD_PROFILE_VARIABLE)
    # rclpy 7 is Jazzy's, 9 is Kilted's; 8 was Rolling's in between, before and after the change.
    if rclpy_major < 8:
        return (OLD_PROFILE_VARIABLE,)
    return (PROFILE_VARIABLE,) if rclpy_major > 8 else (PROFILE_VARIABLE, OLD_PROFILE_VARIABLE)
