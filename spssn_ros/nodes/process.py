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
"""Starting and ending a node's process."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from spssn_ros.errors import ConfigError, SpssnError, one_line
from spssn_ros.nodes.declare import warn_of_unknown_parameters
from spssn_ros.runtime import keep_freed_memory, lost_interrupts_raised_again

N = TypeVar('N', bound=Node)

_LOOK_S = 1.0
_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@lost_interrupts_raised_again()
def run_node(
    name: str,
    create: Callable[[], N],
    start: Callable[[N], int | None],
    stop: Callable[[N], bool],
    args: list[str] | None = None,
    interrupted: int = 0,
) -> int:
    """Create a node, start it, spin it until SIGINT or SIGTERM, and stop it.

    Args:
        name: of the program, for messages.
        create: makes the node.
        start: called before spinning; returns None to go on, or the status to end with.
        stop: called after; returns whether the node's threads have ended.
        args: command line; sys.argv by default.
        interrupted: status after a signal before `start` has returned.

    Returns:
        0 after a signal while spinning, `interrupted` after an earlier one, what `start`
        returned, or 2 after bad input (told in one line).

    """
    keep_freed_memory()
    node: N | None = None
    signals = _Signals()
    status: int | None = interrupted
    ended = True
    try:
        # A signal shuts rclpy down under whatever is just being set up, which may then raise; the
        # same signal comes as KeyboardInterrupt, perhaps only after that.
        with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
            try:
                for number in _NUMBERS:
                    signal.signal(number, signals.come)
                init_ros(args)
                node = create()
                warn_of_unknown_parameters(node)
                status = start(node)
                # From here on rclpy's own handlers will do: they end the spinning between two
                # callbacks, none of which is left half done.
                signals.raising = False
                if status is None and signals.came:
                    status = interrupted
                elif status is None:
                    _spin(node)
            except (SpssnError, ParameterException) as error:
                print(f'{name}: {error}', file=sys.stderr)
                status = 2
            except Exception as error:
                if rclpy.ok():
                    # What the middleware cannot do: security that is not compiled in, a wrong
                    # profile.
                    if not isinstance(error, RCLError):
                        raise
                    print(f'{name}: {one_line(error)}', file=sys.stderr)
                    status = 2
    finally:
        # A second Ctrl-C must not interrupt what is being written at the end.
        signals.raising = False
        ignore_signals()
        if node is not None:
            ended = stop(node)
            node.destroy_node()
        rclpy.try_shutdown()
        # rclpy has put back what was there before it.
        ignore_signals()
    sys.stdout.flush()
    sys.stderr.flush()
    if not ended:
        # A thread is in the middle of a forward pass; interpreter clean-up under it would crash.
        os._exit(status or 0)
    return status or 0


def init_ros(args: list[str] | None, **options: Any) -> None:
    """Call `rclpy.init`.

    Raises:
        ConfigError: ROS arguments, or an environment, that cannot be used.

    """
    with _explained():
        rclpy.init(args=args, **options)


def without_ros_args(args: list[str]) -> list[str]:
    """Return a command line less its ROS arguments.

    Raises:
        ConfigError: these cannot be used.

    """
    with _explained():
        return list(remove_ros_args(args=args))


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Raise ConfigError for whatever ROS raises."""
    try:
        yield
    # rclpy's own error types for bad arguments differ between distributions.
    except Exception as error:
        reason = one_line(error)
        raise ConfigError(f'check the ROS arguments and ROS_* variables: {reason}') from error


def _spin(node: Node) -> None:
    """Spin until a signal."""
    # On a signal rclpy wakes the executor, and then ends the context. On a busy machine the
    # executor looks in between; it would not look again before the next message.
    node.create_timer(_LOOK_S, _nothing, clock=Clock(clock_type=ClockType.STEADY_TIME))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.spin()


def _nothing() -> None:
    pass


class _Signals:
    """Handles SIGINT and SIGTERM; rclpy's handlers, installed later, call these too.

    Attributes:
        raising: whether a signal raises KeyboardInterrupt.
        came: whether one has come; what it interrupted may have swallowed the exception.

    """

    def __init__(self) -> None:
        self.raising = True
        self.came = False

    def come(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.came = True
        if self.raising:
            raise KeyboardInterrupt


def ignore_signals() -> None:
    """Ignore from now on whatever ends a node, which is just ending."""
    for number in (*_NUMBERS, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
