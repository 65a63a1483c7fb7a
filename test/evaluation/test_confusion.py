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
"""The confusion matrix gives the scores that a count by hand gives."""

import math

import numpy as np
import pytest
import torch

from spssn_ros.errors import BadImageError, ConfigError
from spssn_ros.evaluation import ConfusionMatrix

TRUTH = np.array([[0, 0, 0, 1], [1, 2, 2, 255]], np.uint8)
PREDICTION = np.array([[0, 0, 1, 1], [1, 0, 2, 2]], np.uint8)


@pytest.fixture
def matrix() -> ConfusionMatrix:
    matrix = ConfusionMatrix(3)
    matrix.update(TRUTH, PREDICTION)
    return matrix


def test_scores_by_hand(matrix: ConfusionMatrix) -> None:
    assert matrix.counts.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert matrix.counts.dtype == np.int64
    assert matrix.total == 7
    assert matrix.iou().tolist() == [2 / 4, 2 / 3, 1 / 2]
    assert matrix.accuracy().tolist() == [2 / 3, 1.0, 1 / 2]
    assert matrix.miou() == pytest.approx((2 / 4 + 2 / 3 + 1 / 2) / 3, abs=1e-15)
    assert matrix.class_average() == pytest.approx((2 / 3 + 1 + 1 / 2) / 3, abs=1e-15)
    assert matrix.global_average() == 5 / 7
    assert matrix.absent(('a', 'b', 'c')) == []


def brute_force(truth: np.ndarray, prediction: np.ndarray, classes: int) -> dict[str, float]:
    """Score pixel by pixel, from the definitions."""
    pairs = [(t, p) for t, p in zip(truth.flat, prediction.flat, strict=True) if t != 255]
    ious, accuracies = [], []
    for c in range(classes):
        hit = sum(t == c and p == c for t, p in pairs)
        missed = sum(t == c and p != c for t, p in pairs)
        false = sum(t != c and p == c for t, p in pairs)
        if hit + missed + false:
            ious.append(hit / (hit + missed + false))
        if hit + missed:
            accuracies.append(hit / (hit + missed))
    return {
        'miou': sum(ious) / len(ious),
        'class_average': sum(accuracies) / len(accuracies),
        'global_average': sum(t == p for t, p in pairs) / len(pairs),
    }


@pytest.mark.parametrize('seed', range(8))
def test_scores_by_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 12))
    # Some classes are in truth only, some in the prediction only, some in neither.
    in_truth = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    in_prediction = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
    truth = rng.choice([*in_truth, 255], (17, 23))
    prediction = rng.choice([*in_prediction, 255], (17, 23))
    agree = rng.random((17, 23)) < 0.5
    prediction[agree] = truth[agree]
    matrix = ConfusionMatrix(classes)
    for rows in (slice(0, 5), slice(5, None)):
        matrix.update(truth[rows], prediction[rows])
    expected = brute_force(truth, prediction, classes)
    scores = {name: getattr(matrix, name)() for name in expected}
    assert scores == pytest.approx(expected, abs=1e-12)


def test_merging_is_updating_with_both(matrix: ConfusionMatrix) -> None:
    whole, other = ConfusionMatrix(3), ConfusionMatrix(3)
    unknown = np.full_like(PREDICTION, 255)
    other.update(TRUTH, unknown)
    whole.update(np.stack([TRUTH, TRUTH]), np.stack([PREDICTION, unknown]))
    matrix.merge(other)
    np.testing.assert_array_equal(matrix.counts, whole.counts)
    np.testing.assert_array_equal(matrix.unknown, whole.unknown)
    assert other.total == 7
    with pytest.raises(ConfigError, match=r'^cannot merge a matrix of 4 classes into one of 3$'):
        matrix.merge(ConfusionMatrix(4))


def test_ignored_truth_is_not_scored() -> None:
    matrix = ConfusionMatrix(3, ignore_index=2)
    matrix.update(np.array([0, 2, 2, 1]), np.array([0, 0, 1, 2]))
    assert matrix.counts.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    # What is predicted where truth is ignored may be anything.
    matrix.update(np.array([2]), np.array([77]))
    assert matrix.total == 2


def test_a_class_whose_truth_is_ignored_has_no_score() -> None:
    matrix = ConfusionMatrix(3, ignore_index=0)
    matrix.update(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 2]))
    # What is taken for it is still a miss of the class that is there.
    np.testing.assert_array_equal(matrix.iou(), [math.nan, 0.5, 1.0])
    assert matrix.miou() == matrix.class_average() == 0.75
    assert matrix.global_average() == 2 / 3


def test_unknown_predictions_are_misses_and_nobody_s_false_alarms() -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([0, 0, 0, 1, 255]), np.array([0, 255, 255, 1, 255]))
    assert matrix.unknown.tolist() == [2, 0]
    assert matrix.counts.tolist() == [[1, 0], [0, 1]]
    assert matrix.iou().tolist() == [1 / 3, 1.0]
    assert matrix.accuracy().tolist() == [1 / 3, 1.0]
    assert matrix.global_average() == 2 / 4
    assert matrix.total == 4


