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
"""One evaluation by several processes, as `torchrun` starts them, on one machine or more."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.distributed.rendezvous import rendezvous

from spssn_ros.errors import ConfigError, SpssnError

Value = TypeVar('Value')

_VARIABLES = ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
_FAILED = 'spssn/failed'

_PATIENCE = timedelta(days=30)
"""A process that is done waits for the slowest; the launcher ends it if another one fails."""

_LOOK_EVERY_S = 1.0
_LAST_WORDS_S = 10.0


class EndedEarlyError(SpssnError):
    """Another process of the run ended before its work was done."""

    def __init__(self) -> None:
        super().__init__(
            "another process of this run ended early; its own message, or the launcher's, says why"
        )


@dataclass
class Processes:
    """The processes of a run; by default there is but this one.

    Attributes:
        rank: which of them this one is, from 0.
        count: how many there are.
        local_rank: which of those on this machine this one is.
        local_count: how many of them are on this machine.

    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    _store: Any = None
    _looked_s: float = field(default_factory=time.monotonic)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prints and writes files."""
        return self.rank == 0

    def gather(self, value: Value) -> list[Value]:
        """Return every process's value, by rank, in every process.

        Raises:
            EndedEarlyError: another process has ended.

        """
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        _together(lambda: distributed.all_gather_object(values, value))
        return values

    def gather_first(self, value: Value) -> list[Value]:
        """Return every process's value, by rank, in the first process; an empty list in others.

        Raises:
            EndedEarlyError: another process has ended.

        """
        if self.count == 1:
            return [value]
        values: list[Any] | None = [None] * self.count if self.is_first else None
        _together(lambda: distributed.gather_object(value, values))
        return values or []

    def look(self) -> None:
        """Look, at most once a second, whether another process has failed.

        Raises:
            EndedEarlyError: one has.

        """
        if self.count == 1 or time.monotonic() - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        if _together(lambda: self._store.check([_FAILED])):
            raise EndedEarlyError

    def cpu_threads(self, asked: int) -> int:
        """Return `asked`, or this process's share of the machine's cores where that is 0."""
        if asked or self.local_count == 1:
            return asked
        return max(1, len(os.sched_getaffinity(0)) // self.local_count)


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Join the processes that the environment tells of, for the duration of the block.

    They are described by `RANK`, `WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`, `LOCAL_RANK` and
    `LOCAL_WORLD_SIZE`, which torchrun and others set. Without them there is but this process. On
    a machine with GPUs each process gets its own by its local rank.

    The block ends when all have come to its end. If it raises in several processes, the exception
    passes in the first of them only, and the others exit with status 2 in silence.

    Raises:
        ConfigError: some of the variables are missing or no numbers.

    """
    if 'RANK' not in os.environ and 'WORLD_SIZE' not in os.environ:
        yield Processes()
        return
    rank, count, local_rank, local_count = _from_environment()
    if count == 1:
        yield Processes()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank % torch.cuda.device_count())
    store, _, _ = next(rendezvous('env://'))
    distributed.init_process_group(
        'gloo', store=store, rank=rank, world_size=count, timeout=_PATIENCE
    )
    try:
        yield Processes(rank, count, local_rank, local_count, store)
        # The launcher ends all when the first one exits with an error status.
        sys.stdout.flush()
        _together(distributed.barrier)
    except (SpssnError, OSError):
        if not _is_first_to_fail(store):
            time.sleep(_LAST_WORDS_S)
            raise SystemExit(2) from None
        raise
    distributed.destroy_process_group()


def _from_environment() -> tuple[int, int, int, int]:
    missing = [name for name in _VARIABLES if name not in os.environ]
    if missing:
        raise ConfigError(
            f'the environment sets {" and ".join(n for n in _VARIABLES if n in os.environ)} but '
            f'not {", ".join(missing)}; start several processes by torchrun, or unset them'
        )
    values = []
    for name, default in (
        ('RANK', ''),
        ('WORLD_SIZE', ''),
        ('LOCAL_RANK', '0'),
        ('LOCAL_WORLD_SIZE', '1'),
    ):
        text = os.environ.get(name, default)
        if not text.isdecimal():
            raise ConfigError(f'the environment sets {name} to {text!r}, which is no number')
        values.append(int(text))
    rank, count, local_rank, local_count = values
    if rank >= count:
        raise ConfigError(f'RANK is {rank} but WORLD_SIZE is {count}; ranks count from 0')
    return rank, count, local_rank, local_count


def _is_first_to_fail(store: Any) -> bool:
    try:
        return bool(store.add(_FAILED, 1) == 1)
    except RuntimeError:
        # The machine that keeps the store is gone, so that nobody else will tell.
        return True


def _together(action: Callable[[], Value]) -> Value:
    """Do what takes the other processes; torch raises RuntimeError when one is gone."""
    try:
        return action()
    except RuntimeError as error:
        raise EndedEarlyError from error
