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
"""The gallery shows the frames that it says it shows, and keeps few."""

import pickle

import numpy as np
import pytest

from spssn_ros.evaluation.report import Gallery, Shown, Source
from spssn_ros.labels import LabelSet

SECOND = 10**9


def offer(gallery: Gallery, stamp_ns: int, wrong: int, source: Source | None = None) -> None:
    """Offer a frame of 1000 pixels of class 0, of which `wrong` are taken for class 1."""
    truth = np.zeros((1, 1000), np.uint8)
    prediction = truth.copy()
    prediction[0, :wrong] = 1
    gallery.offer(stamp_ns, None, truth, prediction, source)


def scores(frames: list[Shown]) -> list[float]:
    return [round(frame.score, 3) for frame in frames]


def test_the_worst_frames_are_those_of_the_lowest_score(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes, shown=3)
    for i in range(20):
        offer(gallery, i * SECOND, i * 370 % 1000)
    # Frame i has (370 i mod 1000) wrong pixels of 1000: 8 has 960, 16 has 920, 13 has 810.
    assert [frame.stamp_ns // SECOND for frame in gallery.worst] == [8, 16, 5]
    assert scores(gallery.worst) == [0.04, 0.08, 0.15]
    assert [frame.wrong for frame in gallery.worst] == pytest.approx([0.96, 0.92, 0.85])


def test_the_median_frames_are_nearest_the_median(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes, shown=4)
    wrong = np.random.default_rng(0).permutation(np.arange(0, 1000, 5))
    for i, count in enumerate(wrong):
        offer(gallery, i * SECOND, int(count))
    exact = float(np.median(1 - wrong / 1000))
    assert gallery.median_score() == pytest.approx(exact, abs=0.005)
    # Not the very nearest, since the median was not known when they went by, but near.
    assert len(gallery.median) == 4
    for frame in gallery.median:
        assert frame.score == pytest.approx(exact, abs=0.05)


def test_a_moving_median_is_followed(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes, shown=2)
    for i in range(600):
        offer(gallery, i * SECOND, i)
    assert gallery.median_score() == pytest.approx(0.7, abs=0.002)
    assert len(gallery.median) == 2
    for frame in gallery.median:
        assert frame.score == pytest.approx(0.7, abs=0.1)


def test_frames_in_a_row_are_shown_once(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes, shown=4)
    # One bad stretch within a long good drive, and one bad frame elsewhere.
    for i in range(3000):
        bad = 900 + i % 7 if 1000 <= i < 1040 else 800 if i == 2500 else i % 50
        offer(gallery, i * SECOND // 30, bad)
    worst = gallery.worst
    assert worst[0].score == pytest.approx(1 - 0.906)
    part_ns = next(iter(gallery.timeline.curves.values())).part_ns(32)
    assert part_ns >= 2 * SECOND
    assert len({frame.stamp_ns // part_ns for frame in worst}) == len(worst) == 4
    assert 2500 * SECOND // 30 in [frame.stamp_ns for frame in worst]


def test_two_cameras_may_both_be_bad_at_one_time(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes, shown=2)
    for i in range(100):
        for topic in ('/front', '/rear'):
            offer(gallery, i * SECOND, 900 if i == 50 else 10, Source('bag', topic))
    assert [(f.source.topic, f.stamp_ns) for f in gallery.worst] == [
        ('/front', 50 * SECOND),
        ('/rear', 50 * SECOND),
    ]


def test_memory_stays_bounded(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes, shown=3)
    for i in range(500):
        offer(gallery, i * SECOND, i * 37 % 1000)
    assert len(gallery._worst) <= 6
    assert len(gallery._middle) <= 9
    kept = pickle.dumps(gallery)
    for i in range(500, 1000):
        offer(gallery, i * SECOND, i * 37 % 1000)
    assert len(pickle.dumps(gallery)) < 1.5 * len(kept)


def test_kept_frames_are_copies(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes)
    rgb = np.full((1, 2, 3), 7, np.uint8)
    truth, prediction = np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8)
    gallery.offer(1, rgb, truth, prediction)
    for reused in (rgb, truth, prediction):
        reused[:] = 99
    (frame,) = gallery.worst
    assert frame.rgb is not None
    assert (frame.rgb.max(), frame.truth.max(), frame.prediction.max()) == (7, 1, 0)
    assert gallery.median == gallery.worst


def test_a_frame_without_truth_is_not_shown(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes)
    gallery.offer(1, None, np.full((1, 4), 255, np.uint8), np.zeros((1, 4), np.uint8))
    assert (gallery.worst, gallery.median, dict(gallery.timeline.curves)) == ([], [], {})
    assert np.isnan(gallery.median_score())


def test_merged_galleries_show_what_one_would(three_classes: LabelSet) -> None:
    whole, first, second = (Gallery(three_classes, shown=3) for _ in range(3))
    for i in range(60):
        source = Source('first' if i < 30 else 'second')
        offer(whole, i * SECOND, i * 370 % 1000, source)
        offer(first if i < 30 else second, i * SECOND, i * 370 % 1000, source)
    # As it comes back from another process.
    first.merge(pickle.loads(pickle.dumps(second)))
    assert scores(first.worst) == scores(whole.worst)
    assert [f.stamp_ns for f in first.worst] == [f.stamp_ns for f in whole.worst]
    assert first.median_score() == whole.median_score()
    for frame in first.median:
        assert frame.score == pytest.approx(whole.median_score(), abs=0.05)
    for source, curve in whole.timeline.curves.items():
        assert first.timeline.curves[source].points() == curve.points()
