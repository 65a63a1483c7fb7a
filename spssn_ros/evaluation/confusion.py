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
"""Scores from one integer confusion matrix over all labelled pixels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import BadImageError, ConfigError
from spssn_ros.labels import UNKNOWN


class ConfusionMatrix:
    """Pixel counts of truth (rows) against prediction (columns).

    Definitions: IoU_c = TP / (TP + FP + FN); mIoU, its mean over the classes that occur; class
    average, the mean of TP / (TP + FN); global average, correct / all (SPSSN paper, sec. 5.3).
    A class that occurs in neither truth nor prediction has no IoU (NaN) and is left out of the
    mean, and so is one whose truth is ignored. Predictions of `UNKNOWN` (255), as the node gives
    them under its confidence threshold, count as misses of the true class: they enter FN, and no
    class's FP.

    Args:
        num_classes: class ids are 0..num_classes-1.
        ignore_index: truth pixels of this id are not scored.

    Raises:
        ConfigError: `num_classes` outside 1..255, or one of them is no integer.

    """

    def __init__(self, num_classes: int, ignore_index: int = UNKNOWN) -> None:
        if not isinstance(num_classes, (int, np.integer)) or not 1 <= num_classes <= UNKNOWN:
            raise ConfigError(f'num_classes is {num_classes!r}; give 1 to 255')
        if not isinstance(ignore_index, (int, np.integer)):
            raise ConfigError(
                f'ignore_index is {ignore_index!r}; give the id of unlabelled pixels, or -1 where '
                'there are none'
            )
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        # The last column counts pixels predicted as UNKNOWN.
        self._counts = np.zeros((num_classes, num_classes + 1), np.int64)

    def update(self, truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> None:
        """Add one image, or a stack of them.

        Args:
            truth: integer class ids, any shape; `ignore_index` where unlabelled.
            prediction: integer class ids of the same shape; 255 where the network gave none.

        Raises:
            BadImageError: the shapes differ, ids are no integers, or an id is none of the
                classes; nothing is added.

        """
        truth, prediction = as_ids(truth, 'truth'), as_ids(prediction, 'the prediction')
        if truth.shape != prediction.shape:
            raise BadImageError(
                f'truth is {shape_text(truth)} but the prediction is {shape_text(prediction)}; '
                'both must have one size'
            )
        if truth.dtype == prediction.dtype == np.uint8:
            self._update_bytes(truth, prediction)
            return
        scored = truth != self.ignore_index
        true_ids = truth[scored].astype(np.int64)
        predicted_ids = prediction[scored].astype(np.int64)
        n = self.num_classes
        check_ids(true_ids, (true_ids < 0) | (true_ids >= n), 'truth', n)
        unknown = predicted_ids == UNKNOWN
        strange = ((predicted_ids < 0) | (predicted_ids >= n)) & ~unknown
        check_ids(predicted_ids, strange, 'the prediction', n)
        predicted_ids[unknown] = n
        counts = np.bincount(true_ids * (n + 1) + predicted_ids, minlength=n * (n + 1))
        self._counts += counts.reshape(n, n + 1)

    def _update_bytes(self, truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> None:
        """Do the same ten times as fast: count all pairs of two bytes, then look at the counts."""
        codes = truth.astype(np.uint16)
        codes <<= 8
        codes |= prediction.astype(np.uint16)
        pairs = np.bincount(codes.reshape(-1), minlength=1 << 16).reshape(256, 256)
        if 0 <= self.ignore_index < 256:
            pairs[self.ignore_index] = 0
        n = self.num_classes
        ids = np.arange(256)
        check_ids(ids, (ids >= n) & pairs.any(axis=1), 'truth', n)
        strange = (ids >= n) & (ids != UNKNOWN) & pairs.any(axis=0)
        check_ids(ids, strange, 'the prediction', n)
        self._counts[:, :n] += pairs[:n, :n]
        self._counts[:, n] += pairs[:n, UNKNOWN]

    def merge(self, other: 'ConfusionMatrix') -> None:
        """Add another matrix's counts to this one.

        Counts are integers: the matrices of many bags or processes add up, in any order, to
        exactly the one that a single pass over all their images gives.

        Raises:
            ConfigError: the numbers of classes differ.

        """
        if other.num_classes != self.num_classes:
            raise ConfigError(
                f'cannot merge a matrix of {other.num_classes} classes into one of '
                f'{self.num_classes}'
            )
        self._counts += other._counts

    @property
    def counts(self) -> NDArray[np.int64]:
        """The (num_classes, num_classes) int64 matrix, rows are truth."""
        return self._counts[:, : self.num_classes].copy()

    @property
    def unknown(self) -> NDArray[np.int64]:
        """The (num_classes,) int64 counts of true pixels for which no class was predicted."""
        return self._counts[:, self.num_classes].copy()

    @property
    def total(self) -> int:
        """Number of scored pixels."""
        return int(self._counts.sum())

    def iou(self) -> NDArray[np.float64]:
        """Return (num_classes,) float64 in [0, 1]; NaN where a class does not occur."""
        hits = np.diag(self._counts)
        union = self._counts.sum(1) + self.counts.sum(0) - hits
        scores = _ratio(hits, union)
        if 0 <= self.ignore_index < self.num_classes:
            # Predicted, it is wrong, but having no truth it could be nothing else.
            scores[self.ignore_index] = np.nan
        return scores

    def accuracy(self) -> NDArray[np.float64]:
        """Return each class's TP / (TP + FN), (num_classes,); NaN where it is not in truth."""
        return _ratio(np.diag(self._counts), self._counts.sum(1))

    def miou(self) -> float:
        """Return the mean IoU of the classes that occur; NaN if nothing was scored."""
        return mean_of_known(self.iou())

    def class_average(self) -> float:
        """Return the mean accuracy of the classes in truth; NaN if nothing was scored."""
        return mean_of_known(self.accuracy())

    def global_average(self) -> float:
        """Return the share of scored pixels that are right; NaN if nothing was scored."""
        return float(_ratio(np.trace(self._counts), self._counts.sum()))

    def absent(self, names: Sequence[str]) -> list[str]:
        """Return the names of the classes without an IoU, which the mean leaves out."""
        return [name for name, value in zip(names, self.iou(), strict=True) if np.isnan(value)]


def check_ids(
    ids: NDArray[np.int64], strange: NDArray[np.bool_], where: str, num_classes: int
) -> None:
    """Raise BadImageError, which names them, where some ids are `strange`."""
    if strange.any():
        found = np.unique(ids[strange])
        listed = ', '.join(str(i) for i in found[:8]) + (', ...' if len(found) > 8 else '')
        raise BadImageError(
            f'{where} holds ids that are no class: {listed}; the classes are 0..{num_classes - 1}'
        )


def as_ids(image: NDArray[np.integer], where: str) -> NDArray[np.integer]:
    """Return whatever NumPy makes an array of as one; BadImageError unless of integers."""
    ids = np.asarray(image)
    # Masks of two classes may be booleans; probabilities would all become class 0.
    if ids.dtype.kind not in 'iub':
        raise BadImageError(f'{where} holds {ids.dtype}; give class ids, integers')
    return ids


def shape_text(image: NDArray[np.integer]) -> str:
    """Return the shape of a label image, (H, W), as WxH."""
    return 'x'.join(str(side) for side in reversed(image.shape))


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are defined; NaN if none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float('nan')
