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
"""Timing of calls, on the CPU and on CUDA."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from spssn_ros.runtime import Percentiles

FORWARD_NOTE = (
    'wall clock on the CPU; on CUDA between two events around each call, synchronised after each'
)
ENGINE_NOTE = (
    "wall clock around each call, which ends when the labels are in the host's memory "
    '(synchronised on CUDA)'
)


@dataclass(frozen=True)
class Timing:
    """Of one call.

    Attributes:
        median_ms: half of the calls were faster.
        p95_ms: 95 of 100 calls were faster.
        fps: calls a second at the median.
        iterations: number of timed calls.

    """

    median_ms: float
    p95_ms: float
    fps: float
    iterations: int

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> 'Timing':
        """Compute from at least one duration in milliseconds."""
        found = Percentiles.of(times_ms)
        return cls(
            median_ms=round(found.p50, 3),
            p95_ms=round(found.p95, 3),
            fps=round(1000 / found.p50, 1),
            iterations=len(times_ms),
        )


def time_calls(call: Callable[[], object], iterations: int, on_cuda: bool) -> list[float]:
    """Return how long each of `iterations` calls took, in milliseconds.

    Args:
        call: what to time; warm it up before.
        iterations: number of calls.
        on_cuda: its work is queued on the current CUDA stream and may outlast the call.

    """
    return [_on_cuda(call) if on_cuda else _on_cpu(call) for _ in range(iterations)]


def _on_cpu(call: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    call()
    return (time.perf_counter() - start_s) * 1e3


def _on_cuda(call: Callable[[], object]) -> float:
    start = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)
