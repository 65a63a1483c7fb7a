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
"""Scores of categories and instances in tables, CSV files and the page; results that merge."""

import copy
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from spssn_ros.evaluation import Categories, ConfusionMatrix, InstanceScores
from spssn_ros.evaluation.report import About, Gallery, Run, print_scores, write_report
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.labels import LabelSet

TRUTH = np.array([[0, 0, 1, 255]], np.uint8)
PREDICTION = np.array([[0, 1, 1, 0]], np.uint8)


@pytest.fixture
def result_with_groups(three_classes: LabelSet) -> EvaluationResult:
    categories = Categories({'[a]': ['a'], 'bc': ['b', 'c']}, three_classes)
    scores, matrix = InstanceScores(three_classes, categories), ConfusionMatrix(3)
    matrix.update(TRUTH, PREDICTION)
    scores.update(TRUTH, PREDICTION, np.array([[1, 2, 0, 0]], np.uint8))
    result = EvaluationResult(three_classes, matrix, 1)
    result.categories, result.instances = categories, scores
    return result


def test_categories_and_instances_have_csv_columns(
    tmp_path: Path, result_with_groups: EvaluationResult
) -> None:
    label_set = result_with_groups.label_set
    about = About(Run('spssn evaluate bag', '/', {}), 'w', None)
    written = write_report(tmp_path, result_with_groups, Gallery(label_set), about)
    assert tmp_path / 'categories.csv' in written
    assert (tmp_path / 'categories.csv').read_text().splitlines() == [
        'category,iou,iiou',
        '[a],0.5,0.5',
        'bc,0.5,',
        'mean,0.5,0.5',
    ]
    assert (tmp_path / 'scores.csv').read_text().splitlines() == [
        'class,iou,accuracy,iiou',
        'a,0.5,0.5,0.5',
        'b,0.5,1.0,',
        'c,,,',
        'mean,0.5,0.75,0.5',
    ]
    # Those of an earlier report are no part of a later one without categories.
    result_with_groups.categories = None
    write_report(tmp_path, result_with_groups, Gallery(label_set), about)
    assert not (tmp_path / 'categories.csv').exists()


def test_categories_and_instances_are_in_the_tables(result_with_groups: EvaluationResult) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    print_scores(result_with_groups, console)
    rows = [
        [cell.strip() for cell in line.strip('│').split('│')]
        for line in console.export_text().splitlines()
        if line.startswith('│')
    ]
    assert rows[0] == ['a', '50.00', '50.00', '66.67', '50.00']
    assert rows[3] == ['mean', '50.00', '75.00', '', '50.00']
    assert rows[4:] == [
        ['[a]', '50.00', '50.00'],
        ['bc', '50.00', '-'],
        ['mean', '50.00', '50.00'],
    ]


def test_results_of_processes_merge(result_with_groups: EvaluationResult) -> None:
    result_with_groups.fps = 2.0
    other = copy.deepcopy(result_with_groups)
    other.fps, other.unmatched_images, other.unmatched_labels = 0.5, 4, 5
    total, iiou = result_with_groups.matrix.total, result_with_groups.to_dict()['iiou']
    result_with_groups.merge(other)
    assert result_with_groups.matrix.total == 2 * total
    assert result_with_groups.frames == 2
    # The two took half a second and two seconds at the same time.
    assert result_with_groups.fps == 1.0
    assert (result_with_groups.unmatched_images, result_with_groups.unmatched_labels) == (4, 5)
    assert result_with_groups.instances is not None
    assert result_with_groups.instances.total == 4
    assert result_with_groups.to_dict()['iiou'] == iiou
