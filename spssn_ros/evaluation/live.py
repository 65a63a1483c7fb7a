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
"""Live evaluation: labels and truth as they arrive, paired by exact stamp. Knows no ROS."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import BadImageError
from spssn_ros.evaluation.categories import categories_for
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.report import Gallery, Source
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.evaluation.rounds import Place, Rounds
from spssn_ros.evaluation.truth import TruthFormat, truth_labels
from spssn_ros.imaging import to_labels, to_rgb
from spssn_ros.labels import LabelSet
from spssn_ros.runtime import EvenSample, Percentiles

_MAX_WAITING = 300
"""Labels and truth kept for their other half; a camera at 30 Hz takes 10 s to fill it."""

_MOST_WAITING_BYTES = 512 << 20
"""Of each, however large they are: truth in colour at 4K would take 7 GB where no label comes."""

_MAX_IMAGES = 10
"""Camera images kept for their label; they are large, and the label follows soon."""

_LATENCIES = 10_000
"""Of which percentiles are told; of more pairs, as come in days, so many are evenly taken."""


class _Half(NamedTuple):
    """What waits for its other half: when it came, by the clock and by the truth, and itself."""

    arrived_s: float
    place: Place
    message: Any


_Waiting = dict[int, _Half]


class LiveEvaluation:
    """Pairs label and truth messages by header stamp and scores each pair once.

    Messages without a stamp are not paired: they all would be with the latest of the other kind.

    Latency is the time from the truth's arrival to the label's: a bag player sends a frame's
    image and truth together, whatever clock their stamps come from. Where a bag is played in a
    loop and one of them is missing, the other is paired with that of the next round, which is as
    good for the scores, but tells no latency.

    Args:
        label_set: the classes.
        with_gallery: keep frames worth showing.
        source: what they are shown as; by default nothing.
        truth: how truth images say the class of a pixel.
        clock: monotonic seconds.

    Attributes:
        frames: number of scored pairs.
        pairs_refused: pairs that could not be scored.
        labels_received: labels, with or without truth.
        truths_received: truth images, with or without a label.

    """

    def __init__(
        self,
        label_set: LabelSet,
        with_gallery: bool = False,
        source: Source | None = None,
        truth: TruthFormat = TruthFormat.AUTO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        truth.check(label_set)
        self.label_set = label_set
        self.truth_format = truth
        self.matrix = ConfusionMatrix(len(label_set))
        self.gallery = Gallery(label_set) if with_gallery else None
        self.frames = self.pairs_refused = self.labels_received = self.truths_received = 0
        self._source = source
        self._clock = clock
        self._rounds = Rounds()
        # What waits for its other half, by stamp.
        self._images: _Waiting = {}
        self._truth: _Waiting = {}
        self._labels: _Waiting = {}
        self._forgotten_truth = self._forgotten_labels = 0
        self._latencies_ms: EvenSample[float] = EvenSample(_LATENCIES)
        self._first_s = self._last_s = float('nan')

    def add_image(self, stamp_ns: int, message: Any) -> None:
        """Take a camera image, for the gallery; it belongs to the label of its stamp."""
        _keep(self._images, stamp_ns, self._half(message), _MAX_IMAGES)

    def add_truth(self, stamp_ns: int, message: Any) -> None:
        """Take a truth image.

        Raises:
            BadImageError: it has no stamp, or completes a pair that cannot be scored.

        """
        self.truths_received += 1
        if not stamp_ns:
            self._forgotten_truth += 1
            raise _unstamped('truth image')
        self._rounds.follow(stamp_ns)
        self._forgotten_truth += _keep(self._truth, stamp_ns, self._half(message), _MAX_WAITING)
        label = self._labels.get(stamp_ns)
        if label is not None:
            self._score(stamp_ns, self._rounds.is_old_label(label.place, stamp_ns))

    def add_label(self, stamp_ns: int, message: Any) -> None:
        """Take a label image.

        Raises:
            BadImageError: it has no stamp, or completes a pair that cannot be scored.

        """
        half = self._half(message)
        if not self.labels_received:
            self._first_s = half.arrived_s
        self._last_s = half.arrived_s
        self.labels_received += 1
        if not stamp_ns:
            self._forgotten_labels += 1
            raise _unstamped('label')
        self._forgotten_labels += _keep(self._labels, stamp_ns, half, _MAX_WAITING)
        truth = self._truth.get(stamp_ns)
        if truth is not None:
            self._score(stamp_ns, self._rounds.is_old_truth(truth.place, stamp_ns))

    def result(self) -> EvaluationResult:
        """Return the scores so far; what waits for its other half counts as unmatched."""
        latency = Percentiles.of(self._latencies_ms.items())
        span = self._last_s - self._first_s
        drops = len(self._truth) + self._forgotten_truth
        result = EvaluationResult(
            self.label_set,
            self.matrix,
            frames=self.frames,
            unmatched_images=len(self._labels) + self._forgotten_labels,
            unmatched_labels=drops,
            device='live',
            categories=categories_for('', self.label_set),
            fps=(self.labels_received - 1) / span if span > 0 else 0.0,
        )
        result.extra['drops'] = drops
        if self.pairs_refused:
            result.extra['refused'] = self.pairs_refused
        if self._latencies_ms:
            result.extra['latency_ms'] = {
                name: round(getattr(latency, name), 2) for name in ('p50', 'p95', 'p99')
            }
        return result

    def _half(self, message: Any) -> _Half:
        return _Half(self._clock(), self._rounds.place, message)

    def _score(self, stamp_ns: int, is_of_two_rounds: bool) -> None:
        arrived_s, _, label = self._labels.pop(stamp_ns)
        sent_s, _, truth_message = self._truth.pop(stamp_ns)
        try:
            truth = truth_labels(truth_message, self.label_set, self.truth_format)
            prediction = to_labels(label)
            self.matrix.update(truth, prediction)
        except BadImageError as error:
            self.pairs_refused += 1
            raise BadImageError(f'frame with stamp {stamp_ns} ns: {error}') from error
        # Truth that came after its label (another route through DDS) had no latency to measure.
        if not is_of_two_rounds and self._latencies_ms.wants_next():
            self._latencies_ms.add(max(0.0, arrived_s - sent_s) * 1e3)
        self.frames += 1
        if self.gallery is not None:
            rgb = self._picture(stamp_ns, truth.shape)
            self.gallery.offer(stamp_ns, rgb, truth, prediction, self._source)

    def _picture(self, stamp_ns: int, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        """Return the camera image of a scored frame, if it came and is of the labels' size."""
        half = self._images.pop(stamp_ns, None)
        if half is None or (half.message.height, half.message.width) != shape:
            return None
        try:
            return to_rgb(half.message)
        except BadImageError:
            # The scores do not need the picture.
            return None


def _unstamped(what: str) -> BadImageError:
    return BadImageError(
        f'a {what} has no stamp (header.stamp is zero), by which it would be paired; have the '
        'camera driver, or what publishes truth, stamp its images'
    )


def _keep(waiting: _Waiting, stamp_ns: int, item: _Half, most: int) -> int:
    """Have an item wait; return how many others will not be waited for any longer.

    That is the one of the same stamp, as from the round before of a bag that is played in a loop,
    or the oldest of too many, so that memory stays bounded.
    """
    given_up = 0 if waiting.pop(stamp_ns, None) is None else 1
    waiting[stamp_ns] = item
    while len(waiting) > most or (len(waiting) > 1 and _bytes(waiting) > _MOST_WAITING_BYTES):
        del waiting[next(iter(waiting))]
        given_up += 1
    return given_up


def _bytes(waiting: _Waiting) -> int:
    return sum(len(half.message.data) for half in waiting.values())
