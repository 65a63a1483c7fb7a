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
"""The soak run finds what grows, and a short one finds nothing."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import run_script

MINUTES = os.environ.get('SPSSN_SOAK_MINUTES', '1')
SCRIPT = Path(__file__).resolve().parents[2] / 'benchmarks' / 'soak.py'


@pytest.fixture(scope='module')
def soak(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module('soak')


def run(
    soak: ModuleType, minutes: float = 60, of_100: dict[str, int] | None = None, **per_hour: float
) -> tuple[float, list[str]]:
    """Judge a made-up run whose values grow, from 100 each, by so much an hour.

    `of_100`: what becomes of each hundred frames received, if not what is usual.
    """
    samples = []
    for i in range(1, 41):
        time_s = i * minutes * 60 / 40
        values: dict[str, Any] = dict.fromkeys(soak.Sample.__dataclass_fields__, 100.0)
        values |= {name: 100 + rate * time_s / 3600 for name, rate in per_hour.items()}
        values |= {'received': 100 * i, 'answered': 60 * i, 'dropped': 35 * i, 'rejected': 5 * i}
        values |= {name: count * i for name, count in (of_100 or {}).items()}
        values['time_s'] = time_s
        samples.append(soak.Sample(**values))
    slope, faults = soak.judge(samples, soak.Limits(20.0, 50.0, 10, 5, 3.0, 0.5))
    return slope, faults


def test_a_run_that_does_not_grow_passes(soak: ModuleType) -> None:
    slope, faults = run(soak)
    assert abs(slope) < 1e-6
    assert faults == []
    assert run(soak, rss_mb=15.0, descriptors=10, threads=5, latency_ms_p99=100.0)[1] == []


@pytest.mark.parametrize(
    ('name', 'per_hour', 'minutes', 'fault'),
    [
        ('rss_mb', 25.0, 60, 'memory grows by 25.0 MB/h, limit 20'),
        ('rss_mb', 1200.0, 6, 'memory has grown by 60.0 MB, limit 50'),
        ('descriptors', 40, 60, '20 more descriptors, limit 10'),
        ('threads', 40, 60, '20 more threads, limit 5'),
        ('latency_ms_p99', float('nan'), 60, 'latency p99 went from nan to nan ms, limit 3 times'),
    ],
)
def test_what_grows_is_found(
    soak: ModuleType, name: str, per_hour: float, minutes: float, fault: str
) -> None:
    assert run(soak, minutes, **{name: per_hour})[1] == [fault]


@pytest.mark.alone
@pytest.mark.timeout(900)
def test_a_short_run_of_the_real_node_passes(tmp_path: Path, tiny_weights: Path) -> None:
    second = tmp_path / 'second.safetensors'
    second.write_bytes(tiny_weights.read_bytes())
    words = ['--minutes', MINUTES, '--output', str(tmp_path)]
    words += ['--weights', str(tiny_weights), str(second)]
    # PyTorch compiles nothing when size or weights change.
    words += ['--backend', 'torch']
    # A minute on a busy machine is all warming up.
    words += ['--max-growth', '200', '--max-latency-ratio', '1e9', '--min-answered', '0.02']
    done = run_script(SCRIPT, *words)
    assert done.returncode == 0, done.stdout
    assert 'passed' in done.stdout
    rows = list(csv.DictReader((tmp_path / 'soak.csv').open()))
    assert len(rows) == 24
    last = rows[-1]
    assert int(last['answered']) > 20
    assert 0 < int(last['rejected']) <= int(last['unusable'])
    assert (tmp_path / 'soak.png').stat().st_size > 10_000


@pytest.mark.parametrize(
    ('of_100', 'fault'),
    [
        (
            {'answered': 30, 'dropped': 65},
            '32% of the usable frames answered, limit 50%',
        ),
        ({'dropped': 0}, '2900 frames received, 1885 accounted for'),
    ],
)
def test_frames_that_are_not_answered_are_found(
    soak: ModuleType, of_100: dict[str, int], fault: str
) -> None:
    assert run(soak, of_100=of_100)[1] == [fault]


def test_latency_that_grows_is_found(soak: ModuleType) -> None:
    def sample(i: int, late: float) -> Any:
        return soak.Sample(60.0 * i, 100, 90, 10, 9, 9, 5, 9, late, i, 0, i, i, 0, 0)

    limits = soak.Limits(20.0, 50.0, 10, 5, 3.0, 0.5)
    _, faults = soak.judge([sample(i, 20 if i < 30 else 70) for i in range(40)], limits)
    assert faults == ['latency p99 went from 20 to 70 ms, limit 3 times']
    # Something else on the machine, now and then.
    disturbed = [sample(i, 20 if i < 30 or i % 3 == 0 else 90) for i in range(40)]
    assert soak.judge(disturbed, limits)[1] == []
