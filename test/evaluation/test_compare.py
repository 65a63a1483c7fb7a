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
"""Earlier evaluations: read, checked, and set beside the new scores."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.report import read_earlier
from spssn_ros.evaluation.report.compare import short_names
from spssn_ros.evaluation.report.rows import Change, headline, mean_row, rows
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.labels import LabelSet


def result_of(label_set: LabelSet, truth: list[int], prediction: list[int]) -> EvaluationResult:
    matrix = ConfusionMatrix(len(label_set))
    matrix.update(np.array(truth, np.uint8), np.array(prediction, np.uint8))
    return EvaluationResult(label_set, matrix, 1)


@pytest.fixture
def earlier_json(tmp_path: Path, three_classes: LabelSet) -> Path:
    path = tmp_path / 'earlier.json'
    path.write_text(result_of(three_classes, [0, 0, 1, 1], [0, 1, 1, 1]).to_json())
    return path


def test_changes_are_new_less_earlier(earlier_json: Path, three_classes: LabelSet) -> None:
    now = result_of(three_classes, [0, 0, 1, 2], [0, 0, 1, 1])
    compared = read_earlier([earlier_json], three_classes)
    assert [earlier.name for earlier in compared] == ['earlier.json']
    by_name = {row.name: row for row in rows(now, compared)}
    assert by_name['a'].iou_changes == [Change(0.5, 0.5)]
    (change,) = by_name['b'].iou_changes
    assert (change.before, change.difference) == pytest.approx((2 / 3, 1 / 2 - 2 / 3))
    # A class that was nowhere before has nothing to compare with.
    assert by_name['c'].iou_changes == [Change(None, None)]
    assert by_name['a'].accuracy_changes == [Change(0.5, 0.5)]
    mean = mean_row(now, compared)
    assert mean.iou == pytest.approx(0.5)
    assert mean.iou_changes[0].difference == pytest.approx(0.5 - (0.5 + 2 / 3) / 2)
    value, changes = headline(now, compared)['global_average']
    assert (value, changes) == (0.75, [Change(0.75, 0.0)])


def test_classes_may_stand_in_another_order(earlier_json: Path) -> None:
    turned = LabelSet(('c', 'a', 'b'), ((0, 0, 0),) * 3)
    (earlier,) = read_earlier([earlier_json], turned)
    assert earlier.iou == {'a': 0.5, 'b': pytest.approx(2 / 3), 'c': None}


def write_changed(path: Path, **values: Any) -> Path:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return path


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        ('{"iou"', r'x\.json: not JSON \(.*\); give a JSON file written by --json or --report'),
        ('\xff', 'not JSON'),
        ('[1, 2]', 'no evaluation JSON; give'),
        ('{"miou": 0.5}', 'no evaluation JSON'),
        ('{"classes": 3}', 'no evaluation JSON'),
    ],
)
def test_what_is_no_evaluation_is_refused(
    tmp_path: Path, three_classes: LabelSet, content: str, sentence: str
) -> None:
    path = tmp_path / 'x.json'
    path.write_bytes(content.encode('latin-1'))
    with pytest.raises(ConfigError, match=sentence):
        read_earlier([path], three_classes)


@pytest.mark.parametrize(
    'values', [{'miou': 65.3}, {'iou': {'a': 1}}, {'accuracy': 'x'}, {'global_average': 'NaN'}]
)
def test_values_that_are_no_fractions_are_refused(
    earlier_json: Path, three_classes: LabelSet, values: dict[str, Any]
) -> None:
    write_changed(earlier_json, **values)
    with pytest.raises(ConfigError, match=r'earlier\.json: no evaluation JSON'):
        read_earlier([earlier_json], three_classes)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path, three_classes: LabelSet) -> None:
    with pytest.raises(ConfigError, match=r'nosuch\.json: no such file or directory; give'):
        read_earlier([tmp_path / 'nosuch.json'], three_classes)
    with pytest.raises(ConfigError, match='is a directory'):
        read_earlier([tmp_path], three_classes)


def test_other_classes_are_named(earlier_json: Path) -> None:
    other = LabelSet(('a', 'b', 'wall', 'bus'), ((0, 0, 0),) * 4)
    sentence = r'it has 3 classes, the weights 4, and only one of them has bus, c, wall; give'
    with pytest.raises(ConfigError, match=sentence):
        read_earlier([earlier_json], other)


def test_names_are_as_short_as_can_be_told_apart() -> None:
    assert short_names(['runs/a/scores.json', 'b/old.json', 'runs/b/scores.json']) == {
        'runs/a/scores.json': 'runs/a/scores.json',
        'b/old.json': 'old.json',
        'runs/b/scores.json': 'runs/b/scores.json',
    }
    assert short_names(['']) == {'': ''}
