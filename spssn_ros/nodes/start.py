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
"""Starts `segment_node` so that a signal ends it silently while PyTorch and rclpy still load.

That takes seconds, in which Python alone would answer Ctrl-C with a traceback. From `rclpy.init`
on, rclpy's own handlers end the node in order.
"""

import os
import signal
import sys
from typing import Any


def segment_node() -> int:
    """Run the node, as `nodes.segment_node.main`."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, _end) for number in numbers}
    from spssn_ros.nodes.segment_node import main

    # A signal waits until `run_node` has rclpy's handlers in place.
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    for number, handler in before.items():
        signal.signal(number, handler)
    return main()


def _end(number: int, frame: Any) -> None:
    # Nothing has begun that would have to be ended.
    os._exit(0)


if __name__ == '__main__':
    sys.exit(segment_node())
