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
"""Scores over time, in bounded memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spssn_ros.labels import UNKNOWN

MAX_WINDOWS = 240
"""Most points of a curve: about what a page's width shows."""


@dataclass(frozen=True, order=True)
class Source:
    """Where a frame comes from.

    Attributes:
        bag: its path; '' for live frames.
        topic: of the images or recorded predictions.

    """

    bag: str = ''
    topic: str = ''


@dataclass
class Tally:
    """What frame scores are computed from; tallies add up.

    Attributes:
        frames: how many were counted.
        hits: (num_classes,) int64 pixels of each class that were found.
        truth: (num_classes,) int64 true pixels of each class.
        predicted: (num_classes,) int64 scored pixels predicted as each class.

    """

    frames: int
    hits: NDArray[np.int64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @classmethod
    def of(
        cls, truth: NDArray[np.uint8], prediction: NDArray[np.uint8], num_classes: int
    ) -> 'Tally':
        """Count one frame: truth and prediction (H, W) uint8 class ids, 255 unknown."""
        scored = truth != UNKNOWN
        true_ids, predicted_ids = truth[scored], prediction[scored]

        def count(ids: NDArray[np.uint8]) -> NDArray[np.int64]:
            return np.bincount(ids, minlength=UNKNOWN + 1)[:num_classes].astype(np.int64)

        hits = true_ids[true_ids == predicted_ids]
        return cls(1, count(hits), count(true_ids), count(predicted_ids))

    def __add__(self, other: 'Tally') -> 'Tally':
        return Tally(
            self.frames + other.frames,
            self.hits + other.hits,
            self.truth + other.truth,
            self.predicted + other.predicted,
        )

    def iou(self) -> NDArray[np.float64]:
        """Return (num_classes,) float64; NaN for a class that is not in truth."""
        union = self.truth + self.predicted - self.hits
        out = np.full(len(self.hits), np.nan)
        return np.divide(self.hits, union, out=out, where=self.truth > 0)

    def score(self) -> float:
        """Return the mean IoU of the classes in truth; NaN without a scored pixel.

        A class that is only predicted does not count as one with IoU 0 here: in a single frame,
        where most classes are missing, a few stray pixels of it would outweigh everything else.
        They still lower the IoU of the class that is truly there.
        """
        iou = self.iou()
        present = ~np.isnan(iou)
        return float(iou[present].mean()) if present.any() else float('nan')

    def wrong(self) -> float:
        """Return the share of scored pixels that are wrong; 0 without any."""
        total = int(self.truth.sum())
        return 1 - int(self.hits.sum()) / total if total else 0.0


@dataclass
class Curve:
    """The frames of one source, in windows of their stamps.

    A window's width is a power of two nanoseconds and its place a multiple of it, so that the
    curve is the same in whatever order frames came or parts were merged.

    Attributes:
        window_ns: width of the windows.
        windows: tally by stamp // window_ns.
        first_ns: the first stamp.
        last_ns: the last stamp.

    """

    first_ns: int
    last_ns: int
    window_ns: int = 1
    windows: dict[int, Tally] = field(default_factory=dict)

    def add(self, stamp_ns: int, tally: Tally) -> None:
        """Count a frame; the windows widen once there are too many."""
        self._span(stamp_ns, stamp_ns)
        self._put(stamp_ns // self.window_ns, tally)
        while len(self.windows) > MAX_WINDOWS:
            self._widen()

    def merge(self, other: 'Curve') -> None:
        """Add another curve's frames; `other` is left as it is."""
        self._span(other.first_ns, other.last_ns)
        while self.window_ns < other.window_ns:
            self._widen()
        for place, tally in other.windows.items():
            self._put(place * other.window_ns // self.window_ns, tally)
        while len(self.windows) > MAX_WINDOWS:
            self._widen()

    def points(self) -> list[tuple[float, float]]:
        """Return (seconds since the first stamp, score) of every window, in order of time.

        The time is the window's middle, but for windows as narrow as a stamp.
        """
        half_ns = self.window_ns // 2
        return [
            (max(0, place * self.window_ns + half_ns - self.first_ns) / 1e9, tally.score())
            for place, tally in sorted(self.windows.items())
        ]

    def part_ns(self, least: int) -> int:
        """Return the widest power of two of which `least` fit into the curve's time.

        There are at most 2 * `least` + 1 such parts, and fewer frames than `least`, evenly
        spread, are each in one of their own.
        """
        share = (self.last_ns - self.first_ns) // least
        return 1 << max(0, share.bit_length() - 1)

    def _span(self, first_ns: int, last_ns: int) -> None:
        self.first_ns = min(self.first_ns, first_ns)
        self.last_ns = max(self.last_ns, last_ns)

    def _put(self, place: int, tally: Tally) -> None:
        known = self.windows.get(place)
        self.windows[place] = tally if known is None else known + tally

    def _widen(self) -> None:
        before, self.windows = self.windows, {}
        self.window_ns *= 2
        for place, tally in before.items():
            self._put(place // 2, tally)


class Timeline:
    """A curve for every source."""

    def __init__(self) -> None:
        self._curves: dict[Source, Curve] = {}

    @property
    def curves(self) -> Mapping[Source, Curve]:
        """The curves, by source in their order of names."""
        return dict(sorted(self._curves.items()))

    def add(self, source: Source, stamp_ns: int, tally: Tally) -> None:
        """Count a frame."""
        if source not in self._curves:
            self._curves[source] = Curve(stamp_ns, stamp_ns)
        self._curves[source].add(stamp_ns, tally)

    def merge(self, other: 'Timeline') -> None:
        """Add another timeline's frames; `other` is left as it is."""
        for source, curve in other.curves.items():
            own = self._curves.setdefault(source, Curve(curve.first_ns, curve.last_ns))
            own.merge(curve)
