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

from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

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


def overridable() -> QoSOverridingOptions:
    """Let users set `qos_overrides.<topic>...` parameters."""
    return QoSOverridingOptions(
        policy_kinds=(
            QoSPolicyKind.HISTORY,
            QoSPolicyKind.DEPTH,
            QoSPolicyKind.RELIABILITY,
            QoSPolicyKind.DURABILITY,
        )
    )
