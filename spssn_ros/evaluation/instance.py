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
"""Instance-weighted IoU (iIoU): small objects count as much as large ones."""

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import BadImageError, ConfigError
from spssn_ros.evaluation.categories import Categories
from spssn_ros.evaluation.confusion import ConfusionMatrix, as_ids, check_ids, shape_text
from spssn_ros.labels import CITYSCAPES, CITYSCAPES_IDS, UNKNOWN, LabelSet

CITYSCAPES_INSTANCE_SIZES = {
    'person': 3462.4756337644,
    'rider': 3930.4788056518,
    'car': 12794.0202738185,
    'truck': 27855.1264367816,
    'bus': 35732.1511111111,
    'train': 67583.7075812274,
    'motorcycle': 6298.7200839748,
    'bicycle': 4672.3249222261,
}
"""Mean pixels of an instance in the benchmark's data, as its evaluation script has them."""

_INSTANCES_PER_LABEL = 1000
"""Cityscapes numbers the instances of a label from labelId * 1000 on; lower ids are groups."""

_INSTANCE_IDS = 1 << 16
_ONE = 1 << 53
"""Shares of instances are summed as integers of this unit, so that no order of adding matters."""


class InstanceScores:
    """Counts for iIoU_c = iTP / (iTP + FP + iFN) (Cordts et al. 2016, sec. 4.1).

    A true pixel of an instance weighs (mean instance size of its class) / (size of its instance);
    false positives are not weighted and come from the confusion matrix. Pixels of no instance
    (groups) are no hits and no misses.

    For Cityscapes' classes instance images are its instanceIds: labelId * 1000 + number, and the
    mean sizes are the benchmark's own. For other classes an instance is the pixels of one truth
    class with one id that is not 0, and the mean sizes are those of the instances scored. Sums
    are exact: shards merged in any order give bit for bit what one process gives.

    Args:
        label_set: the classes.
        categories: gives categories an iIoU too.

    """

    def __init__(self, label_set: LabelSet, categories: Categories | None = None) -> None:
        self.label_set = label_set
        self.categories = categories
        self._category_of = None if categories is None else categories.table()
        self._is_cityscapes = label_set.names == CITYSCAPES.names
        count = len(label_set)
        self._instances = np.zeros(count, np.int64)
        self._pixels = np.zeros(count, np.int64)
        # Of each instance the share of pixels that are right (or right by category), summed.
        self._hits = [0] * count
        self._category_hits = [0] * count

    def update(
        self,
        truth: NDArray[np.integer],
        prediction: NDArray[np.integer],
        instances: NDArray[np.integer],
    ) -> None:
        """Add one image.

        Args:
            truth: (H, W) class ids, 255 where unlabelled.
            prediction: (H, W) class ids, 255 where the network gave none.
            instances: (H, W) uint8 or uint16 instance ids.

        Raises:
            BadImageError: the sizes differ, ids are no integers, or in an instance an id is none
                of the classes; nothing is added.

        """
        truth, prediction = as_ids(truth, 'truth'), as_ids(prediction, 'the prediction')
        instances = as_ids(instances, 'the instance image')
        if not truth.shape == prediction.shape == instances.shape:
            raise BadImageError(
                f'the instance image is {shape_text(instances)}, but truth is {shape_text(truth)} '
                f'and the prediction {shape_text(prediction)}; all must have one size'
            )
        instances = instances.astype(np.uint16, copy=False)
        classes = self._classes(truth, instances)
        chosen = classes != UNKNOWN
        true_ids = classes[chosen].astype(np.int64)
        count = len(self.label_set)
        check_ids(true_ids, (true_ids < 0) | (true_ids >= count), 'truth', count)
        predicted = prediction[chosen]
        beyond = ((predicted < 0) | (predicted >= count)) & (predicted != UNKNOWN)
        check_ids(predicted, beyond, 'the prediction', count)
        # One number for each instance: ids need not differ between classes.
        keys = true_ids * _INSTANCE_IDS + instances[chosen]
        sizes = np.bincount(keys)
        found = np.flatnonzero(sizes)
        class_of = found // _INSTANCE_IDS
        np.add.at(self._instances, class_of, 1)
        np.add.at(self._pixels, class_of, sizes[found])
        right = predicted == true_ids
        _add_shares(self._hits, class_of, keys[right], sizes, found)
        if self._category_of is not None:
            right = self._category_of[predicted] == self._category_of[true_ids]
            _add_shares(self._category_hits, class_of, keys[right], sizes, found)

    def merge(self, other: 'InstanceScores') -> None:
        """Add what another object counted, over the same classes and categories.

        Raises:
            ConfigError: the classes differ.

        """
        if other.label_set.names != self.label_set.names:
            raise ConfigError('cannot merge instance scores of different classes')
        self._instances += other._instances
        self._pixels += other._pixels
        self._hits = [a + b for a, b in zip(self._hits, other._hits, strict=True)]
        self._category_hits = [
            a + b for a, b in zip(self._category_hits, other._category_hits, strict=True)
        ]

    @property
    def total(self) -> int:
        """Number of instances scored."""
        return int(self._instances.sum())

    def iiou(self, matrix: ConfusionMatrix) -> NDArray[np.float64]:
        """Return each class's iIoU, (num_classes,); NaN for a class without instances.

        Args:
            matrix: the same images' confusion matrix.

        """
        counts = matrix.counts
        false_positives = counts.sum(0) - np.diag(counts)
        sizes = self._mean_sizes()
        scores = _iiou(sizes * _shares(self._hits), sizes * self._instances, false_positives)
        return np.where(self._has_instances(), scores, np.nan)

    def category_iiou(self, matrix: ConfusionMatrix) -> NDArray[np.float64]:
        """Return each category's iIoU, (categories,); NaN for categories that have none.

        A category has one if all its classes have instances; for other classes than Cityscapes',
        all that occur in truth. Without categories the array is empty.
        """
        if self.categories is None:
            return np.zeros(0)
        members, sizes = self.categories.members, self._mean_sizes()
        hits = members @ (sizes * _shares(self._category_hits))
        whole = members @ (sizes * self._instances)
        scores = _iiou(hits, whole, self.categories.false_positives(matrix))
        with_instances = self._has_instances()
        without = ~with_instances
        if not self._is_cityscapes:
            without &= matrix.counts.sum(1) + matrix.unknown > 0
        has_score = (members @ with_instances > 0) & (members @ without == 0)
        return np.where(has_score, scores, np.nan)

    def _classes(
        self, truth: NDArray[np.integer], instances: NDArray[np.integer]
    ) -> NDArray[np.integer]:
        """Return the class of each pixel's instance, (H, W); 255 for pixels of none."""
        if not self._is_cityscapes:
            return np.where(instances > 0, truth, UNKNOWN)
        table = np.full(_INSTANCE_IDS // _INSTANCES_PER_LABEL + 1, UNKNOWN, np.uint8)
        for class_id, label_id in enumerate(CITYSCAPES_IDS):
            if self.label_set.names[class_id] in CITYSCAPES_INSTANCE_SIZES:
                table[label_id] = class_id
        return table[instances // _INSTANCES_PER_LABEL]

    def _has_instances(self) -> NDArray[np.bool_]:
        if self._is_cityscapes:
            return np.array([n in CITYSCAPES_INSTANCE_SIZES for n in self.label_set.names])
        return self._instances > 0

    def _mean_sizes(self) -> NDArray[np.float64]:
        """Return the mean pixels of an instance by class, 0 where that is unknown."""
        if self._is_cityscapes:
            names = self.label_set.names
            return np.array([CITYSCAPES_INSTANCE_SIZES.get(name, 0.0) for name in names])
        return self._pixels / np.maximum(1, self._instances)


def _add_shares(
    sums: list[int],
    class_of: NDArray[np.int64],
    right_keys: NDArray[np.int64],
    sizes: NDArray[np.int64],
    found: NDArray[np.int64],
) -> None:
    """Add each instance's share of right pixels to the sum of its class."""
    right = np.bincount(right_keys, minlength=sizes.size)
    shares = np.rint(right[found] / sizes[found] * _ONE).astype(np.int64)
    for class_id, share in zip(class_of.tolist(), shares.tolist(), strict=True):
        sums[class_id] += share


def _shares(sums: list[int]) -> NDArray[np.float64]:
    return np.array([total / _ONE for total in sums])


def _iiou(
    hits: NDArray[np.float64], whole: NDArray[np.float64], false_positives: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Divide weighted hits by hits and misses and false positives; NaN where all are 0."""
    union = whole + false_positives
    return np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)
