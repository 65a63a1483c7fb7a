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

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.bags.bag_path import check_bags_differ
from spssn_ros.errors import BadImageError, ConfigError
from spssn_ros.evaluation.calibration import Calibration
from spssn_ros.evaluation.camera_topic import camera_topic_in
from spssn_ros.evaluation.categories import categories_for
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.instance import InstanceScores
from spssn_ros.evaluation.instance_truth import default_instance_topics, instance_ids
from spssn_ros.evaluation.pairing import BagPairs, Pair
from spssn_ros.evaluation.report import Gallery, Source
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.evaluation.shares import Share, deal
from spssn_ros.evaluation.truth import TruthFormat, recorded_labels, truth_labels
from spssn_ros.imaging import decode_compressed, to_rgb
from spssn_ros.imaging.degradation import Degradation, degrade, fixed_damage
from spssn_ros.inference import Segmentation, Segmenter
from spssn_ros.labels import LabelSet
from spssn_ros.runtime import map_ahead

Labels = NDArray[np.uint8]
Rgb = NDArray[np.uint8]
Instances = NDArray[np.unsignedinteger]

DEFAULT_WORKERS = 2
"""Threads that decode; on two cores they read several times as fast as the network runs there."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What to evaluate on.

    Attributes:
        bags: at least one, none twice; each must have all the topics.
        image_topics: camera images, raw or compressed: a topic, or one for each camera; of a bag
            that lacks it, see `camera_topic`.
        label_topics: the truth of each image topic, in the same order.
        prediction_topics: labels recorded in the bags, scored instead of a network's; then
            `image_topics` are not read.
        truth: how truth images say the class of a pixel.
        slop_ms: most milliseconds between the header stamps of an image and its truth.
        workers: threads that decode images; 0 for none but the caller's.
        instance_topics: instance images of each label topic, for iIoU; None for
            `/camera/instance_truth` if there is one label topic and every bag has it.
        categories: see `categories_for`.
        degradation: done to the images first, at its fixed severity.
        calibration: whether to compare confidence with accuracy.
        robustness: whether to score every `Degradation` too (`run_evaluation` does).

    Raises:
        ConfigError: no bag, or one twice, topics that are not paired, or a number out of range.

    """

    bags: Sequence[Path]
    image_topics: Sequence[str]
    label_topics: Sequence[str]
    prediction_topics: Sequence[str] = ()
    truth: TruthFormat = TruthFormat.AUTO
    slop_ms: float = 0.0
    workers: int = DEFAULT_WORKERS
    instance_topics: Sequence[str] | None = None
    categories: str = ''
    degradation: Degradation | None = None
    calibration: bool = False
    robustness: bool = False

    def __post_init__(self) -> None:
        if not self.bags:
            raise ConfigError('no bag to evaluate; give at least one')
        check_bags_differ(self.bags)
        for name in ('image_topics', 'label_topics', 'prediction_topics'):
            topics = getattr(self, name)
            object.__setattr__(
                self, name, tuple(filter(None, [topics] if isinstance(topics, str) else topics))
            )
        kind = 'prediction' if self.prediction_topics else 'image'
        if len(self.scored_topics) != len(self.label_topics) or not self.label_topics:
            raise ConfigError(
                f'{len(self.scored_topics)} {kind} topics ({", ".join(self.scored_topics)}) but '
                f'{len(self.label_topics)} label topics ({", ".join(self.label_topics)}); give '
                'each its own, in the same order'
            )
        for topic, label_topic in zip(self.scored_topics, self.label_topics, strict=True):
            if topic == label_topic:
                raise ConfigError(f'{topic} cannot be its own truth; give another label topic')
        if self.instance_topics and len(self.instance_topics) != len(self.label_topics):
            raise ConfigError(
                f'{len(self.instance_topics)} instance topics '
                f'({", ".join(self.instance_topics)}) but {len(self.label_topics)} label topics; '
                'give each its own, in the same order'
            )
        if self.degradation and self.prediction_topics:
            raise ConfigError('recorded predictions cannot be degraded; leave degrade out')
        if self.robustness and (self.prediction_topics or self.degradation):
            other = 'degrade' if self.degradation else 'recorded predictions'
            raise ConfigError(f'robustness and {other} exclude one another; leave one out')
        if self.calibration and self.prediction_topics:
            raise ConfigError('recorded predictions have no confidence; leave calibration out')
        if not 0 <= self.slop_ms < math.inf:
            raise ConfigError(f'slop is {self.slop_ms} ms; give 0 or more')
        if not 0 <= self.workers <= 64:
            raise ConfigError(f'workers is {self.workers}; give 0 to 64')

    @property
    def scored_topics(self) -> Sequence[str]:
        """The topics that are paired with truth: of images, or of recorded predictions."""
        return self.prediction_topics or self.image_topics

    def work(self, tells: bool = True) -> list[Share]:
        """Return the pairs to score, by bag and camera.

        Args:
            tells: whether to say that a bag's compressed images are read; see `camera_topic`.

        Raises:
            BagError: a bag that cannot be used.

        """

        def found(bag: Path, topic: str) -> str:
            # A prediction is read from where the user says or not at all.
            return topic if self.prediction_topics else camera_topic_in(bag, topic, tells)

        slop_ns = round(self.slop_ms * 1e6)
        instance_topics = self.instance_topics
        if instance_topics is None:
            instance_topics = default_instance_topics(self.bags, len(self.label_topics))
        cameras = list(
            zip_longest(self.scored_topics, self.label_topics, instance_topics, fillvalue='')
        )
        sources = [
            (BagPairs(bag, found(bag, topic), label_topic, slop_ns), instance_topic)
            for bag in self.bags
            for topic, label_topic, instance_topic in cameras
        ]
        return [Share(source, source.count(), topic) for source, topic in sources]


