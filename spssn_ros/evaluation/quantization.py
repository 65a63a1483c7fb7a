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
"""8-bit integers calibrated on a bag's frames, and what they cost on its other frames."""

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.bags.labelled import IMAGE_TOPIC, LABEL_TOPIC
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.errors import BadImageError, BagError, ConfigError
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.evaluate import decode_image
from spssn_ros.evaluation.pairing import BagPairs
from spssn_ros.evaluation.truth import TruthFormat, truth_labels
from spssn_ros.inference import Segmenter
from spssn_ros.inference.config import Size
from spssn_ros.inference.preprocess import resize_frame
from spssn_ros.labels import LabelSet

Messages = Generator[tuple[int, Any, Any], None, None]
"""Header stamp, image and truth, or None."""

MOST_COMPARED = 500
"""Frames, evenly spaced, by which the cost is told."""


@dataclass(frozen=True)
class QuantizationConfig:
    """What to calibrate and compare on.

    Attributes:
        bag: with camera images.
        image_topic: of the images, raw or compressed.
        label_topic: of truth; '' for `/camera/label_truth` if the bag has it.
        frames: most frames to calibrate on; at most half of the bag's, rounded up, are taken.
        truth: how truth images say the class of a pixel.
        slop_ns: most nanoseconds between the header stamps of an image and its truth.

    Raises:
        ConfigError: no frame.

    """

    bag: Path
    image_topic: str = IMAGE_TOPIC
    label_topic: str = ''
    frames: int = 100
    truth: TruthFormat = TruthFormat.AUTO
    slop_ns: int = 0

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ConfigError(f'frames is {self.frames}; give at least 1 to calibrate on')


@dataclass(frozen=True)
class Cost:
    """What 8-bit integers cost.

    Attributes:
        frames: that were compared; 0 where calibration left none.
        differing: share of pixels whose label is not that of floats.
        miou_before, miou_after: of floats and of integers; None without truth.

    """

    frames: int
    differing: float
    miou_before: float | None = None
    miou_after: float | None = None


class CalibrationFrames:
    """Evenly spaced frames of a bag, as they enter the network; read anew at each iteration.

    Args:
        config: the bag.
        input_size_for: from a frame's (width, height) to that at which it enters the network.
        progress: called after each frame.

    Attributes:
        count: number of the frames.
        size: (width, height) of all of them, the first one's.
        stamps_ns: header stamps, once iterated over.

    Raises:
        BagError: a bag that cannot be used, or one without an image.

    """

    def __init__(
        self,
        config: QuantizationConfig,
        input_size_for: Callable[[Size], Size],
        progress: Callable[[], Any] = lambda: None,
    ) -> None:
        self._config, self._progress = config, progress
        with BagReader(config.bag) as bag:
            bag.require_images(*filter(None, (config.image_topic, config.label_topic)))
            self._total = bag.topics[config.image_topic].count
        self.count = min(config.frames, (self._total + 1) // 2)
        self.stamps_ns: set[int] = set()
        first = next(self._decoded(), None)
        if first is None:
            raise BagError(
                f'topic {config.image_topic} of bag {config.bag} holds no image; choose another '
                'topic'
            )
        self.size = input_size_for((first.shape[1], first.shape[0]))

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for rgb in self._decoded():
            yield resize_frame(rgb, self.size)
            self._progress()

    def _decoded(self) -> Iterator[NDArray[np.uint8]]:
        chosen = {(2 * i + 1) * self._total // (2 * self.count) for i in range(self.count)}
        with BagReader(self._config.bag) as bag:
            for index, item in enumerate(bag.messages([self._config.image_topic])):
                if index in chosen:
                    stamp_ns = header_stamp_ns(item.message)
                    self.stamps_ns.add(stamp_ns)
                    yield _decode(self._config, stamp_ns, item.message)


def cost(
    config: QuantizationConfig,
    used_ns: set[int],
    floats: Segmenter,
    integers: Segmenter,
    progress: Callable[[], Any] = lambda: None,
) -> Cost:
    """Compare integers with floats on the frames of a bag, and with its truth if it has such.

    Args:
        config: the bag.
        used_ns: header stamps of the frames to leave out.
        floats: runs the network as it was trained.
        integers: runs it in 8-bit integers.
        progress: called after each frame.

    Raises:
        BagError: a bag that cannot be used, truth that does not fit, or no frame that has truth.
        ConfigError: truth of other classes.

    """
    label_set = floats.label_set
    before, after = ConfusionMatrix(len(label_set)), ConfusionMatrix(len(label_set))
    shares: list[float] = []
    has_truth = False
    with closing(_compared(config, label_set, used_ns)) as compared:
        for stamp_ns, rgb, truth in compared:
            expected, found = floats(rgb).labels, integers(rgb).labels
            shares.append(float((expected != found).mean()))
            if truth is not None:
                has_truth = True
                try:
                    before.update(truth, expected)
                    after.update(truth, found)
                except BadImageError as error:
                    raise _source(config).located(stamp_ns, error) from error
            progress()
    if not shares:
        return Cost(0, 0.0)
    differing = float(np.mean(shares))
    if not has_truth:
        return Cost(len(shares), differing)
    return Cost(len(shares), differing, before.miou(), after.miou())


def _compared(
    config: QuantizationConfig, label_set: LabelSet, used_ns: set[int]
) -> Generator[tuple[int, NDArray[np.uint8], NDArray[np.uint8] | None], None, None]:
    """Yield header stamp, frame and truth, evenly spaced."""
    with BagReader(config.bag) as bag:
        total = bag.topics[config.image_topic].count - len(used_ns)
        label_topic = config.label_topic or (LABEL_TOPIC if LABEL_TOPIC in bag.topics else '')
    step = max(math.ceil(total / MOST_COMPARED), 1)
    messages = _pairs(config, label_topic) if label_topic else _images(config)
    with closing(messages):
        rest = (item for item in messages if item[0] not in used_ns)
        for stamp_ns, image, truth in islice(rest, 0, None, step):
            rgb = _decode(config, stamp_ns, image)
            try:
                labels = None if truth is None else truth_labels(truth, label_set, config.truth)
            except BadImageError as error:
                raise _source(config).located(stamp_ns, error) from error
            yield stamp_ns, rgb, labels


def _images(config: QuantizationConfig) -> Messages:
    with BagReader(config.bag) as bag:
        for item in bag.messages([config.image_topic]):
            yield header_stamp_ns(item.message), item.message, None


def _pairs(config: QuantizationConfig, label_topic: str) -> Messages:
    source = _source(config, label_topic)
    has_pair = False
    with closing(source.pairs()) as pairs:
        for pair in pairs:
            has_pair = True
            yield pair.stamp_ns, pair.image, pair.truth
    if not has_pair:
        raise source.no_pair()


def _decode(config: QuantizationConfig, stamp_ns: int, message: Any) -> NDArray[np.uint8]:
    try:
        return decode_image(message)
    except BadImageError as error:
        raise _source(config).located(stamp_ns, error) from error


def _source(config: QuantizationConfig, label_topic: str = '') -> BagPairs:
    return BagPairs(config.bag, config.image_topic, label_topic, config.slop_ns)
