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
"""Categories: scores worked out by hand, any grouping, and files that cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.categories import Categories, categories_for
from spssn_ros.labels import CAMVID, CITYSCAPES, LabelSet

FOUR = LabelSet(('a', 'b', 'c', 'd'), ((1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)))


def matrix_of(truth: list[int], prediction: list[int]) -> ConfusionMatrix:
    matrix = ConfusionMatrix(4)
    matrix.update(np.array(truth), np.array(prediction))
    return matrix


def test_classes_of_a_category_may_be_mixed_up() -> None:
    categories = Categories({'ab': ['a', 'b'], 'cd': ['c', 'd']}, FOUR)
    matrix = matrix_of([0, 1, 0, 2, 3, 255], [1, 0, 2, 3, 0, 0])
    assert categories.iou(matrix).tolist() == [2 / 4, 1 / 3]
    assert categories.false_positives(matrix).tolist() == [1, 1]


def test_unknown_predictions_are_misses() -> None:
    categories = Categories({'ab': ['b', 'a'], 'cd': ['c', 'd']}, FOUR)
    matrix = matrix_of([0, 1, 2], [1, 255, 2])
    assert categories.iou(matrix).tolist() == [1 / 2, 1.0]


def test_a_category_that_does_not_occur_has_no_score() -> None:
    categories = Categories({'ab': ['a', 'b'], 'cd': ['c', 'd']}, FOUR)
    np.testing.assert_array_equal(categories.iou(matrix_of([0], [1])), [1, np.nan])


def test_a_class_of_no_category_still_makes_false_positives() -> None:
    categories = Categories({'a': ['a'], 'b': ['b']}, FOUR)
    matrix = matrix_of([0, 1, 2, 2, 3], [0, 1, 1, 3, 2])
    assert categories.iou(matrix).tolist() == [1, 1 / 2]
    assert categories.table()[[0, 1, 2, 3, 255]].tolist() == [0, 1, -1, -1, -1]


def test_only_cityscapes_classes_have_categories_by_themselves() -> None:
    categories = categories_for('', CITYSCAPES)
    assert categories is not None
    assert len(categories) == 7
    assert categories.members.sum() == len(CITYSCAPES)
    assert categories_for('', CAMVID) is None


def test_a_file_groups_any_classes(tmp_path: Path) -> None:
    path = tmp_path / 'groups.yaml'
    path.write_text('moving: [car, pedestrian, bicyclist]\nground: [road, pavement]\n')
    categories = categories_for(str(path), CAMVID)
    assert categories is not None
    assert categories.names == ('moving', 'ground')
    assert [np.flatnonzero(row).tolist() for row in categories.members] == [[8, 9, 10], [3, 4]]


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ('', r'it holds no mapping of categories to classes; write lines like `vehicle: \[car'),
        ('- car\n- road\n', 'it holds no mapping of categories'),
        ('a: [\n', 'no YAML .*; write lines like'),
        ('2026-31-12: [car]\n', r'no YAML \(month must be in 1..12\); write lines like'),
        ('{}', 'no category is given; give at least one'),
        ('moving: car\n', "'moving': 'car' is no list of class names; write lines like"),
        ('moving: [1]\n', r"'moving': \[1\] is no list of class names"),
        ('2: [car]\n', r"2: \['car'\] is no list of class names"),
        ('moving: []\n', "category 'moving' has no class; list at least one"),
        ('moving: [bus]\n', "category 'moving': no class 'bus'; the classes are sky, building"),
        ('a: [car]\nb: [road, car]\n', "class 'car' is listed twice; one category a class"),
        ('a: [car, car]\n', "class 'car' is listed twice"),
    ],
)
def test_a_bad_file_is_explained(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / 'groups.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match=f'^categories {path}: {sentence}') as caught:
        categories_for(str(path), CAMVID)
    assert '\n' not in str(caught.value)


def test_what_is_no_file_or_does_not_fit_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='No such file or directory; give cityscapes or a YAML'):
        categories_for(str(tmp_path / 'missing.yaml'), CAMVID)
    with pytest.raises(ConfigError, match="category 'flat': no class 'sidewalk'; the classes"):
        categories_for('cityscapes', CAMVID)
