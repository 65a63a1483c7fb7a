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
"""Where ROS keeps its log files."""

import os
import tempfile
from pathlib import Path

from spssn_ros.files import check_folder_target


def find_log_folder() -> None:
    """Name ROS a folder for its log files where it would find none, as in a system service.

    Without HOME, or with one that cannot be written to, it would not start.
    """
    if os.environ.get('ROS_LOG_DIR') or os.environ.get('ROS_HOME'):
        return
    home = os.environ.get('HOME')
    if home:
        try:
            check_folder_target(Path(home) / '.ros' / 'log')
            return
        except OSError:
            pass
    os.environ['ROS_LOG_DIR'] = str(Path(tempfile.gettempdir()) / f'ros_log_{os.getuid()}')
