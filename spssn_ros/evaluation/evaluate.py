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
"""Offline evaluation: bags in, scores out, the same at every run."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import BadImageError, BagError, ConfigError
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.pairing import BagPairs, Pair
from spssn_ros.evaluation.report import Gallery, Source
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.evaluation.truth import truth_labels
from spssn_ros.imaging import decode_compressed, to_labels, to_rgb
from spssn_ros.inference import Segmenter
from spssn_ros.labels import LabelSet

Labels = NDArray[np.uint8]
Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class EvaluationConfig:
    """What to evaluate on.

    Attributes:
        bags: at least one.
        image_topic: camera images, raw or compressed.
        label_topic: truth, mono8 class ids, 255 void.
        prediction_topic: labels recorded in the bag, scored instead of a network's.

    Raises:
        ConfigError: no bag.

    """

    bags: Sequence[Path]
    image_topic: str
    label_topic: str
    prediction_topic: str = ''

    def __post_init__(self) -> None:
        if not self.bags:
            raise ConfigError('no bag to evaluate; give at least one')


@dataclass(frozen=True)
class _Frame:
    stamp_ns: int
    truth: Labels
    rgb: Rgb | None = None
    prediction: Labels | None = None


def evaluate(
    config: EvaluationConfig,
    label_set: LabelSet,
    segmenter: Segmenter | None,
    gallery: Gallery | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EvaluationResult:
    """Score a network, or the labels recorded in the bags, against the bags' truth.

    Args:
        config: bags and topics.
        label_set: the classes.
        segmenter: runs the network; None where `prediction_topic` is given.
        gallery: collects frames worth showing.
        progress: called with (frames done, most frames there can be).

    Raises:
        BagError: a bag that cannot be used, truth that does not fit, or not one pair.

    """
    result = EvaluationResult(label_set, ConfusionMatrix(len(label_set)))
    if segmenter is not None:
        result.device = segmenter.description
    sources = [
        BagPairs(bag, config.prediction_topic or config.image_topic, config.label_topic)
        for bag in config.bags
    ]
    total = sum(source.count() for source in sources)
    start = time.perf_counter()
    for source in sources:
        for frame in _ahead(_frames(source, label_set, segmenter is None)):
            prediction = frame.prediction
            if segmenter is not None and frame.rgb is not None:
                prediction = segmenter(frame.rgb).labels
            assert prediction is not None
            try:
                result.matrix.update(frame.truth, prediction)
            except BadImageError as error:
                raise _located(source, frame.stamp_ns, error) from error
            if gallery is not None:
                shown_as = Source(str(source.path), source.image_topic)
                gallery.offer(frame.stamp_ns, frame.rgb, frame.truth, prediction, shown_as)
            result.frames += 1
            progress(result.frames, total)
        result.unmatched_images += source.unmatched_images
        result.unmatched_labels += source.unmatched_labels
    if not result.frames:
        raise BagError(
            f'no stamp is on both {sources[0].image_topic} ({result.unmatched_images} messages) '
            f'and {config.label_topic} ({result.unmatched_labels}): truth needs exactly the '
            'header stamp of its image'
        )
    result.fps = result.frames / (time.perf_counter() - start)
    return result


def _frames(source: BagPairs, label_set: LabelSet, recorded: bool) -> Iterator[_Frame]:
    for pair in source:
        try:
            yield _decode(pair, label_set, recorded)
        except BadImageError as error:
            raise _located(source, pair.stamp_ns, error) from error


def _decode(pair: Pair, label_set: LabelSet, recorded: bool) -> _Frame:
    truth = truth_labels(pair.truth, label_set)
    if recorded:
        return _Frame(pair.stamp_ns, truth, prediction=to_labels(pair.image))
    return _Frame(pair.stamp_ns, truth, rgb=decode_image(pair.image))


def decode_image(message: Any) -> Rgb:
    """Decode an Image or CompressedImage message to (H, W, 3) uint8 RGB.

    Raises:
        BadImageError: it cannot be decoded.

    """
    if hasattr(message, 'encoding'):
        return to_rgb(message)
    return decode_compressed(message.data, message.format)


def _ahead(frames: Iterator[_Frame]) -> Iterator[_Frame]:
    """Decode one frame ahead on a thread, while the network works on the one before."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, frames, None)
        while (frame := coming.result()) is not None:
            coming = pool.submit(next, frames, None)
            yield frame


def _located(source: BagPairs, stamp_ns: int, error: BadImageError) -> BagError:
    stamp = f'{stamp_ns // 10**9}.{stamp_ns % 10**9:09d}'
    return BagError(f'bag {source.path}, frame with stamp {stamp}: {error}')
