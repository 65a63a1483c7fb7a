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
"""The threshold of the mIoU, as the command and the node judge by it."""

import math

import numpy as np
import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.evaluation.threshold import Threshold
from spssn_ros.labels import LabelSet


def scored(classes: LabelSet, truth: list[int], prediction: list[int]) -> EvaluationResult:
    matrix = ConfusionMatrix(len(classes))
    matrix.update(np.array([truth], np.uint8), np.array([prediction], np.uint8))
    return EvaluationResult(classes, matrix)


def test_scores_under_it_are_told(three_classes: LabelSet) -> None:
    half = scored(three_classes, [0, 0], [0, 1])
    assert half.matrix.miou() == 0.25
    assert Threshold('fail_under', 0.25).missed_by(half) == ''
    assert Threshold('fail_under', 0.3).missed_by(half) == 'mIoU 0.2500 is under fail_under 0.3'
    assert Threshold('fail_under', None).missed_by(half) == ''


def test_no_score_reaches_no_threshold(three_classes: LabelSet) -> None:
    void = scored(three_classes, [255, 255], [0, 1])
    assert math.isnan(void.matrix.miou())
    assert Threshold('--fail-under', 0.0).missed_by(void) == (
        'no pixel has a true class, so no mIoU reaches --fail-under 0.0'
    )
    assert Threshold('--fail-under', None).missed_by(void) == ''


@pytest.mark.parametrize('miou', [-0.1, 1.01, 65, math.nan, math.inf])
def test_what_is_no_fraction(miou: float) -> None:
    with pytest.raises(ConfigError, match=rf'^fail_under is {miou}; give a fraction from 0 to 1$'):
        Threshold('fail_under', miou)


def test_a_score_just_under_it_does_not_look_as_if_it_had_reached_it(
    three_classes: LabelSet,
) -> None:
    nearly = scored(three_classes, [0] * 100_000, [0] * 65_996 + [255] * 34_004)
    assert Threshold('t', 0.66).missed_by(nearly) == 'mIoU 0.65996 is under t 0.66'
