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
"""The frames worth showing, chosen while they go by, in bounded memory."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spssn_ros.evaluation.report.timeline import Source, Tally, Timeline
from spssn_ros.imaging import Painter
from spssn_ros.labels import UNKNOWN, LabelSet

Picture = NDArray[np.uint8]

WRONG, RIGHT, UNSCORED = (220, 30, 30), (255, 255, 255), (200, 200, 200)
"""Colours of the error picture."""

_WORST_PARTS, _MEDIAN_PARTS = 32, 4
"""Into how many parts, at least, a recording is split for the choice of frames."""

_HISTOGRAM_BINS = 1000
"""Of frame scores from 0 to 1, for their median without keeping them."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame kept for the report.

    Attributes:
        stamp_ns: header stamp.
        source: bag and topic.
        score: mean IoU of the classes in its truth.
        wrong: share of its scored pixels that are wrong.
        iou: IoU by class id; NaN where a class is not in the frame's truth.
        rgb: the image, (H, W, 3) uint8, or None.
        truth: (H, W) uint8 class ids, 255 unlabelled.
        prediction: (H, W) uint8 class ids, 255 where none.

    """

    stamp_ns: int
    source: Source
    score: float
    wrong: float
    iou: tuple[float, ...]
    rgb: Picture | None
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]

    def panes(self, painter: Painter) -> dict[str, Picture]:
        """Return (H, W, 3) uint8 RGB pictures: image (if there is one), truth, ..., error."""
        error = np.full((*self.truth.shape, 3), RIGHT, np.uint8)
        error[self.truth != self.prediction] = WRONG
        error[self.truth == UNKNOWN] = UNSCORED
        image = {} if self.rgb is None else {'image': self.rgb}
        return image | {
            'truth': painter.color(self.truth),
            'prediction': painter.color(self.prediction),
            'error': error,
        }


class Gallery:
    """Keeps the worst and the median frames, and every frame's score over time.

    A frame's score is the mean IoU of the classes in its truth. Frames in a row look the same,
    so of each part of a recording at most one frame is shown. The worst frame of all is always
    there; others can be missing where parts grew together in a long run. The median is known
    only at the end: candidates are the frames of each part that were nearest to it when they
    went by. Memory: about 5 bytes a pixel of each frame kept, with `shown` 4 at most 17.

    Args:
        label_set: the classes.
        shown: how many of the worst to show, and how many of the median.

    """

    def __init__(self, label_set: LabelSet, shown: int = 4) -> None:
        self.label_set = label_set
        self.timeline = Timeline()
        self._size = shown
        self._worst: list[Shown] = []
        # Twice as many as are shown: parts grow together while frames still come.
        self._middle: list[Shown] = []
        self._histogram = np.zeros(_HISTOGRAM_BINS + 1, np.int64)

    @property
    def worst(self) -> list[Shown]:
        """The frames with the lowest scores, the worst first."""
        return self._lowest(self._worst, self._size, _score, _WORST_PARTS)

    @property
    def median(self) -> list[Shown]:
        """The kept frames whose scores are nearest the median score, the nearest first."""
        return self._lowest(self._middle, self._size, self._off_median, _MEDIAN_PARTS)

    def median_score(self) -> float:
        """Return the median of all frames' scores to 0.001; NaN without a frame."""
        count = int(self._histogram.sum())
        if not count:
            return float('nan')
        below = np.cumsum(self._histogram)
        return int(np.searchsorted(below, (count + 1) // 2)) / _HISTOGRAM_BINS

    def offer(
        self,
        stamp_ns: int,
        rgb: NDArray[np.uint8] | None,
        truth: NDArray[np.uint8],
        prediction: NDArray[np.uint8],
        source: Source | None = None,
    ) -> None:
        """Look at a frame: image (H, W, 3) or None, truth and prediction (H, W), all uint8.

        Frames without a scored pixel are passed over. The arrays may be reused afterwards.
        """
        tally = Tally.of(truth, prediction, len(self.label_set))
        score = tally.score()
        if math.isnan(score):
            return
        source = source or Source()
        self.timeline.add(source, stamp_ns, tally)
        self._histogram[round(score * _HISTOGRAM_BINS)] += 1
        iou = tuple(float(value) for value in tally.iou())
        self._keep(Shown(stamp_ns, source, score, tally.wrong(), iou, rgb, truth, prediction))

    def merge(self, other: 'Gallery') -> None:
        """Take in what another gallery saw; `other` is left as it is."""
        self.timeline.merge(other.timeline)
        self._histogram += other._histogram
        self._worst = self._candidates_worst(self._worst + other._worst)
        self._middle = self._candidates_median(self._middle + other._middle)

    def _keep(self, frame: Shown) -> None:
        worst = self._candidates_worst([*self._worst, frame])
        middle = self._candidates_median([*self._middle, frame])
        if frame in worst or frame in middle:
            own = _copied(frame)
            worst, middle = (
                [own if kept is frame else kept for kept in frames] for frames in (worst, middle)
            )
        self._worst, self._middle = worst, middle

    def _candidates_worst(self, frames: Iterable[Shown]) -> list[Shown]:
        return self._lowest(frames, 2 * self._size, _score, _WORST_PARTS)

    def _candidates_median(self, frames: Iterable[Shown]) -> list[Shown]:
        # All parts of one recording, also those which are off the median only for now.
        size = 2 * max(self._size, _MEDIAN_PARTS) + 1
        return self._lowest(frames, size, self._off_median, _MEDIAN_PARTS)

    def _off_median(self, frame: Shown) -> float:
        return abs(frame.score - self.median_score())

    def _lowest(
        self, frames: Iterable[Shown], size: int, key: Callable[[Shown], float], parts: int
    ) -> list[Shown]:
        """Return at most `size` frames with the lowest keys, one of a part."""
        curves = self.timeline.curves
        best: dict[tuple[Source, int], Shown] = {}
        for frame in sorted(frames, key=lambda frame: (key(frame), frame.source, frame.stamp_ns)):
            part = frame.stamp_ns // curves[frame.source].part_ns(parts)
            best.setdefault((frame.source, part), frame)
        return list(best.values())[:size]


def _score(frame: Shown) -> float:
    return frame.score


def _copied(frame: Shown) -> Shown:
    return replace(
        frame,
        rgb=None if frame.rgb is None else frame.rgb.copy(),
        truth=frame.truth.copy(),
        prediction=frame.prediction.copy(),
    )
