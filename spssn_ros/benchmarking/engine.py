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
"""Speed of the engine, end to end: a uint8 frame in, labels of its size out."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from spssn_ros.benchmarking.timing import Timing, time_calls
from spssn_ros.errors import ConfigError, DeviceError
from spssn_ros.inference import InferenceConfig, Segmenter
from spssn_ros.inference.config import BackendName, Device, Size
from spssn_ros.inference.plan import plan
from spssn_ros.models import load_weights
from spssn_ros.synthetic import StreetScene

# The engines take turns, so that what else the machine does meets all of them.
_TURN_ITERATIONS = 10
_COMBINATIONS = (
    (Device.CPU, BackendName.TORCH),
    (Device.CPU, BackendName.OPENVINO),
    (Device.CUDA, BackendName.TORCH),
)


@dataclass(frozen=True)
class EngineBenchmark:
    """What to measure.

    Attributes:
        sizes: (width, height) of the frames, which enter the network as they are.
        weights: path, or name of a shipped file.
        iterations: timed frames an engine and size.
        device: 'auto' for all there are, 'cuda' or 'cpu'.
        precision: 'auto', 'float32', 'bfloat16' or 'float16'.
        cpu_threads: of the CPU engines, 0 for automatic.

    Raises:
        ConfigError: an option that cannot be used.

    """

    sizes: tuple[Size, ...]
    weights: str = 'spssn_camvid'
    iterations: int = 50
    device: str = 'auto'
    precision: str = 'auto'
    cpu_threads: int = 0

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ConfigError(f'iterations is {self.iterations}; give at least 1')


@dataclass(frozen=True)
class EngineResult:
    """All engines at one size.

    Attributes:
        size: (width, height).
        timings: by description ('openvino bfloat16 on cpu', say).

    """

    size: Size
    timings: dict[str, Timing]

    def times_as_fast(self) -> dict[str, float]:
        """Return by how much each engine is faster than the first, at the median."""
        first = next(iter(self.timings.values()))
        return {
            name: round(first.median_ms / timing.median_ms, 2)
            for name, timing in self.timings.items()
        }


def benchmark_engine(config: EngineBenchmark) -> Iterator[EngineResult]:
    """Measure every engine that there is, size by size.

    Raises:
        DeviceError: there is none as asked for.
        WeightsError: no such weights file, or not one.

    """
    configs = _available(config)
    model, info = load_weights(config.weights)
    segmenters = [Segmenter(model, info, settings) for settings in configs]
    for size in config.sizes:
        yield EngineResult(size, _take_turns(segmenters, size, config.iterations))


def _available(config: EngineBenchmark) -> list[InferenceConfig]:
    asked = InferenceConfig.parse(
        config.device, 'auto', config.precision, 'native', config.cpu_threads
    )
    found: list[InferenceConfig] = []
    absent: DeviceError | None = None
    for device, backend in _COMBINATIONS:
        if asked.device not in (Device.AUTO, device):
            continue
        candidate = InferenceConfig(
            device, backend, asked.precision, asked.input_size, asked.cpu_threads
        )
        try:
            plan(candidate)
        except DeviceError as error:
            absent = absent or error
        else:
            found.append(candidate)
    if not found and absent is not None:
        raise absent
    return found


def _take_turns(segmenters: list[Segmenter], size: Size, iterations: int) -> dict[str, Timing]:
    frame = StreetScene(0, *size).render(0.0)[0]
    times_ms: dict[str, list[float]] = {}
    for start in range(0, iterations, _TURN_ITERATIONS):
        turn = min(_TURN_ITERATIONS, iterations - start)
        for segmenter in segmenters:
            # Not timed: compiles the first time, and after that brings its data into the caches.
            segmenter(frame)
            # The labels are in the host's memory when a call returns, on CUDA too.
            found = time_calls(partial(segmenter, frame), turn, on_cuda=False)
            times_ms.setdefault(segmenter.description, []).extend(found)
    return {name: Timing.of(values) for name, values in times_ms.items()}
