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
"""Rates and durations over a moving window."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# By which a source's pace is told: few, so that a pause is soon forgotten.
_PAUSES = 8


@dataclass(frozen=True)
class Percentiles:
    """Of durations, in milliseconds; NaN without samples."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> 'Percentiles':
        """Compute from samples in milliseconds."""
        if not values_ms:
            return cls(float('nan'), float('nan'), float('nan'))
        p50, p95, p99 = np.percentile(values_ms, [50, 95, 99])
        return cls(float(p50), float(p95), float(p99))


class Rate:
    """Events a second over the last `window_s` seconds; safe to use from any thread."""

    def __init__(self, window_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._start = clock()
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Count an event now."""
        with self._lock:
            self._times.append(self._clock())
            self._forget()

    def per_second(self) -> float:
        """Return the rate; over the time since the start while that is shorter."""
        with self._lock:
            self._forget()
            span = min(self._window_s, self._clock() - self._start)
            return len(self._times) / span if span > 0 else 0.0

    def _forget(self) -> None:
        oldest = self._clock() - self._window_s
        while self._times and self._times[0] < oldest:
            self._times.popleft()


class Pace:
    """Tells a source that has stopped from one that is slow; safe to use from any thread.

    Args:
        least_s: even of a fast one no shorter pause is an end.
        clock: seconds.

    """

    def __init__(self, least_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._least_s = least_s
        self._clock = clock
        self._last_s: float | None = None
        self._pauses_s: deque[float] = deque(maxlen=_PAUSES)
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Note an event now."""
        with self._lock:
            now = self._clock()
            if self._last_s is not None:
                self._pauses_s.append(now - self._last_s)
            self._last_s = now

    def patience_s(self) -> float:
        """Return the longest pause that says nothing: three times the longest of the last ones."""
        with self._lock:
            return max(self._least_s, 3 * max(self._pauses_s, default=0.0))

    def has_stopped(self) -> bool:
        """Whether the source has paused for longer; True before its first event."""
        patience_s = self.patience_s()
        with self._lock:
            return self._last_s is None or self._clock() - self._last_s > patience_s


class Durations:
    """Recent durations by name of stage; safe to use from any thread.

    Args:
        size: most durations of a stage.
        window_s: older ones count only where there are fewer than `least` younger ones.
        least: see `window_s`.
        clock: seconds.

    """

    def __init__(
        self,
        size: int = 300,
        window_s: float = 5.0,
        least: int = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size = size
        self._window_s = window_s
        self._least = least
        self._clock = clock
        self._values: dict[str, deque[tuple[float, float]]] = {}
        self._lock = threading.Lock()

    def add(self, stage: str, milliseconds: float) -> None:
        """Record one duration."""
        with self._lock:
            values = self._values.setdefault(stage, deque(maxlen=self._size))
            values.append((self._clock(), milliseconds))

    def percentiles(self) -> dict[str, Percentiles]:
        """Return every stage's percentiles, in the order the stages first came."""
        oldest = self._clock() - self._window_s
        with self._lock:
            copied = {stage: list(values) for stage, values in self._values.items()}
        found = {}
        for stage, values in copied.items():
            recent = sum(added >= oldest for added, _ in values)
            kept = values[-max(recent, self._least) :]
            found[stage] = Percentiles.of([milliseconds for _, milliseconds in kept])
        return found
