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
"""Instance-weighted IoU, worked out by hand for classes of any label set."""

import numpy as np
import pytest

from spssn_ros.errors import BadImageError, ConfigError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.categories import Categories
from spssn_ros.evaluation.instance import InstanceScores
from spssn_ros.labels import CITYSCAPES, LabelSet

TRUTH = np.array([[0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 255, 255]], np.uint8)
# Class 0: an instance of four pixels, one of one, and a pixel of no instance; class 1: one of two,
# with the number of a class 0 instance. Numbers on void pixels mean nothing.
INSTANCES = np.array([[1, 1, 1, 1, 2, 0, 1, 1, 0, 0, 5, 1]], np.uint16)
PREDICTION = np.array([[0, 0, 0, 1, 2, 2, 1, 0, 0, 255, 0, 0]], np.uint8)


def counted(
    label_set: LabelSet, categories: Categories | None = None
) -> tuple[ConfusionMatrix, InstanceScores]:
    matrix, scores = ConfusionMatrix(len(label_set)), InstanceScores(label_set, categories)
    matrix.update(TRUTH, PREDICTION)
    scores.update(TRUTH, PREDICTION, INSTANCES)
    return matrix, scores


def test_every_instance_counts_the_same(three_classes: LabelSet) -> None:
    matrix, scores = counted(three_classes)
    # Class 0: mean size 5 / 2; shares 3 / 4 and 0; false positives on classes 1 and 2.
    # Class 1: mean size 2; share 1 / 2; a false positive on class 0.
    expected = [2.5 * 0.75 / (2.5 * 2 + 2), 2 * 0.5 / (2 * 1 + 1), np.nan]
    np.testing.assert_allclose(scores.iiou(matrix), expected, rtol=1e-15)
    assert scores.total == 3


def test_categories_forgive_mix_ups_within(three_classes: LabelSet) -> None:
    together = Categories({'ab': ['a', 'b'], 'c': ['c']}, three_classes)
    matrix, scores = counted(three_classes, together)
    # Shares 4 / 4 and 0 of class a, 2 / 2 of class b; class a on a pixel of c is wrong.
    expected = [(2.5 * 1 + 2 * 1) / (2.5 * 2 + 2 * 1 + 1), np.nan]
    np.testing.assert_allclose(scores.category_iiou(matrix), expected, rtol=1e-15)


def test_a_category_with_a_class_without_instances_has_no_score(three_classes: LabelSet) -> None:
    categories = Categories({'bc': ['b', 'c'], 'a': ['a']}, three_classes)
    matrix, scores = counted(three_classes, categories)
    np.testing.assert_array_equal(np.isnan(scores.category_iiou(matrix)), [True, False])
    assert counted(three_classes)[1].category_iiou(matrix).size == 0


def test_class_of_no_category_and_unknown_predictions_are_no_hits(three_classes: LabelSet) -> None:
    categories = Categories({'a': ['a']}, three_classes)
    scores = InstanceScores(three_classes, categories)
    matrix = ConfusionMatrix(3)
    truth, prediction = np.array([[0, 0, 1]], np.uint8), np.array([[0, 255, 2]], np.uint8)
    matrix.update(truth, prediction)
    scores.update(truth, prediction, np.array([[1, 1, 1]], np.uint8))
    assert scores.category_iiou(matrix).tolist() == [0.5]
    np.testing.assert_array_equal(scores.iiou(matrix), [0.5, 0, np.nan])


def test_shards_add_up_to_the_last_bit(three_classes: LabelSet) -> None:
    rng = np.random.default_rng(0)
    categories = Categories({'ab': ['a', 'b'], 'c': ['c']}, three_classes)
    whole, shards = InstanceScores(three_classes, categories), []
    matrix = ConfusionMatrix(3)
    for _ in range(7):
        shard = InstanceScores(three_classes, categories)
        truth, prediction = rng.integers(0, 3, (2, 40, 50)).astype(np.uint8)
        instances = rng.integers(0, 90, (40, 50)).astype(np.uint16)
        matrix.update(truth, prediction)
        for scores in (whole, shard):
            scores.update(truth, prediction, instances)
        shards.append(shard)
    merged = InstanceScores(three_classes, categories)
    for shard in shards[::-1]:
        merged.merge(shard)
    assert merged.total == whole.total > 1000
    assert merged.iiou(matrix).tolist() == whole.iiou(matrix).tolist()
    assert merged.category_iiou(matrix).tolist() == whole.category_iiou(matrix).tolist()


def test_what_does_not_fit_is_refused(three_classes: LabelSet) -> None:
    scores = InstanceScores(three_classes)
    text = r'^the instance image is 11x1, but truth is 12x1 and the prediction 12x1; all must'
    with pytest.raises(BadImageError, match=text):
        scores.update(TRUTH, PREDICTION, INSTANCES[:, 1:])
    assert scores.total == 0
    with pytest.raises(ConfigError, match='cannot merge instance scores of different classes'):
        scores.merge(InstanceScores(CITYSCAPES))


def test_ids_that_are_no_class_are_refused_and_nothing_added(three_classes: LabelSet) -> None:
    scores = InstanceScores(three_classes)
    with pytest.raises(BadImageError, match=r'^truth holds ids that are no class: 50; the cl'):
        scores.update(np.where(TRUTH == 1, 50, TRUTH), PREDICTION, INSTANCES)
    with pytest.raises(BadImageError, match=r'^the prediction holds ids that are no class: -1;'):
        scores.update(TRUTH, np.where(PREDICTION == 1, -1, PREDICTION.astype(int)), INSTANCES)
    with pytest.raises(BadImageError, match=r'^truth holds float64; give class ids, integers$'):
        scores.update(TRUTH / 1, PREDICTION, INSTANCES)
    assert scores.total == 0
    scores.update(TRUTH.tolist(), PREDICTION.tolist(), INSTANCES.tolist())
    assert scores.total == 3
