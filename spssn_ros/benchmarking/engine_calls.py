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
"""Ways to time engines: call by call, in a row, in parts, in turns."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from spssn_ros.benchmarking.timing import Timing, time_calls
from spssn_ros.inference import Segmentation, Segmenter
from spssn_ros.inference.backend import AheadBackend
from spssn_ros.inference.upsample_argmax import upsample_argmax, upsample_argmax_confidence

# The engines take turns, so that what else the machine does meets all of them.
_TURN_ITERATIONS = 10

Calls = dict[str, Callable[[], object]]
K = TypeVar('K')


class Engine(Protocol):
    """What is measured: a `Segmenter` or the baseline."""

    @property
    def description(self) -> str:
        """'openvino bfloat16 on cpu', say."""

    def __call__(self, rgb: NDArray[np.uint8], with_confidence: bool = False) -> Segmentation:
        """Segment (H, W, 3) uint8 RGB."""


def calls(
    engines: Sequence[Engine], frame: NDArray[np.uint8]
) -> dict[tuple[str, bool], Callable[[], object]]:
    """Return what calls each engine on a frame, by description and whether with confidence."""
    return {(e.description, c): partial(e, frame, c) for e in engines for c in (False, True)}


def in_a_row(
    engines: Sequence[Engine], frame: NDArray[np.uint8], with_confidence: bool, iterations: int
) -> dict[str, float]:
    """Return frames/s from the first frame's going in to the last one's coming out."""
    rates: dict[str, float] = {}
    for engine in engines:
        if not isinstance(engine, Segmenter) or not isinstance(engine.backend, AheadBackend):
            continue
        engine(frame, with_confidence)
        start_s = time.perf_counter()
        for _ in engine.stream(repeat(frame, iterations), lambda rgb: rgb, with_confidence):
            pass
        rates[engine.description] = round(iterations / (time.perf_counter() - start_s), 1)
    return rates


def stages(engines: Sequence[Engine], frame: NDArray[np.uint8]) -> Calls:
    """Return the parts of OpenVINO's way, if it is among the engines; see `EngineResult`."""
    try:
        from spssn_ros.inference.openvino_backend import OpenVinoBackend
    except (ImportError, AttributeError):  # missing, broken or old: it is not among them
        return {}
    size = (frame.shape[1], frame.shape[0])
    for engine in engines:
        if isinstance(engine, Segmenter) and isinstance(engine.backend, OpenVinoBackend):
            backend = engine.backend
            logits, threads = backend.logits(frame).copy('K'), backend.threads
            return {
                'network': partial(backend.logits, frame),
                'upsample_argmax': partial(upsample_argmax, logits, size, threads),
                'upsample_argmax_confidence': partial(
                    upsample_argmax_confidence, logits, size, threads
                ),
            }
    return {}


def take_turns(calls: Mapping[K, Callable[[], object]], iterations: int) -> dict[K, Timing]:
    """Time calls, some of each at a time, so that all meet the same machine."""
    times_ms: dict[K, list[float]] = {}
    for start in range(0, iterations, _TURN_ITERATIONS):
        turn = min(_TURN_ITERATIONS, iterations - start)
        for name, call in calls.items():
            # Not timed: compiles the first time, and after that brings its data into the caches.
            call()
            # The labels are in the host's memory when a call returns, on CUDA too.
            times_ms.setdefault(name, []).extend(time_calls(call, turn, on_cuda=False))
    return {name: Timing.of(values) for name, values in times_ms.items()}
