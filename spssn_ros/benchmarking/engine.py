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
from dataclasses import dataclass, field

import torch

from spssn_ros.benchmarking.camvid_scores import check_camvid
from spssn_ros.benchmarking.engine_calls import Engine, calls, in_a_row, stages, take_turns
from spssn_ros.benchmarking.engines import (
    EngineBenchmark,
    all_engines,
    asked_for,
    available,
    differing_share,
)
from spssn_ros.benchmarking.timing import Timing
from spssn_ros.errors import ConfigError
from spssn_ros.inference import Segmenter
from spssn_ros.inference.config import Size, size_text
from spssn_ros.inference.segmenter import wanted_graph
from spssn_ros.labels import CITYSCAPES
from spssn_ros.models import Network, Normalisation, WeightsInfo, create_model, load_weights
from spssn_ros.synthetic import StreetScene


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


def benchmark_engine(config: EngineBenchmark) -> Iterator[EngineResult]:
    """Measure every engine that there is, network by network and size by size.

    Raises:
        ConfigError: int8 with weights that hold none, or for none of the sizes, or not for the
            frames that `score_camvid` would score; or weights of other classes than these have.
        DatasetError: no CamVid folder as asked for.
        DeviceError: there is none as asked for.
        WeightsError: no such weights file, or not one.

    """
    configs = available(config)
    graph = wanted_graph(config.weights, asked_for(config))
    if graph is not None and graph.size not in config.sizes:
        raise ConfigError(
            f'{config.weights} holds 8-bit integers for {size_text(graph.size)} only; give that '
            'size too'
        )
    if config.camvid is not None:
        # What is wrong with it is told before the minutes of measuring.
        check_camvid(config, config.camvid, graph)
    for name, model, info in _networks(config):
        floats = all_engines(model, info, configs)
        integers: list[Engine] = []
        if graph is not None and name == config.weights:
            integers = [Segmenter(model, info, asked_for(config), graph)]
        for size in config.sizes:
            engines = floats + integers if graph and size == graph.size else floats
            frame = StreetScene(0, *size).render(0.0)[0]
            expected = engines[0](frame).labels
            differing = {
                e.description: differing_share(e(frame).labels, expected) for e in engines
            }
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


def _networks(config: EngineBenchmark) -> Iterator[tuple[str, Network, WeightsInfo]]:
    yield (config.weights, *load_weights(config.weights))
    for name in config.models:
        info = WeightsInfo(name, {}, CITYSCAPES, Normalisation(), config.sizes[0])
        with torch.random.fork_rng([]):
            # Always the same weights, for which the compiled network may be there already.
            torch.manual_seed(0)
            model = create_model(name).eval()
        yield f'{name}, random weights', model, info
