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
"""Scores over time: what a point means, and that memory stays bounded."""

import numpy as np
import pytest

from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.report import timeline
from spssn_ros.evaluation.report.timeline import Curve, Source, Tally, Timeline

SECOND = 10**9


def frame(right: int, of: int = 10) -> Tally:
    """One frame of class 0 with `right` of its pixels found and the rest taken for class 1."""
    truth = np.zeros((1, of), np.uint8)
    prediction = truth.copy()
    prediction[0, right:] = 1
    return Tally.of(truth, prediction, 3)


def test_a_frame_s_score_is_the_mean_iou_of_the_classes_in_its_truth() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, (20, 30), np.uint8)
    prediction = np.where(rng.random(truth.shape) < 0.7, truth, 3).astype(np.uint8)
    truth[0] = 255
    prediction[1] = 255
    tally = Tally.of(truth, prediction, 5)
    matrix = ConfusionMatrix(5)
    matrix.update(truth, prediction)
    # Class 3 is only predicted, class 4 nowhere.
    np.testing.assert_allclose(tally.iou()[:3], matrix.iou()[:3])
    assert np.isnan(tally.iou()[3:]).all()
    assert tally.score() == pytest.approx(matrix.iou()[:3].mean())
    assert tally.wrong() == pytest.approx(1 - matrix.global_average())


def test_a_frame_without_truth_has_no_score() -> None:
    void = np.full((2, 2), 255, np.uint8)
    tally = Tally.of(void, np.zeros_like(void), 3)
    assert np.isnan(tally.score())
    assert tally.wrong() == 0


def test_few_frames_are_a_point_each() -> None:
    curve = Curve(5 * SECOND, 5 * SECOND)
    for second, right in ((7, 2), (5, 10), (6, 5)):
        curve.add(second * SECOND, frame(right))
    assert curve.points() == [(0.0, 1.0), (1.0, 0.5), (2.0, 0.2)]


def test_a_long_run_is_gathered_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, 'MAX_WINDOWS', 8)
    start = 2**40
    curve = Curve(start, start)
    for i in range(1000):
        # The first half is perfect, the second half wrong in one pixel of ten.
        curve.add(start + i * 2**20, frame(10 if i < 512 else 9))
    points = curve.points()
    assert 4 <= len(points) <= 8
    assert sum(tally.frames for tally in curve.windows.values()) == 1000
    assert [score for _, score in points] == [1.0] * 4 + [0.9] * 4
    times = [seconds for seconds, _ in points]
    assert times == sorted(times)
    assert times[0] == pytest.approx(64 * 2**20 / 1e9)


def test_merging_gives_the_same_as_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, 'MAX_WINDOWS', 16)
    rng = np.random.default_rng(1)
    frames = [
        (Source('b', f'/{i % 2}'), int(rng.integers(10**12)), frame(int(rng.integers(1, 11))))
        for i in range(300)
    ]
    whole, first, second = Timeline(), Timeline(), Timeline()
    for number, item in enumerate(frames):
        whole.add(*item)
        # Parts of different lengths have windows of different widths.
        (first if number < 20 else second).add(*item)
    before = {source: curve.points() for source, curve in second.curves.items()}
    first.merge(second)
    assert {s: c.points() for s, c in second.curves.items()} == before
    assert list(first.curves) == list(whole.curves) == [Source('b', '/0'), Source('b', '/1')]
    for source, curve in whole.curves.items():
        assert first.curves[source].points() == curve.points()
        assert first.curves[source].part_ns(32) == curve.part_ns(32)


@pytest.mark.parametrize(('span', 'parts'), [(0, 1), (31, 32), (100, 51), (10**12, 59)])
def test_parts_are_powers_of_two(span: int, parts: int) -> None:
    assert span // Curve(0, span).part_ns(32) + 1 == parts


def test_few_frames_are_in_parts_of_their_own() -> None:
    for count in range(2, 33):
        stamps = [7 + i * SECOND for i in range(count)]
        part_ns = Curve(stamps[0], stamps[-1]).part_ns(32)
        assert len({stamp // part_ns for stamp in stamps}) == count
