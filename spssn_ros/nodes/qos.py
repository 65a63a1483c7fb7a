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
"""The QoS of the nodes' topics."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from spssn_ros.errors import ConfigError, one_line

_OVERRIDABLE = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)

INPUT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Camera images: best effort matches every publisher, and only the newest frame matters."""

OUTPUT = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""Results: reliable matches every subscriber."""

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Facts told once, to late subscribers too."""

LOSSLESS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""Streams of which the evaluator wants every message."""


def subscription(
    node: Node,
    kind: type,
    topic: str,
    callback: Callable[[Any], None],
    profile: QoSProfile,
    **options: Any,
) -> Subscription:
    """Subscribe, with the `qos_overrides.<topic>.subscription...` parameters in the profile.

    Raises:
        ConfigError: they hold what the middleware does not take.

    """
    with _overridden(node, topic) as how:
        own = copy.copy(profile)
        return node.create_subscription(kind, topic, callback, own, **how, **options)


def publisher(
    node: Node, kind: type, topic: str, profile: QoSProfile, **options: Any
) -> Publisher:
    """Make a publisher, with the `qos_overrides.<topic>.publisher...` parameters in the profile.

    Raises:
        ConfigError: they hold what the middleware does not take.

    """
    with _overridden(node, topic) as how:
        return node.create_publisher(kind, topic, copy.copy(profile), **how, **options)


@contextmanager
def _overridden(node: Node, topic: str) -> Iterator[dict[str, Any]]:
    """Give the options to make an entity with.

    Its profile must be a copy: rclpy writes the user's values into what it is given, from where
    they would reach every later topic.
    """
    try:
        yield {'qos_overriding_options': QoSOverridingOptions(policy_kinds=_OVERRIDABLE)}
    except (RuntimeError, TypeError) as error:
        # A signal shuts rclpy down under whatever is just being set up.
        if not node.context.ok():
            raise
        name = node.resolve_topic_name(topic)
        raise ConfigError(
            f'{name} cannot be had with its qos_overrides: {one_line(error, 200)}'
        ) from error
