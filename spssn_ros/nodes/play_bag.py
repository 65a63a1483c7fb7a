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
"""Publish a bag's topics with the timing of the recording.

Messages go out as the bytes that the bag holds, at their receive times over the speed factor;
header stamps stay as recorded, also when `--loop` starts again from the beginning (and the
clock jumps back).
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from spssn_ros.bags.reader import BagReader
from spssn_ros.command_parser import CommandParser
from spssn_ros.errors import ConfigError, SpssnError
from spssn_ros.nodes.bag_player import BagPlayer, StopFlag
from spssn_ros.nodes.process import ignore_signals, init_ros, without_ros_args

_MOST_CLOCK_HZ = 1000


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line, without its ROS arguments; exit with status 2 on a usage error."""
    parser = CommandParser(
        prog='play_bag',
        description="Publish a bag's topics with the timing of the recording.",
        epilog='Remap topics and name the node with --ros-args, as for any ROS node.',
    )
    parser.add_argument('bag', type=Path, metavar='BAG', help='ROS 2 bag, or ROS 1 .bag file')
    parser.add_argument('--rate', type=float, default=1.0, help='speed factor (default 1)')
    parser.add_argument(
        '--loop', action='store_true', help='start again at the end; stamps repeat as recorded'
    )
    parser.add_argument(
        '--clock',
        type=float,
        nargs='?',
        const=40.0,
        default=0.0,
        metavar='HZ',
        help='publish /clock, the time of the recording, HZ times a second (40 if left out); '
        "the bag's own /clock is left out",
    )
    parser.add_argument('--topics', nargs='+', default=[], help='play only these topics')
    parser.add_argument(
        '--wait-for-subscribers',
        type=float,
        default=0.0,
        metavar='S',
        help='first wait until every topic has a subscriber, at most S seconds, and a moment more',
    )
    parser.add_argument(
        '--start-delay', type=float, default=0.0, metavar='S', help='then wait S seconds more'
    )
    return parser.parse_args(arguments)


def _check_numbers(options: argparse.Namespace) -> None:
    if not 0 < options.rate < float('inf'):
        raise ConfigError(f'--rate {options.rate:g} is not positive; 1 is the recorded speed')
    # Messages that go out more slowly than they are due would hold up the bag without end.
    if not 0 <= options.clock <= _MOST_CLOCK_HZ:
        raise ConfigError(
            f'--clock {options.clock:g} is no frequency in Hz; give at most {_MOST_CLOCK_HZ}'
        )
    for option, seconds in (
        ('--wait-for-subscribers', options.wait_for_subscribers),
        ('--start-delay', options.start_delay),
    ):
        if not 0 <= seconds < float('inf'):
            raise ConfigError(f'{option} {seconds:g} is no time; give seconds, 0 or more')


def play(options: argparse.Namespace, ros_arguments: Sequence[str]) -> None:
    """Play a bag as the command line says, until its end, SIGINT or SIGTERM.

    Raises:
        SpssnError: the bag is bad, an option out of range, or ROS cannot start.
        ParameterException: a parameter is of another type.

    """
    stop = StopFlag()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    _check_numbers(options)
    with BagReader(options.bag) as bag:
        bag.require(*options.topics)
        topics = {
            name: info
            for name, info in bag.topics.items()
            if not options.topics or name in options.topics
        }
    if options.clock:
        # Two clocks on one topic would have time jump to and fro.
        topics.pop('/clock', None)
    init_ros(list(ros_arguments), signal_handler_options=SignalHandlerOptions.NO)
    node = Node('play_bag')
    try:
        player = BagPlayer(node, options.bag, topics, options.rate, options.clock, stop)
        if options.wait_for_subscribers > 0:
            player.wait_for_subscribers(options.wait_for_subscribers)
        stop.sleep_until(time.monotonic() + options.start_delay)
        node.get_logger().info(f'playing {options.bag} at {options.rate:g} times its speed')
        try:
            player.play(options.loop)
        finally:
            if not stop.is_set():
                player.finish()
            print(player.report(), flush=True)
    finally:
        # Python gives signals back their deadly meaning before it has quite ended.
        ignore_signals()
        node.destroy_node()
        rclpy.shutdown()


def main(args: Sequence[str] | None = None) -> int:
    """Run `play_bag`; return 0 at the end or when interrupted, 2 on bad input."""
    argv = sys.argv if args is None else ['play_bag', *args]
    try:
        play(parse_arguments(without_ros_args(list(argv))[1:]), argv)
    except (SpssnError, ParameterException) as error:
        print(f'play_bag: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
