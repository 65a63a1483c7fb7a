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
"""Pictures of labels: palette colours, masks, and the camera picture blended with them."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import ConfigError
from spssn_ros.labels import UNKNOWN, LabelSet


class Painter:
    """Looks colours up for one label set.

    Args:
        label_set: classes and palette.
        overlay_classes: names of the classes that the overlay colours; all if empty.
        alpha: weight of the colour in the overlay, 0..1.

    Raises:
        ConfigError: an unknown class name, or alpha outside 0..1.

    """

    def __init__(
        self, label_set: LabelSet, overlay_classes: Iterable[str] = (), alpha: float = 0.5
    ) -> None:
        if not 0 <= alpha <= 1:
            raise ConfigError(f'overlay_alpha is {alpha}; give a value from 0 to 1')
        self.alpha = alpha
        self._colors = label_set.color_table()
        shown = [label_set.index(name) for name in overlay_classes] or range(len(label_set))
        self._hidden = np.full(256, 255, np.uint8)
        self._hidden[list(shown)] = 0

    def color(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 RGB for (H, W) uint8 ids; ids without a class are black."""
        gray = cv2.cvtColor(labels, cv2.COLOR_GRAY2RGB)
        return np.asarray(cv2.LUT(gray, self._colors[None]), np.uint8)

    def overlay(self, rgb: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture, (H, W, 3) uint8 RGB, blended with the labels' colours.

        Pixels of unknown or hidden classes stay as they are.
        """
        blended = cv2.addWeighted(self.color(labels), self.alpha, rgb, 1 - self.alpha, 0)
        hidden = cv2.LUT(labels, self._hidden)
        cv2.copyTo(rgb, hidden, blended)
        return np.asarray(blended, np.uint8)


def class_mask(labels: NDArray[np.uint8], class_id: int) -> NDArray[np.uint8]:
    """Return (H, W) uint8, 255 where `labels` is `class_id`, else 0."""
    return np.asarray(cv2.inRange(labels, class_id, class_id), np.uint8)


def drop_uncertain(
    labels: NDArray[np.uint8], confidence: NDArray[np.uint8], threshold: float
) -> NDArray[np.uint8]:
    """Return `labels` with `UNKNOWN` where the probability is under `threshold` (0..1)."""
    return np.where(confidence < threshold * 255, np.uint8(UNKNOWN), labels)


def resize_labels(labels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (H, W) uint8 labels (or confidence) at `size`, (width, height), nearest neighbour."""
    if (labels.shape[1], labels.shape[0]) == size:
        return labels
    return np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
