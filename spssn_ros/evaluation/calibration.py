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
"""Calibration: whether a confidence of 80 % is right in 80 % of the pixels that have it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spssn_ros.labels import UNKNOWN

BINS = 15
"""As in Guo et al., "On calibration of modern neural networks" (2017), sec. 2."""

_LEVELS = 256


@dataclass(frozen=True)
class Bin:
    """The pixels whose confidence lies in one interval.

    Attributes:
        lowest, highest: the interval, in [0, 1]; the lowest belongs to it.
        confidence: their mean confidence, NaN without pixels.
        accuracy: the part of them whose label is right, NaN without pixels.
        share: the part of all scored pixels that they are.

    """

    lowest: float
    highest: float
    confidence: float
    accuracy: float
    share: float


class Calibration:
    """Counts confidences and how often they were right, over labelled pixels.

    Confidence images have 256 levels, so that a count for each of them loses nothing.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(_LEVELS, np.int64)
        self.right = np.zeros(_LEVELS, np.int64)

    def update(
        self,
        truth: NDArray[np.uint8],
        prediction: NDArray[np.uint8],
        confidence: NDArray[np.uint8],
    ) -> None:
        """Add a frame.

        Args:
            truth: (H, W) uint8 class ids, 255 void, which is left out.
            prediction: (H, W) uint8 class ids.
            confidence: (H, W) uint8, the winning class's probability x 255.

        """
        known = truth != UNKNOWN
        levels = confidence[known]
        self.counts += np.bincount(levels, minlength=_LEVELS)
        right = truth[known] == prediction[known]
        self.right += np.bincount(levels[right], minlength=_LEVELS)

    def merge(self, other: 'Calibration') -> None:
        """Add another's counts."""
        self.counts += other.counts
        self.right += other.right

    def bins(self) -> list[Bin]:
        """Return the pixels by confidence, in intervals of equal width."""
        levels = np.arange(_LEVELS)
        # In whole numbers, so that no rounding moves a level on an interval's border.
        bin_of = np.minimum(levels * BINS // (_LEVELS - 1), BINS - 1)
        total = self.counts.sum()
        found = []
        for number in range(BINS):
            inside = bin_of == number
            pixels = self.counts[inside].sum()
            mean = (levels[inside] * self.counts[inside]).sum() / (_LEVELS - 1)
            found.append(
                Bin(
                    number / BINS,
                    (number + 1) / BINS,
                    float(mean / pixels) if pixels else np.nan,
                    float(self.right[inside].sum() / pixels) if pixels else np.nan,
                    float(pixels / total) if total else 0.0,
                )
            )
        return found

    def expected_error(self) -> float:
        """Return the expected calibration error (ECE), a fraction; NaN without pixels.

        The mean distance of confidence and accuracy over the bins, weighted by their pixels (Guo
        et al. 2017, eq. 3).
        """
        if not self.counts.sum():
            return float('nan')
        return sum(b.share * abs(b.confidence - b.accuracy) for b in self.bins() if b.share)