@dataclass(frozen=True)
class DecodedFrame:
    """A pair of a bag as arrays.

    Attributes:
        stamp_ns: header stamp.
        truth: (H, W) uint8 class ids, 255 void.
        rgb: (H, W, 3) uint8, unless predictions are scored.
        prediction: (H, W) uint8 class ids, if recorded predictions are scored.
        instances: (H, W) instance ids, where the bag has them.

    """

    stamp_ns: int
    truth: Labels
    rgb: Rgb | None = None
    prediction: Labels | None = None
    instances: Instances | None = None


def evaluate(
    config: EvaluationConfig,
    label_set: LabelSet,
    segmenter: Segmenter | None,
    gallery: Gallery | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    rank: int = 0,
    processes: int = 1,
) -> EvaluationResult:
    """Score a network, or the labels recorded in the bags, against the bags' truth.

    Args:
        config: bags and topics.
        label_set: the classes.
        segmenter: runs the network; None where `prediction_topics` are given.
        gallery: collects frames worth showing.
        progress: called with (frames done, most frames there can be).
        rank: which of several processes this one is; it scores its share only.
        processes: how many share the work.

    Raises:
        BagError: a bag that cannot be used, truth that does not fit, or a bag without one pair.
        ConfigError: truth of other classes than `label_set`.

    """
    config.truth.check(label_set)
    result = EvaluationResult(label_set, ConfusionMatrix(len(label_set)))
    result.categories = categories_for(config.categories, label_set)
    if config.degradation is not None:
        result.extra['degraded'] = config.degradation.value
    work = config.work(tells=rank == 0)
    if config.calibration:
        result.calibration = Calibration()
    if any(share.instance_topic for share in work):
        result.instances = InstanceScores(label_set, result.categories)
    shares = deal(work, rank, processes)
    total = sum(share.last - share.first for share in shares)
    start = first = time.perf_counter()
    for share in shares:
        source = share.source
        with (
            closing(decoded_frames(share, config, label_set)) as frames,
            closing(_predicted(frames, segmenter, config.calibration)) as predicted,
        ):
            for frame, segmentation in predicted:
                prediction, confidence = segmentation.labels, segmentation.confidence
                try:
                    result.matrix.update(frame.truth, prediction)
                    if result.instances is not None and frame.instances is not None:
                        result.instances.update(frame.truth, prediction, frame.instances)
                    if result.calibration is not None and confidence is not None:
                        result.calibration.update(frame.truth, prediction, confidence)
                except BadImageError as error:
                    raise source.located(frame.stamp_ns, error) from error
                if gallery is not None:
                    shown_as = Source(str(source.path), source.image_topic)
                    gallery.offer(frame.stamp_ns, frame.rgb, frame.truth, prediction, shown_as)
                result.frames += 1
                if result.frames == 1:
                    first = time.perf_counter()
                progress(result.frames, total)
        result.unmatched_images += share.unmatched_images
        result.unmatched_labels += share.unmatched_labels
        if share.has_no_pair:
            raise source.no_pair()
    end = time.perf_counter()
    if segmenter is not None:
        result.device = segmenter.description
    # The first frame waits for the network to be compiled, which is no matter of rate.
    few = result.frames <= 1
    result.fps = result.frames / (end - start) if few else (result.frames - 1) / (end - first)
    return result


def _predicted(
    frames: Iterable[DecodedFrame], segmenter: Segmenter | None, with_confidence: bool
) -> Generator[tuple[DecodedFrame, Segmentation], None, None]:
    """Yield frames with what is predicted for them, by the network or in the bag."""

    def picture(frame: DecodedFrame) -> Rgb:
        assert frame.rgb is not None
        return frame.rgb

    if segmenter is not None:
        yield from segmenter.stream(frames, picture, with_confidence)
        return
    for frame in frames:
        assert frame.prediction is not None
        yield frame, Segmentation(frame.prediction)


def decoded_frames(
    share: Share, config: EvaluationConfig, label_set: LabelSet
) -> Generator[DecodedFrame, None, None]:
    """Yield the decoded frames of a share, decoded ahead on the workers' threads."""
    recorded = bool(config.prediction_topics)

    def decode(pair: Pair) -> DecodedFrame:
        try:
            truth = truth_labels(pair.truth, label_set, config.truth)
            instances = None if pair.instances is None else instance_ids(pair.instances)
            if recorded:
                labels = recorded_labels(pair.image)
                return DecodedFrame(pair.stamp_ns, truth, prediction=labels, instances=instances)
            rgb = decode_image(pair.image)
            if config.degradation is not None:
                damage = fixed_damage(config.degradation, seed=pair.stamp_ns % 2**31)
                rgb = degrade(rgb, damage)
            return DecodedFrame(pair.stamp_ns, truth, rgb=rgb, instances=instances)
        except BadImageError as error:
            raise share.source.located(pair.stamp_ns, error) from error

    return map_ahead(decode, share.pairs, config.workers)


def decode_image(message: Any) -> Rgb:
    """Decode an Image or CompressedImage message to (H, W, 3) uint8 RGB.

    Raises:
        BadImageError: it cannot be decoded.

    """
    if hasattr(message, 'encoding'):
        return to_rgb(message)
    return decode_compressed(message.data, message.format)