def test_absent_classes_are_left_out_of_the_mean() -> None:
    matrix = ConfusionMatrix(4)
    matrix.update(np.array([0, 0, 1]), np.array([0, 2, 1]))
    # 3 occurs nowhere; 2 is predicted only, which is an IoU of 0 but no accuracy.
    np.testing.assert_array_equal(matrix.iou(), [0.5, 1.0, 0.0, math.nan])
    np.testing.assert_array_equal(matrix.accuracy(), [0.5, 1.0, math.nan, math.nan])
    assert matrix.miou() == 0.5
    assert matrix.class_average() == 0.75
    assert matrix.absent(('a', 'b', 'c', 'd')) == ['d']


def test_nothing_scored_is_no_number() -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(np.full((2, 2), 255), np.zeros((2, 2), int))
    assert matrix.total == 0
    for score in (matrix.miou(), matrix.class_average(), matrix.global_average()):
        assert math.isnan(score)


def test_255_classes_leave_room_for_unknown() -> None:
    matrix = ConfusionMatrix(255)
    matrix.update(np.array([254, 254, 254]), np.array([254, 255, 0]))
    assert matrix.counts[254, 254] == 1
    assert matrix.unknown[254] == 1


@pytest.mark.parametrize('ignored', [255, 2, 77])
def test_bytes_are_counted_as_wider_integers_are(ignored: int) -> None:
    rng = np.random.default_rng(ignored)
    truth = rng.choice([0, 1, 2, ignored], (20, 30)).astype(np.uint8)
    prediction = rng.choice([0, 1, 2, 255], (20, 30)).astype(np.uint8)
    prediction[truth == ignored] = 99
    matrices = ConfusionMatrix(3, ignored), ConfusionMatrix(3, ignored)
    for matrix, dtype in zip(matrices, (np.uint8, np.int32), strict=True):
        matrix.update(truth.astype(dtype), prediction.astype(dtype))
    np.testing.assert_array_equal(matrices[0].counts, matrices[1].counts)
    np.testing.assert_array_equal(matrices[0].unknown, matrices[1].unknown)
    assert matrices[0].total == (truth != ignored).sum()


@pytest.mark.parametrize(
    ('truth', 'prediction', 'text'),
    [
        (
            np.uint8([0, 3, 254]),
            np.uint8([0, 0, 9]),
            r'^truth holds .* no class: 3, 254; the classes are 0..2$',
        ),
        (np.uint8([0, 0, 255]), np.uint8([0, 7, 8]), r'^the prediction holds .* no class: 7; the'),
        ([0, 3], [0, 0], r'^truth holds ids that are no class: 3; the'),
        ([0, -1], [0, 0], r'^truth holds ids that are no class: -1; the'),
        ([0, 0], [0, 7], r'^the prediction holds ids that are no class: 7; the'),
        ([0] * 12, list(range(5, 17)), r'no class: 5, 6, 7, 8, 9, 10, 11, 12, \.\.\.; the'),
        ([0.0, 1.0], [0, 0], r'^truth holds float64; give class ids, integers$'),
        ([0, 0], np.float32([0.9, 0.1]), r'^the prediction holds float32; give class ids, integ'),
        ([0, 0], None, r'^the prediction holds object; give class ids, integers$'),
        ([[0, 0]], [0, 0], r'^truth is 2x1 but the prediction is 2; both must have one size$'),
    ],
)
def test_what_cannot_be_scored_adds_nothing(
    matrix: ConfusionMatrix, truth: list, prediction: list, text: str
) -> None:
    before = matrix.counts
    with pytest.raises(BadImageError, match=text):
        matrix.update(truth, prediction)
    np.testing.assert_array_equal(matrix.counts, before)


def test_whatever_is_an_array_of_ids_is_scored(matrix: ConfusionMatrix) -> None:
    for truth, prediction in (
        (TRUTH.tolist(), PREDICTION.tolist()),
        (torch.from_numpy(TRUTH), torch.from_numpy(PREDICTION).long()),
    ):
        other = ConfusionMatrix(3)
        other.update(truth, prediction)  # type: ignore[arg-type]
        np.testing.assert_array_equal(other.counts, matrix.counts)
    masks = ConfusionMatrix(2)
    masks.update(TRUTH == 0, PREDICTION == 0)
    assert masks.counts.tolist() == [[4, 1], [1, 2]]


def test_sizes_are_told_as_width_by_height(matrix: ConfusionMatrix) -> None:
    with pytest.raises(BadImageError, match=r'^truth is 4x2 but the prediction is 2x4; both'):
        matrix.update(TRUTH, PREDICTION.T)


@pytest.mark.parametrize('classes', [0, 256, 2.5, '3', None])
def test_numbers_of_classes_that_cannot_be(classes: int) -> None:
    with pytest.raises(ConfigError, match=f'^num_classes is {classes!r}; give 1 to 255$'):
        ConfusionMatrix(classes)


@pytest.mark.parametrize('ignored', [None, 2.5, 'void'])
def test_ids_that_cannot_be_ignored(ignored: int) -> None:
    with pytest.raises(ConfigError, match=f'^ignore_index is {ignored!r}; give the id of unlab'):
        ConfusionMatrix(3, ignored)


def test_counts_are_copies(matrix: ConfusionMatrix) -> None:
    matrix.counts[:] = 0
    assert matrix.total == 7
