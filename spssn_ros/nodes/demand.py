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
"""Which outputs somebody subscribes to."""

from collections.abc import Callable, Iterator
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble keeps them elsewhere.
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

__all__ = ['Demand', 'SubscriptionEventCallbacks']


class Demand:
    """The outputs of one camera that have subscribers.

    Publishers are asked each time how many they have. The middleware could tell of every change
    instead, but each such event is one more thing that the executor, in Python, has to look at
    whenever it wakes.

    Args:
        node: the node that publishes.
        on_mismatch: called with a topic when a subscriber came to it whose QoS does not match.

    """

    def __init__(self, node: Node, on_mismatch: Callable[[str], None]) -> None:
        self._node = node
        self._on_mismatch = on_mismatch
        self._publishers: dict[str, Publisher] = {}
        self._unwatched: set[str] = set()

    def create(
        self,
        output: str,
        watched: bool,
        create: Callable[[PublisherEventCallbacks], Publisher],
    ) -> Publisher:
        """Make a publisher; `create` gets the event callbacks to make it with.

        Where it is not `watched`, `look` must be called now and then to find mismatches.
        """

        def mismatch(event: Any) -> None:
            self._on_mismatch(self._publishers[output].topic_name)

        if watched:
            events = PublisherEventCallbacks(incompatible_qos=mismatch)
        else:
            events = PublisherEventCallbacks(use_default_callbacks=False)
        # It may be refused; only then is there anything to mind.
        self._publishers[output] = create(events)
        if not watched:
            self._unwatched.add(output)
        return self._publishers[output]

    def forget(self, output: str) -> Publisher:
        """Stop minding an output; return its publisher."""
        self._unwatched.discard(output)
        return self._publishers.pop(output)

    def wanted(self) -> frozenset[str]:
        """Return the names of the outputs that have a subscriber now."""
        return frozenset(
            name
            for name, publisher in list(self._publishers.items())
            if publisher.get_subscription_count() > 0
        )

    def look(self) -> None:
        """Tell `on_mismatch` of the topics some of whose subscribers get nothing."""
        for topic in self._unmatched():
            self._on_mismatch(topic)

    def _unmatched(self) -> Iterator[str]:
        for output in list(self._unwatched):
            publisher = self._publishers[output]
            topic = str(publisher.topic_name)
            if self._node.count_subscribers(topic) > publisher.get_subscription_count():
                yield topic
