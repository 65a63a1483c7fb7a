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
"""Speed and agreement of the engine, end to end: a uint8 frame in, labels of its size out."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spssn_ros.benchmarking.baseline import AS_THEY_ARE, EagerPyTorch
from spssn_ros.benchmarking.engine_calls import Engine, calls, in_a_row, stages, take_turns
from spssn_ros.benchmarking.timing import Timing
from spssn_ros.datasets.camvid import find_camvid
from spssn_ros.datasets.sample import read_pair
from spssn_ros.errors import ConfigError, DeviceError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.inference import InferenceConfig, Segmenter
from spssn_ros.inference.config import (
    BackendName,
    Device,
    InputSize,
    Precision,
    Size,
    size_text,
)
from spssn_ros.inference.plan import plan
from spssn_ros.inference.segmenter import wanted_graph
from spssn_ros.labels import CAMVID, CITYSCAPES, LabelSet
from spssn_ros.models import (
    Network,
    Normalisation,
    QuantizedGraph,
    WeightsInfo,
    create_model,
    load_weights,
)
from spssn_ros.synthetic import StreetScene

_COMBINATIONS = (
    (Device.CPU, BackendName.TORCH),
    (Device.CPU, BackendName.OPENVINO),
    (Device.CUDA, BackendName.TORCH),
)
_AS_IN_THE_NODE = InputSize()


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
        cpu_threads: of the CPU engines, 0 for automatic.
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


@dataclass(frozen=True)
class EngineResult:
    """All engines with one network at one size.

    Attributes:
        network: weights, or name of the network with random ones.
        size: (width, height).
        timings: labels alone, by description ('openvino bfloat16 on cpu', say); first the
            baseline.
        with_confidence: labels and confidence, likewise.
        stages: parts of OpenVINO's time: 'network', from frame to logits, 'upsample_argmax' and
            'upsample_argmax_confidence', from these to what is returned.
        differing: share of pixels whose label is not the baseline's.
        in_a_row: frames/s by `Segmenter.stream`, labels alone, of engines that take the next
            frame while they compute one.
        in_a_row_with_confidence: likewise.

    """

    network: str
    size: Size
    timings: dict[str, Timing]
    with_confidence: dict[str, Timing]
    stages: dict[str, Timing]
    differing: dict[str, float]
    in_a_row: dict[str, float] = field(default_factory=dict)
    in_a_row_with_confidence: dict[str, float] = field(default_factory=dict)

    def times_as_fast(self) -> dict[str, float]:
        """Return by how much each engine is faster than the first, at the median."""
        first = next(iter(self.timings.values()))
        return {
            name: round(first.median_ms / timing.median_ms, 2)
            for name, timing in self.timings.items()
        }


@dataclass(frozen=True)
class Score:
    """One engine on CamVid's validation frames.

    Attributes:
        miou: mean intersection over union; NaN where no pixel has a true class.
        differing: share of pixels whose label is not the baseline's.
        frames: number of frames.

    """

    miou: float
    differing: float
    frames: int


def benchmark_engine(config: EngineBenchmark) -> Iterator[EngineResult]:
    """Measure every engine that there is, network by network and size by size.

    Raises:
        ConfigError: int8 with weights that hold none, or for none of the sizes, or not for the
            frames that `score_camvid` would score; or weights of other classes than these have.
        DatasetError: no CamVid folder as asked for.
        DeviceError: there is none as asked for.
        WeightsError: no such weights file, or not one.

    """
    configs = _available(config)
    graph = wanted_graph(config.weights, _asked(config))
    if graph is not None and graph.size not in config.sizes:
        raise ConfigError(
            f'{config.weights} holds 8-bit integers for {size_text(graph.size)} only; give that '
            'size too'
        )
    if config.camvid is not None:
        # What is wrong with it is told before the minutes of measuring.
        model, info = load_weights(config.weights)
        _check_classes(config, info.label_set)
        for sample in find_camvid(config.camvid, 'val')[:1]:
            _check_size(config, graph, _entering(model, info, read_pair(sample)[0]))
    for name, model, info in _networks(config):
        floats = _engines(model, info, configs)
        integers: list[Engine] = []
        if graph is not None and name == config.weights:
            integers = [Segmenter(model, info, _asked(config), graph)]
        for size in config.sizes:
            engines = floats + integers if graph and size == graph.size else floats
            frame = StreetScene(0, *size).render(0.0)[0]
            expected = engines[0](frame).labels
            differing = {e.description: _differing(e(frame).labels, expected) for e in engines}
            timings = take_turns(calls(engines, frame), config.iterations)
            labels, both = (
                {e.description: timings[e.description, c] for e in engines} for c in (False, True)
            )
            yield EngineResult(
                name,
                size,
                labels,
                both,
                take_turns(stages(engines, frame), config.iterations),
                differing,
                in_a_row(engines, frame, False, config.iterations),
                in_a_row(engines, frame, True, config.iterations),
            )


def score_camvid(config: EngineBenchmark) -> dict[str, Score]:
    """Score every engine with `config.weights` on CamVid's validation frames.

    Frames enter the network as in the node: at the weights' training size in area.

    Raises:
        ConfigError: int8 for another size than frames enter at, or weights of other classes.
        DatasetError: no such folder, or not CamVid's.

    """
    if config.camvid is None:
        return {}
    model, info = load_weights(config.weights)
    _check_classes(config, info.label_set)
    engines = _engines(model, info, _available(config, _AS_IN_THE_NODE))
    asked = _asked(config, _AS_IN_THE_NODE)
    graph = wanted_graph(config.weights, asked)
    if graph is not None:
        engines.append(Segmenter(model, info, asked, graph))
    samples = find_camvid(config.camvid, 'val')
    matrices = [ConfusionMatrix(len(info.label_set)) for _ in engines]
    differing = [0.0] * len(engines)
    for sample in samples:
        rgb, truth = read_pair(sample)
        _check_size(config, graph, _entering(model, info, rgb))
        expected = engines[0](rgb).labels
        for number, engine in enumerate(engines):
            labels = engine(rgb).labels
            matrices[number].update(truth, labels)
            differing[number] += _differing(labels, expected) / len(samples)
    return {
        engine.description: Score(round(matrix.miou(), 4), share, len(samples))
        for engine, matrix, share in zip(engines, matrices, differing, strict=True)
    }


def _check_classes(config: EngineBenchmark, label_set: LabelSet) -> None:
    """Raise ConfigError where the ids of labels and truth would mean different classes."""
    if label_set.names != CAMVID.names:
        raise ConfigError(
            f"{config.weights} has other classes than CamVid's {len(CAMVID)}, so {config.camvid} "
            'cannot score it; give weights trained on CamVid, or leave camvid out'
        )


def _entering(model: Network, info: WeightsInfo, rgb: NDArray[np.uint8]) -> Size:
    """Return the (width, height) at which a frame enters the network in `score_camvid`."""
    frame = (rgb.shape[1], rgb.shape[0])
    return _AS_IN_THE_NODE.for_frame(frame, info.input_size, model.output_stride)


def _check_size(config: EngineBenchmark, graph: QuantizedGraph | None, entering: Size) -> None:
    """Raise ConfigError where floats would run in place of the 8-bit integers asked for."""
    if graph is not None and graph.size != entering:
        raise ConfigError(
            f'{config.weights} holds 8-bit integers for {size_text(graph.size)} only, but a frame '
            f'of {config.camvid} enters the network at {size_text(entering)}; give frames that '
            'enter at that size, or another precision'
        )


def _networks(config: EngineBenchmark) -> Iterator[tuple[str, Network, WeightsInfo]]:
    yield (config.weights, *load_weights(config.weights))
    for name in config.models:
        info = WeightsInfo(name, {}, CITYSCAPES, Normalisation(), config.sizes[0])
        with torch.random.fork_rng([]):
            # Always the same weights, for which the compiled network may be there already.
            torch.manual_seed(0)
            model = create_model(name).eval()
        yield f'{name}, random weights', model, info


def _engines(model: Network, info: WeightsInfo, configs: list[InferenceConfig]) -> list[Engine]:
    # These set the number of threads, which the baseline then has too.
    segmenters = [Segmenter(model, info, settings) for settings in configs]
    # Where the CPU is not measured, minutes of it would tell nothing.
    on_cpu = any(settings.device is Device.CPU for settings in configs)
    device = Device.CPU if on_cpu else Device.CUDA
    return [EagerPyTorch(model, info, device, configs[0].input_size), *segmenters]


def _asked(config: EngineBenchmark, input_size: InputSize = AS_THEY_ARE) -> InferenceConfig:
    asked = InferenceConfig.parse(
        config.device, 'auto', config.precision, cpu_threads=config.cpu_threads
    )
    return replace(asked, input_size=input_size)


def _available(
    config: EngineBenchmark, input_size: InputSize = AS_THEY_ARE
) -> list[InferenceConfig]:
    asked = _asked(config, input_size)
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


def _differing(labels: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    # Not rounded: a single pixel of a large frame would vanish.
    return float((labels != expected).mean())
