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
"""Starting the package's nodes as processes of their own, for the demo and benchmarks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from spssn_ros.errors import SpssnError
from spssn_ros.nodes.dds import large_image_environment, shared_memory_shortage
from spssn_ros.nodes.log_folder import find_log_folder

Process = subprocess.Popen[bytes]

# As `python -m spssn_ros.nodes.start`, but no module of the folder that the user is in goes before
# those of Python and of the package.
_START = """
import sys
sys.path[:] = [path for path in sys.path if path]
from spssn_ros.nodes import start
sys.exit(getattr(start, sys.argv.pop(1))())
"""

# Of the demo: player, node, evaluator and this one.
_PROCESSES = 4


def isolate() -> None:
    """Change this process's environment so that it and its children meet only each other.

    They get the large-image DDS profile, stay on this machine, and use a domain of their own;
    what the user has set stays.
    """
    find_log_folder()
    # Humble has no discovery range yet; its variable does the same.
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault('ROS_LOCALHOST_ONLY', '1')
    # Which profile it is depends on these.
    os.environ.update(large_image_environment())
    shortage = shared_memory_shortage(_PROCESSES)
    if shortage is not None:
        print(f'warning: {shortage}', file=sys.stderr)
    # Domains above 101 collide with Linux's ephemeral ports.
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 101))


@contextmanager
def started(node: str, arguments: Sequence[str]) -> Iterator[Process]:
    """Run a node module of the package; SIGINT ends it when the block ends.

    Args:
        node: segment_node, evaluate_node or play_bag.
        arguments: its command line.

    """
    process: Process | None = None
    came = False

    def end(number: int, frame: object) -> None:
        nonlocal came
        came = True
        if process is not None:
            sys.exit(128 + number)

    # A child outlives a parent that SIGTERM ends; as an exception it comes by here.
    before = signal.signal(signal.SIGTERM, end)
    try:
        process = _start(node, arguments)
        if came:
            end(signal.SIGTERM, None)
        yield process
    finally:
        if process is not None:
            _stop(process)
        signal.signal(signal.SIGTERM, before)


def _start(node: str, arguments: Sequence[str]) -> Process:
    # Handed down: until the child's handlers are in place, and it lifts the mask, its signals
    # wait. Python's own answer to them is a traceback.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        return subprocess.Popen([sys.executable, '-c', _START, node, *arguments])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _stop(process: Process) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    wait_or_kill(process, 30)


def wait_or_kill(process: Process, seconds: float) -> None:
    """Wait for the end of a process that was told to; after so many seconds, kill it."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check_alive(process: Process, name: str) -> None:
    """Raise SpssnError if the process has ended."""
    if process.poll() is not None:
        raise SpssnError(
            f'{name} ended early with status {process.returncode}; its message above says why'
        )
