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
"""Publishes a bag's messages through a node, when they are due."""

import importlib
import time
from collections import Counter
from pathlib import Path

from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from spssn_ros.bags.read_ahead import ReadAhead
from spssn_ros.bags.reader import TopicInfo
from spssn_ros.errors import BagError

_POLL_S = 0.05
_ACKNOWLEDGE_S = 10.0
# Discovery that misses its first announcements waits up to three seconds for the next.
_SETTLE_S = 3.0
_LINGER_S = 0.5
_LONG_GAP_S = 30.0


class StopFlag:
    """Set by a signal handler; unlike `threading.Event` it has no lock to deadlock on there."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        """Ask everything to end."""
        self._set = True

    def is_set(self) -> bool:
        """Return whether everything shall end."""
        return self._set

    def sleep_until(self, end: float) -> bool:
        """Sleep until the monotonic time `end`; return early, and True, when set."""
        while not self._set and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_S))
        return self._set


class BagPlayer:
    """Publishes a bag through a node.

    Args:
        node: owns the publishers; its remappings apply.
        path: the bag.
        topics: which topics, by name; those whose message package is not installed are skipped.
        rate: speed factor, 2 plays twice as fast as recorded.
        clock_hz: how often `/clock` is published, 0 for never.
        stop: ends playing when set.

    Raises:
        BagError: no topic can be published.

    """

    def __init__(
        self,
        node: Node,
        path: Path,
        topics: dict[str, TopicInfo],
        rate: float,
        clock_hz: float,
        stop: StopFlag,
    ) -> None:
        self._node, self._path, self._rate, self._stop = node, path, rate, stop
        self._publishers: dict[str, Publisher] = {}
        for name, info in topics.items():
            publisher = self._create_publisher(name, info)
            if publisher is not None:
                self._publishers[name] = publisher
        if not self._publishers:
            raise BagError(f'bag {path} has no topic that can be published here')
        self._clock = node.create_publisher(Clock, '/clock', 10) if clock_hz else None
        self._clock_period_s = 1 / clock_hz if clock_hz else float('inf')
        self._next_clock_s = 0.0
        self._times: dict[str, tuple[float, float]] = {}
        self.published: Counter[str] = Counter()

    def wait_for_subscribers(self, timeout_s: float) -> None:
        """Return when every topic has a subscriber, or say which have none after `timeout_s`."""
        end = time.monotonic() + timeout_s
        while lonely := [
            p.topic_name for p in self._publishers.values() if not p.get_subscription_count()
        ]:
            if time.monotonic() >= end:
                self._node.get_logger().warning(
                    f'nobody subscribes to {", ".join(lonely)} after {timeout_s:g} s; playing'
                )
                return
            if self._stop.sleep_until(time.monotonic() + _POLL_S):
                return
        # That a publisher has found its subscriber does not mean that the subscriber has found
        # the publisher; what best-effort ones get before that is lost.
        self._stop.sleep_until(time.monotonic() + _SETTLE_S)

    def play(self, loop: bool) -> None:
        """Publish the bag once, or again and again until stopped; a bag without messages once.

        Raises:
            BagError: the bag turns out damaged.

        """
        while not self._stop.is_set():
            ahead = ReadAhead(self._path, tuple(self._publishers), self._stop.is_set)
            try:
                self._play_once(ahead, pause=loop)
            except BaseException:
                self._stop.set()
                raise
            finally:
                ahead.join()
            # Without a message there is nothing to wait for before the next round.
            if not loop or not self.published:
                break

    def finish(self) -> None:
        """Wait a moment for what subscribers have not taken yet."""
        end = time.monotonic() + _ACKNOWLEDGE_S
        for publisher in self._publishers.values():
            while not publisher.wait_for_all_acked(Duration(seconds=_POLL_S)):
                if self._stop.is_set() or time.monotonic() > end:
                    break
        # Best-effort subscribers acknowledge nothing; what they have not taken goes with us.
        self._stop.sleep_until(time.monotonic() + _LINGER_S)

    def report(self) -> str:
        """Return a line a topic: how many messages were published, and at what rate."""
        width = max(len(publisher.topic_name) for publisher in self._publishers.values())
        lines = []
        for name, publisher in self._publishers.items():
            count = self.published[name]
            line = f'{publisher.topic_name:{width}}  {count:6d} messages'
            first, last = self._times.get(name, (0.0, 0.0))
            if last > first:
                line += f'  {(count - 1) / (last - first):8.2f} Hz'
            lines.append(line)
        return '\n'.join(lines)

    def _play_once(self, ahead: ReadAhead, pause: bool) -> None:
        """Publish what `ahead` reads; `pause` for the busiest topic's mean period afterwards."""
        counts: Counter[str] = Counter()
        first_ns = last_ns = -1
        start = 0.0
        while (message := ahead.next()) is not None:
            if first_ns < 0:
                # Due times count from the moment the first message is at hand.
                first_ns, start = message.stamp_ns, time.monotonic()
                self._next_clock_s = start
            last_ns = message.stamp_ns
            if not self._wait_for(last_ns, first_ns, start):
                return
            self._publishers[message.topic].publish(message.cdr)
            now = time.monotonic()
            self._times[message.topic] = (self._times.get(message.topic, (now, now))[0], now)
            self.published[message.topic] += 1
            counts[message.topic] += 1
        if pause and counts:
            periods = max(counts.values()) - 1
            period_ns = (last_ns - first_ns) // periods if periods > 0 else 0
            self._wait_for(last_ns + (period_ns or 1_000_000_000), first_ns, start)

    def _create_publisher(self, name: str, info: TopicInfo) -> Publisher | None:
        package, message, type_name = info.type.partition('/msg/')
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        if info.latched:
            qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
        try:
            message_class = getattr(importlib.import_module(f'{package}.msg'), type_name)
            return self._node.create_publisher(message_class, name, qos)
        except (ImportError, AttributeError):
            problem = f'message package {package} with type {type_name} is not installed'
            if not message:
                # What services and actions exchange may be recorded, too.
                problem = f'its type {info.type} is no message'
        except InvalidTopicNameException:
            problem = 'ROS 2 does not allow that name'
        self._node.get_logger().warning(f'{name} is skipped: {problem}')
        return None

    def _wait_for(self, stamp_ns: int, first_ns: int, start: float) -> bool:
        """Sleep until `stamp_ns` is due, ticking the clock; False when stopped."""
        due = start + (stamp_ns - first_ns) / 1e9 / self._rate
        gap_s = due - time.monotonic()
        if gap_s > _LONG_GAP_S:
            # A damaged stamp may lie years ahead.
            self._node.get_logger().warning(
                f'by its stamp the next message is due in {gap_s:.0f} s; Ctrl-C ends playing'
            )
        while self._clock is not None and self._next_clock_s <= due:
            if self._stop.sleep_until(self._next_clock_s):
                return False
            time_ns = first_ns + round((self._next_clock_s - start) * self._rate * 1e9)
            clock = Clock()
            clock.clock.sec, clock.clock.nanosec = divmod(time_ns, 1_000_000_000)
            self._clock.publish(clock)
            self._next_clock_s += self._clock_period_s
        return not self._stop.sleep_until(due)
