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
"""Rates and percentiles by a clock that stands still."""

import math

import pytest

from spssn_ros.runtime import Durations, Pace, Percentiles, Rate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_rate_is_over_the_time_since_the_start_at_first(clock: Clock) -> None:
    rate = Rate(window_s=5, clock=clock)
    assert rate.per_second() == 0.0
    rate.tick()
    # No time has passed yet: nothing to divide by.
    assert rate.per_second() == 0.0
    clock.now += 0.5
    rate.tick()
    assert rate.per_second() == 4.0
    clock.now += 1.5
    assert rate.per_second() == 1.0


def test_the_rate_forgets_what_left_the_window(clock: Clock) -> None:
    rate = Rate(window_s=5, clock=clock)
    for _ in range(100):
        clock.now += 0.1
        rate.tick()
    assert rate.per_second() == pytest.approx(10, rel=0.03)
    clock.now += 3
    assert rate.per_second() == pytest.approx(4, rel=0.06)
    clock.now += 3
    assert rate.per_second() == 0.0
    rate.tick()
    assert rate.per_second() == 0.2


def test_a_slow_source_has_not_stopped(clock: Clock) -> None:
    pace = Pace(least_s=5, clock=clock)
    assert pace.has_stopped()

    def runs_until(seconds: float, period: float) -> None:
        for _ in range(round(seconds / period)):
            clock.now += period
            pace.tick()

    runs_until(10, 0.1)
    clock.now += 4.9
    assert not pace.has_stopped()
    clock.now += 0.2
    assert pace.has_stopped()
    assert pace.patience_s() == 5

    runs_until(300, 30)
    clock.now += 89
    assert not pace.has_stopped()
    assert pace.patience_s() == 90
    clock.now += 2
    assert pace.has_stopped()

    # What it did long ago does not count.
    runs_until(10, 1)
    assert pace.patience_s() == 5


def test_percentiles_of_known_values() -> None:
    values = [float(i) for i in range(101)]
    assert Percentiles.of(values[::-1]) == Percentiles(50.0, 95.0, 99.0)
    assert Percentiles.of([7.0]) == Percentiles(7.0, 7.0, 7.0)
    assert Percentiles.of([1.0, 2.0]).p50 == 1.5
    empty = Percentiles.of([])
    assert all(math.isnan(value) for value in (empty.p50, empty.p95, empty.p99))


def test_durations_are_kept_by_stage_in_order() -> None:
    durations = Durations(size=3)
    durations.add('decode', 1.0)
    durations.add('network', 10.0)
    durations.add('decode', 3.0)
    assert list(durations.percentiles()) == ['decode', 'network']
    assert durations.percentiles()['decode'].p50 == 2.0
    assert durations.percentiles()['network'].p95 == 10.0


def test_durations_keep_the_last_ones_only() -> None:
    durations = Durations(size=3)
    for value in (100.0, 1.0, 2.0, 3.0):
        durations.add('decode', value)
    assert durations.percentiles()['decode'].p50 == 2.0
    assert durations.percentiles()['decode'].p99 < 3.1


def test_durations_are_recent_or_the_last_few(clock: Clock) -> None:
    durations = Durations(window_s=5, least=2, clock=clock)
    for value in (100.0, 200.0, 300.0):
        durations.add('decode', value)
        clock.now += 1
    assert durations.percentiles()['decode'].p50 == 200.0
    clock.now += 2.5
    durations.add('decode', 10.0)
    # The first one has left the window.
    assert durations.percentiles()['decode'].p50 == 200.0
    assert durations.percentiles()['decode'].p95 < 300.0
    clock.now += 100
    # Two count, however old they are.
    assert durations.percentiles()['decode'].p50 == 155.0


def test_five_seconds_count_and_ten_durations_at_least(clock: Clock) -> None:
    rate, durations = Rate(clock=clock), Durations(clock=clock)
    # Ten a second, whose duration is their number.
    for number in range(1, 201):
        clock.now += 0.1
        rate.tick()
        durations.add('decode', number)
    clock.now += 0.05
    assert rate.per_second() == 10.0
    assert durations.percentiles()['decode'].p50 == 175.5
    clock.now += 100
    assert rate.per_second() == 0.0
    assert durations.percentiles()['decode'].p50 == 195.5
