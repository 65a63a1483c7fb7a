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
"""What several processes scored adds up, and the JSON tells it."""

import numpy as np
import pytest

from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.calibration import Calibration
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.labels import LabelSet


def result_of(label_set: LabelSet, frames: int, fps: float) -> EvaluationResult:
    result = EvaluationResult(label_set, ConfusionMatrix(3), frames, 2, 5, fps=fps)
    labels = np.zeros((1, frames), np.uint8)
    result.matrix.update(labels, labels)
    result.calibration = Calibration()
    result.calibration.update(labels, labels, labels + np.uint8(51))
    return result


@pytest.mark.parametrize(
    ('parts', 'fps'),
    [
        # A run takes as long as the slowest: 3 seconds.
        ([(10, 5.0), (30, 10.0)], 40 / 3),
        ([(30, 10.0), (10, 5.0)], 40 / 3),
        ([(30, 10.0), (0, 0.0)], 10.0),
        ([(0, 0.0), (1, 4.0), (1, 2.0)], 4.0),
        ([(0, 0.0), (0, 0.0)], 0.0),
    ],
)
def test_processes_work_side_by_side(
    three_classes: LabelSet, parts: list[tuple[int, float]], fps: float
) -> None:
    result, *others = (result_of(three_classes, *part) for part in parts)
    for other in others:
        result.merge(other)
    frames = sum(count for count, _ in parts)
    assert result.fps == pytest.approx(fps)
    assert result.frames == result.matrix.total == frames
    assert result.unmatched_images == 2 * len(parts)
    assert result.unmatched_labels == 5 * len(parts)
    assert result.calibration is not None
    assert result.calibration.counts[51] == frames


def test_the_json_tells_calibration_by_bin(three_classes: LabelSet) -> None:
    values = result_of(three_classes, 4, 1.0).to_dict()
    # A confidence of a fifth, which was always right.
    assert values['calibration_error'] == pytest.approx(0.8)
    bins = values['calibration']
    assert len(bins) == 15
    assert bins[3] == {
        'lowest': 3 / 15,
        'highest': 4 / 15,
        'confidence': pytest.approx(0.2),
        'accuracy': 1.0,
        'share': 1.0,
    }
    assert bins[2]['confidence'] is bins[2]['accuracy'] is None
    assert bins[2]['share'] == 0.0


def test_the_json_tells_robustness_beside_the_clean_score(three_classes: LabelSet) -> None:
    result = result_of(three_classes, 4, 1.0)
    assert 'robustness' not in result.to_dict()
    worse = ConfusionMatrix(3)
    worse.update(np.zeros(4, np.uint8), np.array([0, 0, 0, 255], np.uint8))
    result.degraded = {'blur': worse, 'dark': ConfusionMatrix(3)}
    assert result.to_dict()['robustness'] == {'clean': 1.0, 'blur': 0.75, 'dark': None}
