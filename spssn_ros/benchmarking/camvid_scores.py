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
"""Scores of engines on CamVid's validation frames."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spssn_ros.benchmarking.engine_calls import Engine
from spssn_ros.benchmarking.engines import (
    EngineBenchmark,
    all_engines,
    asked_for,
    available,
    differing_share,
)
from spssn_ros.datasets.camvid import find_camvid
from spssn_ros.datasets.sample import Sample, read_pair
from spssn_ros.errors import ConfigError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.inference import InputSize, Segmenter
from spssn_ros.inference.config import Size, size_text
from spssn_ros.inference.segmenter import wanted_graph
from spssn_ros.labels import CAMVID, LabelSet
from spssn_ros.models import Network, QuantizedGraph, WeightsInfo, load_weights

_AS_IN_THE_NODE = InputSize()

Frame = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""(H, W, 3) uint8 RGB and (H, W) uint8 truth, 255 void."""


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


def check_camvid(config: EngineBenchmark, camvid: Path, graph: QuantizedGraph | None) -> None:
    """Raise what `score_camvid` would, as far as the first frame shows it.

    Args:
        config: of the benchmark.
        camvid: its CamVid folder.
        graph: the weights' 8-bit integers, where it asks for them.

    """
    model, info = load_weights(config.weights)
    _check_classes(config, info.label_set)
    for sample in find_camvid(camvid, 'val')[:1]:
        _check_size(config, graph, _entering(model, info, read_pair(sample)[0]))


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
    engines = all_engines(model, info, available(config, _AS_IN_THE_NODE))
    asked = asked_for(config, _AS_IN_THE_NODE)
    graph = wanted_graph(config.weights, asked)
    if graph is not None:
        engines.append(Segmenter(model, info, asked, graph))
    samples = find_camvid(config.camvid, 'val')

    def frame_of(sample: Sample) -> Frame:
        rgb, truth = read_pair(sample)
        _check_size(config, graph, _entering(model, info, rgb))
        return rgb, truth

    return compare(engines, map(frame_of, samples), len(samples), len(info.label_set))


def compare(
    engines: Sequence[Engine], frames: Iterable[Frame], count: int, classes: int
) -> dict[str, Score]:
    """Score engines on frames, and compare their labels with those of the first.

    Args:
        engines: the first is the baseline.
        frames: images and their truth.
        count: how many they are.
        classes: of the labels.

    """
    matrices = [ConfusionMatrix(classes) for _ in engines]
    differing = [0.0] * len(engines)
    for rgb, truth in frames:
        found = [engine(rgb).labels for engine in engines]
        for number, labels in enumerate(found):
            matrices[number].update(truth, labels)
            differing[number] += differing_share(labels, found[0]) / count
    return {
        engine.description: Score(round(matrix.miou(), 4), share, count)
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
