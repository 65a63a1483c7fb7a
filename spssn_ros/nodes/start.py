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
"""The executables' first step: quiet and quick to end while libraries are imported.

That takes seconds, in which Python alone would answer Ctrl-C with a traceback. From then on the
node's own handlers end it in order. And however it was started, large images pass.

    python -m spssn_ros.nodes.start segment_node|evaluate_node|play_bag [ARGUMENT...]
"""

import importlib
import os
import signal
import sys
from typing import Any

from spssn_ros.missing import explain_import
from spssn_ros.nodes.arguments import wants_help
from spssn_ros.nodes.dds import set_up_process
from spssn_ros.nodes.log_folder import find_log_folder
from spssn_ros.stdout import go_on_without_reader


def segment_node() -> int:
    """Run the node, as `nodes.segment_node.main`; 0 when a signal comes before."""
    return _start('segment_node', 0)


def evaluate_node() -> int:
    """Run the node, as `nodes.evaluate_node.main`; 130 when a signal comes before."""
    return _start('evaluate_node', 130)


def play_bag() -> int:
    """Run the player, as `nodes.play_bag.main`; 0 when a signal comes before."""
    return _start('play_bag', 0)


def _start(module: str, interrupted: int) -> int:
    def end(number: int, frame: Any) -> None:
        # Nothing has begun that would have to be ended.
        os._exit(interrupted)

    # A terminal that closes, or a connection that breaks under it, ends the node as SIGTERM does:
    # with its scores written, and no shared memory left. Not where nohup has had it ignored.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _terminate)
    # Until the node puts its own handlers in their place. To block the signals instead would not
    # do: libraries have started threads by then, to which the kernel would give them.
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        signal.signal(number, end)
    # The parent may have blocked them until here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*numbers, signal.SIGHUP))
    go_on_without_reader()
    set_up_process()
    find_log_folder()
    try:
        if wants_help(module, sys.argv[1:]):
            return 0
        node = importlib.import_module(f'spssn_ros.nodes.{module}')
    except ImportError as error:
        print(f'{module}: {explain_import(error, ros=True)}', file=sys.stderr)
        return 2
    return int(node.main())


def _terminate(number: int, frame: Any) -> None:
    signal.raise_signal(signal.SIGTERM)


if __name__ == '__main__':
    nodes = {'segment_node': segment_node, 'evaluate_node': evaluate_node, 'play_bag': play_bag}
    sys.exit(nodes[sys.argv.pop(1)]())
