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
"""Cityscapes' figures equal those of its own evaluation script."""

import copy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.categories import Categories, categories_for
from spssn_ros.evaluation.confusion import mean_of_known
from spssn_ros.evaluation.instance import CITYSCAPES_INSTANCE_SIZES, InstanceScores
from spssn_ros.labels import CITYSCAPES, CITYSCAPES_IDS, cityscapes_ids

reference = pytest.importorskip(
    'cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling',
    reason='cityscapesscripts is not installed (requirements/reference.txt)',
)

SIZE = (60, 90)
THINGS = range(24, 34)
"""labelIds of the labels with instances, caravan and trailer, which are not scored, too."""


def random_truth(rng: np.random.Generator, label_ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return labelIds, (H, W) uint8, and instanceIds, (H, W) uint16, as json2instanceImg does."""
    labels = rng.choice(label_ids, SIZE).astype(np.uint8)
    instances = labels.astype(np.uint16)
    numbers = dict.fromkeys(THINGS, 0)
    for _ in range(60):
        label_id = int(rng.choice(label_ids))
        height, width = rng.integers(1, 24, 2)
        if rng.random() < 0.2:
            height = width = 1
        row, column = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1])
        place = np.s_[row : row + height, column : column + width]
        labels[place] = label_id
        instances[place] = label_id
        if label_id in THINGS and rng.random() < 0.8:
            instances[place] = label_id * 1000 + numbers[label_id]
            numbers[label_id] += 1
    return labels, instances


def random_prediction(
    rng: np.random.Generator, labels: np.ndarray, predicted_ids: list[int], right: float
) -> np.ndarray:
    """Return labelIds that are right in about that share of the pixels; 0 is no class."""
    wrong = rng.choice([*predicted_ids, 0], SIZE)
    is_class = np.isin(labels, predicted_ids)
    return np.where(is_class & (rng.random(SIZE) < right), labels, wrong).astype(np.uint8)


def reference_scores(folder: Path, images: list[tuple[np.ndarray, ...]]) -> dict[str, Any]:
    predictions, truths = [], []
    for index, (labels, instances, prediction) in enumerate(images):
        stem = f'{folder}/a_{index:06d}_000019'
        predictions.append(f'{stem}_pred.png')
        truths.append(f'{stem}_gtFine_labelIds.png')
        cv2.imwrite(predictions[-1], prediction)
        cv2.imwrite(truths[-1], labels)
        cv2.imwrite(f'{stem}_gtFine_instanceIds.png', instances)
    args = copy.copy(reference.args)
    args.quiet, args.JSONOutput = True, False
    return reference.evaluateImgLists(predictions, truths, args)


def own_scores(images: list[tuple[np.ndarray, ...]]) -> tuple[ConfusionMatrix, InstanceScores]:
    matrix = ConfusionMatrix(len(CITYSCAPES))
    scores = InstanceScores(CITYSCAPES, categories_for('', CITYSCAPES))
    for labels, instances, prediction in images:
        truth, predicted = cityscapes_ids(labels), cityscapes_ids(prediction)
        matrix.update(truth, predicted)
        scores.update(truth, predicted, instances)
    return matrix, scores


def cases() -> dict[str, tuple[int, list[int], list[int], float]]:
    """Return seed, labelIds in truth, labelIds predicted, and share of right pixels, by name."""
    everything, classes = list(range(34)), list(CITYSCAPES_IDS)
    return {
        'all labels': (0, everything, classes, 0.7),
        'hardly anything right': (1, everything, classes, 0.05),
        'classes missing from truth': (2, [0, 3, 7, 11, 23, 24, 26, 29], classes, 0.6),
        'classes missing from both': (3, [7, 8, 23, 24, 26, 28, 33], [7, 11, 23, 24, 26], 0.5),
        'no instance': (4, [0, 7, 11, 23], [7, 11, 23], 0.5),
        'nearly all void': (5, [0, 1, 4, 9, 10, 15, 30, 25], classes, 0.5),
    }


@pytest.mark.filterwarnings('ignore:.*in1d.*:DeprecationWarning')
@pytest.mark.parametrize('case', cases())
def test_every_figure_equals_the_reference(case: str, tmp_path: Path) -> None:
    seed, true_ids, predicted_ids, right = cases()[case]
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(3):
        labels, instances = random_truth(rng, true_ids)
        prediction = random_prediction(rng, labels, predicted_ids, right)
        images.append((labels, instances, prediction))
    theirs = reference_scores(tmp_path, images)
    matrix, scores = own_scores(images)
    categories = scores.categories
    assert isinstance(categories, Categories)
    by_class = {'classScores': matrix.iou(), 'classInstScores': scores.iiou(matrix)}
    by_category = {
        'categoryScores': categories.iou(matrix),
        'categoryInstScores': scores.category_iiou(matrix),
    }
    for names, found in ((CITYSCAPES.names, by_class), (categories.names, by_category)):
        for key, values in found.items():
            expected = [theirs[key][name] for name in names]
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12, err_msg=key)
    averages = {
        'averageScoreClasses': matrix.miou(),
        'averageScoreInstClasses': mean_of_known(scores.iiou(matrix)),
        'averageScoreCategories': mean_of_known(categories.iou(matrix)),
        'averageScoreInstCategories': mean_of_known(scores.category_iiou(matrix)),
    }
    for key, value in averages.items():
        assert value == pytest.approx(theirs[key], abs=1e-12, nan_ok=True), key


def test_the_mean_sizes_are_the_reference_s() -> None:
    sizes = {
        name: size
        for name, size in reference.args.avgClassSize.items()
        if not reference.name2label[name].ignoreInEval
    }
    assert sizes == CITYSCAPES_INSTANCE_SIZES


def test_the_categories_are_the_reference_s() -> None:
    categories = categories_for('', CITYSCAPES)
    assert categories is not None
    for name, row in zip(categories.names, categories.members, strict=True):
        scored = [label for label in reference.category2labels[name] if not label.ignoreInEval]
        found = [CITYSCAPES.names[i] for i in np.flatnonzero(row)]
        assert found == [label.name for label in scored]
