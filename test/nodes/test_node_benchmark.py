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
"""`spssn benchmark node` measures a real node, and finds the peak rate of a known one."""

import math
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')

from spssn_ros.nodes.benchmark import NodeTiming, benchmark_node, find_peak
from spssn_ros.runtime import Percentiles


def timing(rate_hz: float, dropped: float, on_time: bool = True) -> NodeTiming:
    published = 1000
    answered = round(published * (1 - dropped))
    return NodeTiming(rate_hz, published, answered, Percentiles.of([10.0]), 8.0, on_time)


@pytest.mark.parametrize('capacity_hz', [30.0, 60.0, 117.0, 200.0])
def test_the_peak_is_the_highest_rate_with_few_drops(capacity_hz: float) -> None:
    asked = []

    def measure(rate_hz: float) -> NodeTiming:
        asked.append(rate_hz)
        return timing(rate_hz, max(0.0, 1 - capacity_hz / rate_hz))

    found = find_peak(measure, guess_hz=60.0)
    assert found is not None
    assert found.rate_hz in asked
    assert found.dropped < 0.05
    # A twentieth more is dropped at capacity / 0.95.
    assert capacity_hz / 1.06 < found.rate_hz <= capacity_hz / 0.95  # type: ignore[operator]
    assert len(asked) <= 7


def test_a_rate_that_the_publisher_cannot_keep_is_no_peak() -> None:
    found = find_peak(lambda rate: timing(rate, 0.0, on_time=rate <= 40), guess_hz=60.0)
    assert found is not None
    assert 40 / 1.06 < found.rate_hz <= 40  # type: ignore[operator]
    assert find_peak(lambda rate: timing(rate, 1.0), guess_hz=60.0) is None


@pytest.mark.alone
def test_a_real_node_is_measured(tiny_weights: Path) -> None:
    found = benchmark_node((96, 64), [10.0], 1.0, str(tiny_weights))
    alone, steady = found.timings
    assert (alone.rate_hz, steady.rate_hz, steady.published) == (None, 10.0, 10)
    # A machine that stands still for a second sends one.
    assert alone.answered == alone.published >= 1
    assert 0 < steady.answered <= 10
    for timed in found.timings:
        assert 0 < timed.latency_ms.p50 <= timed.latency_ms.p99
        assert timed.engine_ms > 0
        assert math.isclose(timed.added_ms, timed.latency_ms.p50 - timed.engine_ms)
