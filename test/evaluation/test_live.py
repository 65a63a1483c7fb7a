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
"""Labels and truth are paired as they come, and latency and drops are told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from spssn_ros.errors import BadImageError
from spssn_ros.evaluation import live
from spssn_ros.evaluation.live import LiveEvaluation
from spssn_ros.evaluation.report import Source, print_scores
from spssn_ros.labels import CAMVID, CITYSCAPES, LabelSet
from spssn_ros.runtime import EvenSample

Mono = Callable[..., Any]
TRUTH = np.array([[0, 1, 2, 255]], np.uint8)
LABELS = np.array([[0, 1, 1, 0]], np.uint8)


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def evaluation(three_classes: LabelSet, clock: Clock) -> LiveEvaluation:
    return LiveEvaluation(three_classes, clock=clock)


@pytest.fixture
def mono(image_message: Callable[..., Any]) -> Mono:
    return lambda ids: image_message('mono8', ids, ids.shape[1])


def test_pairs_are_scored_in_either_order(evaluation: LiveEvaluation, mono: Mono) -> None:
    evaluation.add_truth(1, mono(TRUTH))
    evaluation.add_truth(2, mono(TRUTH))
    assert evaluation.frames == 0
    evaluation.add_label(2, mono(LABELS))
    evaluation.add_label(1, mono(LABELS))
    evaluation.add_label(3, mono(LABELS))
    assert evaluation.frames == 2
    evaluation.add_truth(3, mono(TRUTH))
    assert evaluation.frames == 3
    assert evaluation.result().matrix.counts.tolist() == [[3, 0, 0], [0, 3, 0], [0, 3, 0]]


def test_a_pair_is_scored_once(evaluation: LiveEvaluation, mono: Mono) -> None:
    evaluation.add_truth(1, mono(TRUTH))
    evaluation.add_label(1, mono(LABELS))
    evaluation.add_label(1, mono(LABELS))
    result = evaluation.result()
    assert (result.frames, result.matrix.total, result.unmatched_images) == (1, 3, 1)


def test_cityscapes_classes_have_their_categories(clock: Clock, mono: Mono) -> None:
    evaluation = LiveEvaluation(CITYSCAPES, clock=clock)
    evaluation.add_truth(1, mono(TRUTH))
    evaluation.add_label(1, mono(LABELS))
    values = evaluation.result().to_dict()
    assert values['category_iou']['flat'] == 2 / 3
    assert values['category_iou']['construction'] == 0
    assert 'iiou' not in values


def test_latency_runs_from_truth_to_label(
    evaluation: LiveEvaluation, clock: Clock, mono: Mono
) -> None:
    for stamp, latency_ms in enumerate((20, 30, 40), start=1):
        evaluation.add_truth(stamp, mono(TRUTH))
        clock.now += latency_ms / 1000
        evaluation.add_label(stamp, mono(LABELS))
        clock.now += 1
    assert evaluation.result().extra['latency_ms'] == {'p50': 30.0, 'p95': 39.0, 'p99': 39.8}


def test_truth_after_its_label_has_no_negative_latency(
    evaluation: LiveEvaluation, clock: Clock, mono: Mono
) -> None:
    evaluation.add_label(1, mono(LABELS))
    clock.now += 5
    evaluation.add_truth(1, mono(TRUTH))
    assert evaluation.result().extra['latency_ms'] == {'p50': 0.0, 'p95': 0.0, 'p99': 0.0}


def test_unanswered_truth_is_dropped_frames(
    evaluation: LiveEvaluation, clock: Clock, mono: Mono
) -> None:
    for stamp in range(1, 11):
        evaluation.add_truth(stamp, mono(TRUTH))
        clock.now += 0.25
        if stamp % 2 == 0:
            evaluation.add_label(stamp, mono(LABELS))
    evaluation.add_label(99, mono(LABELS))
    result = evaluation.result()
    assert (result.frames, result.unmatched_images, result.unmatched_labels) == (5, 1, 5)
    values = result.to_dict()
    assert values['drops'] == 5
    assert values['device'] == 'live'
    assert values['weights'] == ''
    # Six answers, the last two at one time, within two seconds.
    assert result.fps == 5 / 2


def test_a_bag_played_in_a_loop_counts_its_drops_in_every_round(
    evaluation: LiveEvaluation, clock: Clock, mono: Mono
) -> None:
    for _ in range(3):
        for stamp in (1, 2):
            evaluation.add_truth(stamp, mono(TRUTH))
            clock.now += 0.01
        evaluation.add_label(1, mono(LABELS))
        evaluation.add_label(3, mono(LABELS))
    result = evaluation.result()
    assert (result.frames, result.extra['drops'], result.unmatched_images) == (3, 3, 3)
    # The last round's truth is the one that waits, and whose latency counts.
    evaluation.add_label(2, mono(LABELS))
    result = evaluation.result()
    assert (result.frames, result.extra['drops']) == (4, 2)
    assert result.extra['latency_ms']['p99'] == 20.0


PERIOD_S = 0.1
FRAMES = 10


def play_in_a_loop(
    evaluation: LiveEvaluation,
    clock: Clock,
    mono: Mono,
    rounds: int,
    latency: Callable[[int, int], float | None],
    lost_truth: frozenset[tuple[int, int]] = frozenset(),
) -> None:
    """Have rounds of ten frames come at 10 Hz.

    `latency` tells that of a label, by round and frame, in frames; None for none at all.
    """
    events: list[tuple[float, Callable[[int, Any], None], int]] = []
    for number in range(rounds):
        for frame in range(FRAMES):
            at = float(number * FRAMES + frame)
            if (number, frame) not in lost_truth:
                events.append((at, evaluation.add_truth, frame))
            late = latency(number, frame)
            if late is not None:
                events.append((at + late, evaluation.add_label, frame))
    for at, add, frame in sorted(events, key=lambda event: event[0]):
        clock.now = 50.0 + at * PERIOD_S
        add(1_000 + frame * 100, mono(TRUTH))


@pytest.mark.parametrize('late', [-0.5, 0.5, 3.5])
@pytest.mark.parametrize('lost', [0, 1, 5, 9])
def test_what_one_round_of_a_loop_left_tells_no_latency_in_the_next(
    evaluation: LiveEvaluation, clock: Clock, mono: Mono, lost: int, late: float
) -> None:
    play_in_a_loop(evaluation, clock, mono, 4, lambda r, f: None if (r, f) == (1, lost) else late)
    result = evaluation.result()
    assert (result.frames, result.unmatched_images, result.unmatched_labels) == (39, 0, 1)
    assert result.extra['latency_ms']['p99'] == pytest.approx(max(0.0, late * 100.0), abs=0.01)


@pytest.mark.parametrize('late', [-0.5, 0.5, 3.5])
@pytest.mark.parametrize('lost', [1, 5, 8])
def test_a_label_of_one_round_of_a_loop_tells_no_latency_in_the_next(
    evaluation: LiveEvaluation, clock: Clock, mono: Mono, lost: int, late: float
) -> None:
    gone = frozenset({(1, lost)})
    play_in_a_loop(evaluation, clock, mono, 4, lambda r, f: late, gone)
    result = evaluation.result()
    assert (result.frames, result.unmatched_images, result.unmatched_labels) == (39, 1, 0)
    latency_ms = result.extra['latency_ms']
    assert latency_ms['p50'] == pytest.approx(max(0.0, late * 100.0), abs=0.01)


def test_a_node_that_was_away_for_rounds_leaves_the_latency_as_it_is(
    evaluation: LiveEvaluation, clock: Clock, mono: Mono
) -> None:
    play_in_a_loop(
        evaluation, clock, mono, 6, lambda r, f: None if 1 <= r <= 2 else (-0.5, 0.5)[f % 2]
    )
    result = evaluation.result()
    assert (result.frames, result.unmatched_images, result.unmatched_labels) == (40, 0, 20)
    assert result.extra['latency_ms']['p99'] == pytest.approx(50.0, abs=0.01)


def test_two_cameras_whose_stamps_alternate_are_no_loop(
    evaluation: LiveEvaluation, mono: Mono
) -> None:
    stamps = [stamp for n in range(1, 50) for stamp in (1000 * n, 1000 * n - 700)]
    for stamp in stamps:
        evaluation.add_truth(stamp, mono(TRUTH))
    for stamp in stamps:
        evaluation.add_label(stamp, mono(TRUTH))
    assert evaluation.frames == len(stamps)


def test_pairs_are_found_in_whatever_order_they_come(
    evaluation: LiveEvaluation, mono: Mono
) -> None:
    stamps = [300, 200, 100, 250, 150]
    for stamp in stamps:
        evaluation.add_truth(stamp, mono(TRUTH))
    for stamp in sorted(stamps):
        evaluation.add_label(stamp, mono(TRUTH))
    assert evaluation.frames == len(stamps)
    assert evaluation.result().unmatched_labels == 0


def test_pairs_that_cannot_be_scored_are_told_apart_from_what_is_unmatched(
    evaluation: LiveEvaluation, mono: Mono
) -> None:
    for stamp in (1, 2, 3):
        evaluation.add_truth(stamp, mono(TRUTH))
    evaluation.add_label(1, mono(LABELS))
    assert 'refused' not in evaluation.result().to_dict()
    for stamp in (2, 3):
        with pytest.raises(BadImageError, match=f'frame with stamp {stamp} ns'):
            evaluation.add_label(stamp, mono(LABELS[:, :2]))
    result = evaluation.result()
    assert (result.frames, result.unmatched_images, result.unmatched_labels) == (1, 0, 0)
    assert result.to_dict()['refused'] == 2
    console = Console(record=True, width=100)
    print_scores(result, console)
    assert 'refused: 2 pairs that could not be scored' in console.export_text()


def test_nothing_yet(evaluation: LiveEvaluation) -> None:
    result = evaluation.result()
    values = result.to_dict()
    assert (values['frames'], values['miou'], values['fps'], values['drops']) == (0, None, 0, 0)
    assert 'latency_ms' not in values


def test_what_waits_is_bounded(
    evaluation: LiveEvaluation, mono: Mono, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, '_MAX_WAITING', 3)
    for stamp in range(1, 11):
        evaluation.add_truth(stamp, mono(TRUTH))
        evaluation.add_label(100 + stamp, mono(LABELS))
    # The newest three still find their other halves.
    for stamp in range(6, 11):
        evaluation.add_label(stamp, mono(LABELS))
    result = evaluation.result()
    assert (result.frames, result.unmatched_labels, result.extra['drops']) == (3, 7, 7)
    assert result.unmatched_images == 10 + 2


def test_what_waits_is_bounded_in_bytes_too(
    evaluation: LiveEvaluation, mono: Mono, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, '_MOST_WAITING_BYTES', 3 * TRUTH.size)
    for stamp in range(1, 11):
        evaluation.add_truth(stamp, mono(TRUTH))
    for stamp in range(1, 11):
        evaluation.add_label(stamp, mono(LABELS))
    assert evaluation.frames == 3
    # One waits however large it is.
    monkeypatch.setattr(live, '_MOST_WAITING_BYTES', 1)
    evaluation.add_truth(11, mono(TRUTH))
    evaluation.add_label(11, mono(LABELS))
    result = evaluation.result()
    assert (result.frames, result.unmatched_labels) == (4, 7)


def test_what_has_no_stamp_is_not_paired(evaluation: LiveEvaluation, mono: Mono) -> None:
    # The label of a frame would be scored against the truth of the one that follows.
    for _ in range(3):
        with pytest.raises(
            BadImageError, match=r'a truth image has no stamp \(header.stamp is ze'
        ):
            evaluation.add_truth(0, mono(TRUTH))
        with pytest.raises(BadImageError, match='a label has no stamp'):
            evaluation.add_label(0, mono(LABELS))
    evaluation.add_truth(1, mono(TRUTH))
    evaluation.add_label(1, mono(LABELS))
    result = evaluation.result()
    assert (result.frames, result.unmatched_images, result.unmatched_labels) == (1, 3, 3)
    assert (evaluation.labels_received, evaluation.truths_received) == (4, 4)


def test_latencies_of_days_take_no_more_memory(
    evaluation: LiveEvaluation, clock: Clock, mono: Mono, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, '_latencies_ms', EvenSample(10))
    for stamp in range(1, 1001):
        evaluation.add_truth(stamp, mono(TRUTH))
        clock.now += stamp / 1e3
        evaluation.add_label(stamp, mono(LABELS))
    assert len(evaluation._latencies_ms) < 20
    assert evaluation.result().extra['latency_ms']['p50'] == pytest.approx(500, abs=100)


def test_camvid_s_own_void_is_void(mono: Mono) -> None:
    evaluation = LiveEvaluation(CAMVID)
    evaluation.add_truth(1, mono(np.array([[0, 11, 255, 10]], np.uint8)))
    evaluation.add_label(1, mono(np.array([[0, 1, 2, 10]], np.uint8)))
    result = evaluation.result()
    assert (result.matrix.total, result.matrix.global_average()) == (2, 1.0)


def test_pairs_that_cannot_be_scored_are_named_and_skipped(
    evaluation: LiveEvaluation, mono: Mono, image_message: Callable[..., Any]
) -> None:
    evaluation.add_truth(1, mono(TRUTH))
    with pytest.raises(BadImageError, match=r'^frame with stamp 1 ns: truth is 4x1 but the pre'):
        evaluation.add_label(1, mono(LABELS[:, :2]))
    evaluation.add_truth(2, mono(TRUTH + 1))
    with pytest.raises(BadImageError, match=r'^frame with stamp 2 ns: truth holds .*class: 3; '):
        evaluation.add_label(2, mono(LABELS))
    evaluation.add_label(3, image_message('rgb8', np.zeros((1, 12), np.uint8), 4))
    with pytest.raises(BadImageError, match=r"^frame with stamp 3 ns: image 4x1 'rgb8': a label"):
        evaluation.add_truth(3, mono(TRUTH))
    evaluation.add_truth(4, mono(TRUTH))
    evaluation.add_label(4, mono(LABELS))
    result = evaluation.result()
    assert (result.frames, result.matrix.total) == (1, 3)
    assert (result.unmatched_images, result.unmatched_labels) == (0, 0)


def test_a_gallery_is_kept_when_asked_for(three_classes: LabelSet, mono: Mono) -> None:
    assert LiveEvaluation(three_classes).gallery is None
    evaluation = LiveEvaluation(three_classes, True, Source('', '/label'))
    evaluation.add_truth(1, mono(TRUTH))
    evaluation.add_label(1, mono(LABELS))
    assert evaluation.gallery is not None
    (shown,) = evaluation.gallery.worst
    # Classes 0 and 1 in part, class 2 not at all.
    assert shown.source.topic == '/label'
    assert (shown.wrong, shown.score) == pytest.approx((1 / 3, (1 + 0.5 + 0) / 3))


def test_the_camera_s_picture_stands_first_in_the_gallery(
    three_classes: LabelSet,
    mono: Mono,
    image_message: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, '_MAX_IMAGES', 3)
    evaluation = LiveEvaluation(three_classes, with_gallery=True)
    row = np.arange(12, dtype=np.uint8)[None]
    evaluation.add_image(1, image_message('rgb8', row, 4))
    evaluation.add_image(2, image_message('bgr8', row, 4))
    # Another size, or what cannot be decoded, is not shown; nor is what came too long ago.
    evaluation.add_image(3, image_message('rgb8', row[:, :9], 3))
    evaluation.add_image(4, image_message('strange', row, 4))
    for stamp in range(1, 5):
        evaluation.add_truth(stamp, mono(TRUTH))
        evaluation.add_label(stamp, mono(LABELS))
    assert evaluation.gallery is not None
    pictures = {shown.stamp_ns: shown.rgb for shown in evaluation.gallery.worst}
    assert [pictures[stamp] is None for stamp in range(1, 5)] == [True, False, True, True]
    np.testing.assert_array_equal(pictures[2], row.reshape(1, 4, 3)[..., ::-1])
