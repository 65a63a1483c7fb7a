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
from typing import Any

from spssn_ros.errors import BadImageError
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.report import Gallery
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.imaging import to_labels
from spssn_ros.labels import LabelSet
from spssn_ros.runtime import Percentiles


class LiveEvaluation:
    """Pairs label and truth messages by header stamp and scores each pair once.

    Latency is the time from the truth's arrival to the label's: a bag player sends a frame's
    image and truth together, whatever clock their stamps come from.

    Args:
        label_set: the classes.
        with_gallery: keep frames worth showing.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        label_set: LabelSet,
        with_gallery: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label_set = label_set
        self.matrix = ConfusionMatrix(len(label_set))
        self.gallery = Gallery(label_set) if with_gallery else None
        self.frames = 0
        self._clock = clock
        self._truth: dict[int, Any] = {}
        self._truth_at: dict[int, float] = {}
        self._labels: dict[int, tuple[float, Any]] = {}
        self._latencies_ms: list[float] = []
        self._first_s = self._last_s = float('nan')
        self._answers = 0

    def add_truth(self, stamp_ns: int, message: Any) -> None:
        """Take a truth image.

        Raises:
            BadImageError: it completes a pair that cannot be scored.

        """
        self._truth[stamp_ns] = message
        self._truth_at[stamp_ns] = self._clock()
        if stamp_ns in self._labels:
            self._score(stamp_ns)

    def add_label(self, stamp_ns: int, message: Any) -> None:
        """Take a label image.

        Raises:
            BadImageError: it completes a pair that cannot be scored.

        """
        now = self._clock()
        if not self._answers:
            self._first_s = now
        self._last_s = now
        self._answers += 1
        self._labels[stamp_ns] = (now, message)
        if stamp_ns in self._truth:
            self._score(stamp_ns)

    def result(self) -> EvaluationResult:
        """Return the scores so far; what waits for its other half counts as unmatched."""
        latency = Percentiles.of(self._latencies_ms)
        span = self._last_s - self._first_s
        result = EvaluationResult(
            self.label_set,
            self.matrix,
            frames=self.frames,
            unmatched_images=len(self._labels),
            unmatched_labels=len(self._truth),
            device='live',
            fps=(self._answers - 1) / span if span > 0 else 0.0,
        )
        result.extra['drops'] = len(self._truth)
        if self._latencies_ms:
            result.extra['latency_ms'] = {
                name: round(getattr(latency, name), 2) for name in ('p50', 'p95', 'p99')
            }
        return result

    def _score(self, stamp_ns: int) -> None:
        arrived_s, label = self._labels.pop(stamp_ns)
        truth, prediction = to_labels(self._truth.pop(stamp_ns)), to_labels(label)
        # Truth that came after its label (another route through DDS) had no latency to measure.
        latency_ms = max(0.0, arrived_s - self._truth_at.pop(stamp_ns)) * 1e3
        try:
            self.matrix.update(truth, prediction)
        except BadImageError as error:
            raise BadImageError(f'frame with stamp {stamp_ns} ns: {error}') from error
        self._latencies_ms.append(latency_ms)
        self.frames += 1
        if self.gallery is not None:
            self.gallery.offer(stamp_ns, None, truth, prediction)
