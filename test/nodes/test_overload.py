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
"""A node that gets more frames than it can do."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import run_script

SCRIPT = Path(__file__).resolve().parents[2] / 'benchmarks' / 'overload.py'


@pytest.fixture(scope='module')
def overload(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module('overload')


@pytest.mark.alone
@pytest.mark.timeout(900)
def test_a_flooded_node_stays_flat_and_honest(tmp_path: Path) -> None:
    words = ['--seconds', '15', '--output', str(tmp_path)]
    words += ['--weights', 'spssn_street', '--size', '320x240', '--factor', '6']
    done = run_script(SCRIPT, *words, '--max-growth', '80')
    faults = [line for line in done.stdout.splitlines() if line.startswith('FAILED')]
    # How quick it is depends on what else the machine does.
    faults = [fault for fault in faults if 'latency' not in fault and 'slows' not in fault]
    assert not faults, done.stdout
    phases = json.loads((tmp_path / 'overload.json').read_text())['phases']
    assert list(phases) == ['flood', '20 more subscribers', 'stuck subscriber']
    for row in phases.values():
        assert row['dropped'] > 0
        assert row['rejected'] == 0


GOOD: dict[str, Any] = {
    'seconds': 10.0,
    'received': 400,
    'answered': 100,
    'dropped': 298,
    'rejected': 0,
    'heard': 100,
    'in_order': True,
    'latency_ms': {'p50': 60.0, 'p95': 90.0, 'p99': 99.0},
    'work_ms_p95': 40.0,
    'memory_mb': 500.0,
    'growth_mb': 1.0,
}
LATE = {'p50': 60.0, 'p95': 101.0, 'p99': 120.0}


def result(burst: dict[str, Any], **changes: Any) -> dict[str, Any]:
    names = ('flood', '20 more subscribers', 'stuck subscriber')
    phases = {name: copy.deepcopy(GOOD) for name in names}
    phases['flood'] |= changes
    return {'phases': phases, 'burst': {'answered': 2, 'newest_answered': True} | burst}


def test_a_good_run_passes(overload: ModuleType) -> None:
    assert overload.judge(result({}), 20.0, 30.0) == []


@pytest.mark.parametrize(
    ('changes', 'fault'),
    [
        ({'dropped': 250}, 'flood: 400 frames received, 350 accounted for'),
        ({'received': 101, 'dropped': 0}, 'flood: 101 frames are no overload'),
        ({'in_order': False}, 'flood: an older frame was answered after a newer one'),
        ({'heard': 70}, 'flood: 100 answered, but 70 heard'),
        ({'latency_ms': LATE}, 'flood: latency p95 101 ms, limit 100 ms'),
        ({'growth_mb': 31.0}, 'flood: memory grew by 31.0 MB, limit 30'),
        ({'seconds': 4.0}, 'a stuck subscriber slows the node from 25.0 to 10.0 frames/s'),
    ],
)
def test_what_is_beyond_its_limit_is_found(
    overload: ModuleType, changes: dict[str, Any], fault: str
) -> None:
    assert overload.judge(result({}, **changes), 20.0, 30.0) == [fault]


@pytest.mark.parametrize(
    ('burst', 'fault'),
    [
        ({'newest_answered': False}, 'the newest frame of a burst was not answered'),
        ({'answered': 29}, '29 frames of a burst of 30 were answered'),
    ],
)
def test_a_burst_that_is_not_dealt_with_is_found(
    overload: ModuleType, burst: dict[str, Any], fault: str
) -> None:
    assert overload.judge(result(burst), 20.0, 30.0) == [fault]
