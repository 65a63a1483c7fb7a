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
"""The engines that a benchmark compares."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spssn_ros.benchmarking.baseline import AS_THEY_ARE, EagerPyTorch
from spssn_ros.benchmarking.engine_calls import Engine
from spssn_ros.errors import ConfigError, DeviceError
from spssn_ros.inference import InferenceConfig, InputSize, Segmenter
from spssn_ros.inference.config import BackendName, Device, Precision, Size
from spssn_ros.inference.plan import plan
from spssn_ros.models import Network, WeightsInfo, create_model

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
        models: names for `create_model`, 19 classes and random weights, to measure as well.
        iterations: timed frames an engine and size.
        device: 'auto' for all there are, 'cuda' or 'cpu'.
        precision: 'auto', 'float32', 'bfloat16' or 'float16'; 'int8' measures the weights' 8-bit
            integers beside 'auto', at the size that they are for.
        cpu_threads: on the CPU, 0 for automatic.
        camvid: a CamVid folder, on whose validation frames `score_camvid` scores; None for none.

    Raises:
        ConfigError: an option that cannot be used.

    """

    sizes: tuple[Size, ...]
    weights: str = 'spssn_camvid'
    models: tuple[str, ...] = ()
    iterations: int = 50
    device: str = 'auto'
    precision: str = 'auto'
    cpu_threads: int = 0
    camvid: Path | None = None

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ConfigError(f'iterations is {self.iterations}; give at least 1')
        for name in self.models:
            create_model(name)


def all_engines(model: Network, info: WeightsInfo, configs: list[InferenceConfig]) -> list[Engine]:
    """Return the baseline, which takes frames as the first of them does, and these engines."""
    # These set the number of threads, which the baseline then has too.
    segmenters = [Segmenter(model, info, settings) for settings in configs]
    # Where the CPU is not measured, minutes of it would tell nothing.
    on_cpu = any(settings.device is Device.CPU for settings in configs)
    device = Device.CPU if on_cpu else Device.CUDA
    return [EagerPyTorch(model, info, device, configs[0].input_size), *segmenters]


def asked_for(config: EngineBenchmark, input_size: InputSize = AS_THEY_ARE) -> InferenceConfig:
    """Return the configuration that the options ask for, which may be int8."""
    asked = InferenceConfig.parse(
        config.device, 'auto', config.precision, cpu_threads=config.cpu_threads
    )
    return replace(asked, input_size=input_size)


def available(
    config: EngineBenchmark, input_size: InputSize = AS_THEY_ARE
) -> list[InferenceConfig]:
    """Return those in floats of which the options are, and which this machine has.

    Raises:
        DeviceError: it has none.

    """
    asked = asked_for(config, input_size)
    if asked.precision is Precision.INT8:
        plan(asked)
        asked = replace(asked, precision=Precision.AUTO)
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


def differing_share(labels: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    """Return the share of pixels, 0 to 1, whose label is not the expected one."""
    # Not rounded: a single pixel of a large frame would vanish.
    return float((labels != expected).mean())
