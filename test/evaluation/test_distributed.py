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
"""How a process learns of the others, and its share of the machine."""

import os

import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.distributed import Processes, join_processes

VARIABLES = {
    'RANK': '0',
    'WORLD_SIZE': '2',
    'LOCAL_RANK': '0',
    'LOCAL_WORLD_SIZE': '2',
    'MASTER_ADDR': '127.0.0.1',
    'MASTER_PORT': '29500',
}


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_without_a_launcher_a_process_is_alone() -> None:
    with join_processes() as processes:
        assert (processes.rank, processes.count, processes.is_first) == (0, 1, True)
        assert (processes.local_rank, processes.local_count) == (0, 1)
        assert processes.gather('x') == processes.gather_first('x') == ['x']
        processes.look()
        assert [processes.cpu_threads(n) for n in (0, 5)] == [0, 5]


def test_a_launcher_of_one_process_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (VARIABLES | {'WORLD_SIZE': '1'}).items():
        monkeypatch.setenv(name, value)
    with join_processes() as processes:
        assert processes == Processes(_looked_s=processes._looked_s)


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'MASTER_ADDR': None, 'MASTER_PORT': None}, 'but not MASTER_ADDR, MASTER_PORT; start'),
        ({'WORLD_SIZE': None}, 'sets RANK and MASTER_ADDR and MASTER_PORT but not WORLD_SIZE'),
        ({'RANK': 'one'}, "the environment sets RANK to 'one', which is no number"),
        ({'LOCAL_WORLD_SIZE': '-1'}, "sets LOCAL_WORLD_SIZE to '-1', which is no number"),
        ({'RANK': '2'}, 'RANK is 2 but WORLD_SIZE is 2; ranks count from 0'),
    ],
)
def test_an_environment_that_makes_no_sense_is_explained(
    changes: dict[str, str | None], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (VARIABLES | changes).items():
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=text), join_processes():
        pass


def test_cores_are_divided_among_the_processes_of_a_machine() -> None:
    cores = len(os.sched_getaffinity(0))
    assert Processes(0, 4, 0, local_count=2).cpu_threads(0) == max(1, cores // 2)
    assert Processes(0, 4, 0, local_count=10 * cores).cpu_threads(0) == 1
    assert Processes(0, 4, 0, local_count=2).cpu_threads(3) == 3
    assert Processes(0, 4, 0, local_count=1).cpu_threads(0) == 0
