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
"""Which outputs somebody subscribes to, known without asking for every frame."""

import threading
from collections.abc import Callable
from typing import Any

from rclpy.publisher import Publisher

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks

    HAS_MATCHED_EVENTS = True
except ImportError:  # Humble knows no such event, and keeps the others elsewhere.
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

    HAS_MATCHED_EVENTS = False

__all__ = ['Demand', 'SubscriptionEventCallbacks']


class Demand:
    """The outputs of one camera that have subscribers.

    The middleware tells when a subscriber comes or goes, so that a frame costs no look at each
    output. Where it cannot (Humble), `wanted` asks every publisher.

    Args:
        on_mismatch: called with a topic when a subscriber came to it whose QoS does not match.

    """

    def __init__(self, on_mismatch: Callable[[str], None]) -> None:
        self._on_mismatch = on_mismatch
        self._publishers: dict[str, Publisher] = {}
        self._changing = threading.Lock()
        # Replaced as a whole, so that the inference thread may read it at any time.
        self._wanted: frozenset[str] = frozenset()

    def create(
        self, output: str, create: Callable[[PublisherEventCallbacks], Publisher]
    ) -> Publisher:
        """Make a publisher and watch it; `create` gets the event callbacks to make it with."""

        def mismatch(event: Any) -> None:
            self._on_mismatch(self._publishers[output].topic_name)

        def matched(event: Any) -> None:
            with self._changing:
                change = self._wanted.union if event.current_count else self._wanted.difference
                self._wanted = change({output})

        events = {'matched': matched} if HAS_MATCHED_EVENTS else {}
        publisher = create(PublisherEventCallbacks(incompatible_qos=mismatch, **events))
        self._publishers[output] = publisher
        return publisher

    def forget(self, output: str) -> Publisher:
        """Stop watching an output; return its publisher."""
        with self._changing:
            self._wanted -= {output}
        return self._publishers.pop(output)

    def wanted(self) -> frozenset[str]:
        """Return the names of the outputs that have a subscriber now."""
        if HAS_MATCHED_EVENTS:
            return self._wanted
        return frozenset(
            name
            for name, publisher in list(self._publishers.items())
            if publisher.get_subscription_count() > 0
        )
