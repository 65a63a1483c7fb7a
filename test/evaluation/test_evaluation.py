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
"""Bags are scored exactly, the same at every run, and bad ones are explained."""

import gc
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from red_segmenter import RedSegmenter

from spssn_ros.bags.writer import BagWriter, Storage
from spssn_ros.errors import BagError, ConfigError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation import evaluate as evaluate_module
from spssn_ros.evaluation.evaluate import EvaluationConfig, evaluate
from spssn_ros.evaluation.report import Gallery, Source
from spssn_ros.evaluation.truth import TruthFormat
from spssn_ros.inference import Segmentation, Segmenter
from spssn_ros.labels import CAMVID, LabelSet

WriteBag = Callable[..., Path]
SECOND = 1_000_000_000
# The JSON's keys, as promised to users.
KEYS = [
    'miou',
    'class_average',
    'global_average',
    'iou',
    'accuracy',
    'confusion',
    'classes',
    'frames',
    'unmatched_images',
    'unmatched_labels',
    'weights',
    'device',
    'fps',
]


def colored(labels: np.ndarray) -> np.ndarray:
    return np.stack([labels, labels * 0 + 99, labels * 0 + 7], -1)


def config_for(*bags: Path, prediction: str = '') -> EvaluationConfig:
    return EvaluationConfig(bags, '/image', '/truth', prediction)


@pytest.fixture
def frames() -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Stamps, predictions and truth of five frames."""
    rng = np.random.default_rng(0)
    shape = (6, 8)
    return [
        (
            (t + 1) * SECOND,
            rng.integers(0, 3, shape).astype(np.uint8),
            rng.choice([0, 1, 2, 255], shape).astype(np.uint8),
        )
        for t in range(5)
    ]


@pytest.mark.parametrize('storage', list(Storage))
def test_a_bag_is_scored_over_all_its_pairs(
    write_bag: WriteBag, frames: list, three_classes: LabelSet, storage: Storage
) -> None:
    # The camera is three times as fast as the labels; one label has no image.
    between = [(s + i, colored(p)) for s, p, _ in frames for i in (0, SECOND // 3, SECOND // 2)]
    bag = write_bag(between, [(s, t) for s, _, t in frames] + [(5, frames[0][2])], storage)
    steps: list[tuple[int, int]] = []
    segmenter: Any = RedSegmenter()
    result = evaluate(
        config_for(bag),
        three_classes,
        segmenter,
        progress=lambda done, total: steps.append((done, total)),
    )
    expected = np.zeros((3, 3), int)
    for _, prediction, truth in frames:
        for t, p in zip(truth.flat, prediction.flat, strict=True):
            if t != 255:
                expected[t, p] += 1
    np.testing.assert_array_equal(result.matrix.counts, expected)
    assert (result.frames, result.unmatched_images, result.unmatched_labels) == (5, 10, 1)
    assert steps == [(i, 6) for i in range(1, 6)]
    assert result.device == 'red'
    assert result.fps > 0
    # The network saw the frames in order, in RGB, and none of the others.
    for (_, prediction, _), seen in zip(frames, segmenter.frames, strict=True):
        np.testing.assert_array_equal(seen, colored(prediction))


@pytest.mark.parametrize(('count', 'fps'), [(1, 1 / 16), (2, 2.0), (5, 2.0)])
def test_the_rate_leaves_the_first_frame_out_where_there_are_more(
    write_bag: WriteBag,
    frames: list,
    three_classes: LabelSet,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    fps: float,
) -> None:
    now = [100.0]

    class Slow(RedSegmenter):
        def __call__(self, rgb: np.ndarray, with_confidence: bool = False) -> Segmentation:
            # Compiling takes its time.
            now[0] += 0.5 if self.frames else 16.0
            return super().__call__(rgb)

    monkeypatch.setattr(evaluate_module, 'time', SimpleNamespace(perf_counter=lambda: now[0]))
    few = frames[:count]
    bag = write_bag([(s, colored(p)) for s, p, _ in few], [(s, t) for s, _, t in few])
    segmenter: Any = Slow()
    assert evaluate(config_for(bag), three_classes, segmenter).fps == fps


def test_several_bags_are_scored_together(
    write_bag: WriteBag, frames: list, three_classes: LabelSet
) -> None:
    def bag_of(part: list, name: str) -> Path:
        return write_bag(
            [(s, colored(p)) for s, p, _ in part], [(s, t) for s, _, t in part], name=name
        )

    whole = config_for(bag_of(frames, 'whole'))
    parts = config_for(bag_of(frames[:2], 'first'), bag_of(frames[2:], 'second'))
    segmenter: Any = RedSegmenter()
    one, two = (evaluate(config, three_classes, segmenter) for config in (whole, parts))
    np.testing.assert_array_equal(one.matrix.counts, two.matrix.counts)
    assert one.frames == two.frames == 5


def test_recorded_predictions_are_scored_without_a_network(
    tmp_path: Path, frames: list, three_classes: LabelSet
) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for stamp, prediction, truth in frames:
            bag.write_image('/truth', stamp, 'camera', truth)
            unsure = np.where(prediction == 2, 255, prediction).astype(np.uint8)
            bag.write_image('/labels', stamp, 'camera', unsure)
    config = config_for(tmp_path / 'bag', prediction='/labels')
    result = evaluate(config, three_classes, None)
    truths = np.concatenate([t for _, _, t in frames])
    predictions = np.concatenate([p for _, p, _ in frames])
    known = truths != 255
    assert result.matrix.total == known.sum()
    assert result.matrix.counts[:, 2].tolist() == [0, 0, 0]
    assert result.matrix.unknown.sum() == (known & (predictions == 2)).sum()
    assert (
        np.trace(result.matrix.counts) == (known & (truths == predictions))[predictions != 2].sum()
    )
    assert result.to_dict()['unknown'] == dict(
        zip('abc', result.matrix.unknown.tolist(), strict=True)
    )


def test_compressed_images_are_decoded(tmp_path: Path, three_classes: LabelSet) -> None:
    labels = np.tile(np.array([0, 1, 2, 2], np.uint8), (4, 1))
    with BagWriter(tmp_path / 'bag') as bag:
        png = cv2.imencode('.png', colored(labels)[..., ::-1])[1].tobytes()
        bag.write_compressed('/image', 1, 'camera', png, 'png')
        bag.write_image('/truth', 1, 'camera', labels)
    segmenter: Any = RedSegmenter()
    assert evaluate(config_for(tmp_path / 'bag'), three_classes, segmenter).matrix.miou() == 1.0


def test_camvid_s_own_void_is_void(write_bag: WriteBag, three_classes: LabelSet) -> None:
    truth = np.array([[0, 11, 255, 10]], np.uint8)
    prediction = np.array([[0, 1, 2, 10]], np.uint8)
    bag = write_bag([(1, colored(prediction))], [(1, truth)])
    segmenter: Any = RedSegmenter()
    result = evaluate(config_for(bag), CAMVID, segmenter)
    assert (result.matrix.total, result.matrix.global_average()) == (2, 1.0)
    with pytest.raises(BagError, match='truth holds ids that are no class: 10, 11'):
        evaluate(config_for(bag), three_classes, segmenter)


def test_the_json_has_the_promised_keys(
    write_bag: WriteBag, frames: list, three_classes: LabelSet
) -> None:
    bag = write_bag([(s, colored(p)) for s, p, _ in frames], [(s, t) for s, _, t in frames])
    segmenter: Any = RedSegmenter()
    result = evaluate(config_for(bag), three_classes, segmenter)
    values = json.loads(result.to_json())
    assert list(values) == KEYS
    assert values['classes'] == ['a', 'b', 'c']
    assert values['confusion'] == result.matrix.counts.tolist()
    assert values['iou'] == dict(zip('abc', result.matrix.iou().tolist(), strict=True))
    assert values['accuracy'] == dict(zip('abc', result.matrix.accuracy().tolist(), strict=True))
    assert 0 < values['miou'] < 1
    assert (values['frames'], values['device']) == (5, 'red')


def test_two_runs_of_a_network_are_equal(
    write_bag: WriteBag, random_weights: Path, picture: Callable[..., np.ndarray]
) -> None:
    truth = np.random.default_rng(1).integers(0, 12, (64, 96)).astype(np.uint8)
    bag = write_bag(
        [(i, picture(96, 64, i)) for i in range(1, 5)], [(i, truth) for i in (1, 2, 4)]
    )
    counts = []
    for _ in range(2):
        segmenter = Segmenter.from_weights(
            random_weights, device='cpu', backend='torch', precision='float32', cpu_threads=1
        )
        counts.append(evaluate(config_for(bag), CAMVID, segmenter).matrix.counts)
    np.testing.assert_array_equal(counts[0], counts[1])
    assert len(np.unique(counts[0].sum(0))) > 2


def test_frames_worth_showing_are_offered(
    write_bag: WriteBag, frames: list, three_classes: LabelSet
) -> None:
    bag = write_bag([(s, colored(p)) for s, p, _ in frames], [(s, t) for s, _, t in frames])
    gallery = Gallery(three_classes, shown=2)
    segmenter: Any = RedSegmenter()
    evaluate(config_for(bag), three_classes, segmenter, gallery)
    scores = {}
    for stamp, prediction, truth in frames:
        matrix = ConfusionMatrix(3)
        matrix.update(truth, prediction)
        scores[stamp] = matrix.iou()[np.unique(truth[truth != 255])].mean()
    assert [shown.stamp_ns for shown in gallery.worst] == sorted(scores, key=scores.get)[:2]
    assert {shown.source for shown in gallery.worst} == {Source(str(bag), '/image')}


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('storage', list(Storage))
@pytest.mark.parametrize(
    ('truth', 'text'),
    [
        (np.full((6, 8), 7, np.uint8), 'truth holds ids that are no class: 7'),
        (np.zeros((6, 9), np.uint8), 'truth is 9x6 but the prediction is 8x6; both must have'),
        (
            np.full((6, 8, 3), 7, np.uint8),
            'truth: colour (7, 7, 7) at row 0, column 0 is not one o',
        ),
    ],
)
def test_a_bad_frame_is_named_by_bag_and_stamp(
    write_bag: WriteBag,
    frames: list,
    three_classes: LabelSet,
    storage: Storage,
    truth: np.ndarray,
    text: str,
) -> None:
    truths = [(s, t) for s, _, t in frames]
    truths[1] = (2 * SECOND, truth)
    bag = write_bag([(s, colored(p)) for s, p, _ in frames], truths, storage)
    segmenter: Any = RedSegmenter()
    place = f'bag {bag}, frame of /image with stamp 2.000000000: {text}'
    with pytest.raises(BagError, match=f'^{re.escape(place)}'):
        evaluate(config_for(bag), three_classes, segmenter)
    # The bag that is left half read is closed without complaint.
    gc.collect()


def test_no_stamp_in_common(write_bag: WriteBag, frames: list, three_classes: LabelSet) -> None:
    bag = write_bag(
        [(s + 1, colored(p)) for s, p, _ in frames], [(s, t) for s, _, t in frames[:3]]
    )
    segmenter: Any = RedSegmenter()
    text = f'bag {bag}: no stamp is on both /image (5 messages) and /truth (3); the nearest two'
    with pytest.raises(BagError, match=f'^{re.escape(text)}'):
        evaluate(config_for(bag), three_classes, segmenter)


def test_every_bag_is_looked_at_before_the_work_begins(
    write_bag: WriteBag, frames: list, three_classes: LabelSet, tmp_path: Path
) -> None:
    bag = write_bag([(s, colored(p)) for s, p, _ in frames], [(s, t) for s, _, t in frames])
    segmenter: Any = RedSegmenter()
    with pytest.raises(BagError, match='missing does not exist'):
        evaluate(config_for(bag, tmp_path / 'missing'), three_classes, segmenter)
    assert segmenter.frames == []


def test_a_bag_that_is_given_twice(write_bag: WriteBag, tmp_path: Path) -> None:
    bag, other = (write_bag([(1, np.zeros((1, 1), np.uint8))], [], name=n) for n in ('bag', 'b'))
    link = tmp_path / 'link'
    link.symlink_to('bag')
    again = tmp_path / 'b' / '..' / 'bag'
    for twins, text in (
        ((bag, other, bag), f'bag {bag} is given twice and would count twice; give it once'),
        ((bag, link), f'{bag} and {link} are one bag and would count twice'),
        ((again, bag), f'{again} and {bag} are one bag and'),
        ((link / 'bag.mcap', bag), f'{link}/bag.mcap is a file of bag {bag} and would count twic'),
    ):
        with pytest.raises(ConfigError, match=f'^{re.escape(text)}'):
            config_for(*twins)
    # What is not there is told of when it is opened.
    config_for(bag, other, tmp_path / 'gone')


def test_no_bag() -> None:
    with pytest.raises(ConfigError, match=r'^no bag to evaluate; give at least one$'):
        config_for()


@pytest.mark.parametrize(
    ('topics', 'text'),
    [
        ((['/a', '/b'], ['/t']), '2 image topics (/a, /b) but 1 label topics (/t); give each its'),
        ((['/a', '/t'], ['/b', '/t']), '/t cannot be its own truth; give another label topic'),
        (([], []), '0 image topics () but 0 label topics ()'),
        ((['/a'], ['/t'], ['/p', '/q']), '2 prediction topics (/p, /q) but 1 label topics (/t)'),
    ],
)
def test_topics_that_are_not_paired(topics: tuple, text: str) -> None:
    with pytest.raises(ConfigError, match=f'^{re.escape(text)}'):
        EvaluationConfig([Path('bag')], *topics)


def test_numbers_out_of_range() -> None:
    for name, value, text in (
        ('slop_ms', -1.0, 'slop is -1.0 ms; give 0 or more'),
        ('slop_ms', float('nan'), 'slop is nan ms; give 0 or more'),
        ('workers', -1, 'workers is -1; give 0 to 64'),
        ('workers', 65, 'workers is 65; give 0 to 64'),
    ):
        with pytest.raises(ConfigError, match=f'^{text}$'):
            EvaluationConfig([Path('bag')], '/i', '/t', **{name: value})


@pytest.fixture
def two_cameras(tmp_path: Path, frames: list) -> Path:
    """A bag whose front camera has all five frames, the rear one the last three, wrong."""
    with BagWriter(tmp_path / 'two') as bag:
        for number, (stamp, prediction, truth) in enumerate(frames):
            bag.write_image('/front', stamp, 'camera', colored(prediction))
            bag.write_image('/front_truth', stamp, 'camera', truth)
            bag.write_image('/front_labels', stamp, 'camera', prediction)
            bag.write_image('/rear', stamp, 'camera', colored((prediction + 1) % 3))
            bag.write_image('/rear_labels', stamp, 'camera', (prediction + 1) % 3)
            if number >= 2:
                bag.write_image('/rear_truth', stamp, 'camera', truth)
    return tmp_path / 'two'


@pytest.mark.parametrize('recorded', [False, True])
def test_cameras_add_up_to_one_matrix(
    two_cameras: Path, three_classes: LabelSet, frames: list, recorded: bool
) -> None:
    segmenter: Any = None if recorded else RedSegmenter()
    results = []
    for names in (['front'], ['rear'], ['front', 'rear']):
        images, truths, labels = (
            [f'/{name}{kind}' for name in names] for kind in ('', '_truth', '_labels')
        )
        config = EvaluationConfig([two_cameras], images, truths, labels if recorded else ())
        results.append(evaluate(config, three_classes, segmenter))
    front, rear, both = results
    assert (front.frames, rear.frames, both.frames) == (5, 3, 8)
    assert (both.unmatched_images, both.unmatched_labels) == (2, 0)
    np.testing.assert_array_equal(both.matrix.counts, front.matrix.counts + rear.matrix.counts)
    assert front.matrix.counts.tolist() != rear.matrix.counts.tolist()
    pixels = sum(int((truth != 255).sum()) for _, _, truth in frames[2:])
    assert rear.matrix.total == pixels


def test_the_topic_of_a_bad_frame_is_named(
    write_bag: WriteBag, two_cameras: Path, three_classes: LabelSet
) -> None:
    config = EvaluationConfig([two_cameras], ['/front', '/rear'], ['/front_truth', '/front'])
    segmenter: Any = RedSegmenter()
    with pytest.raises(BagError, match=r'two, frame of /rear with stamp 1\.0+: truth: colour \('):
        evaluate(config, three_classes, segmenter)


def test_a_bag_without_a_pair_is_named(
    write_bag: WriteBag, frames: list, three_classes: LabelSet
) -> None:
    bags = [
        write_bag(
            [(s, colored(p)) for s, p, _ in frames],
            [(s + late, t) for s, _, t in frames],
            name=name,
        )
        for name, late in (('good', 0), ('late', 1000))
    ]
    segmenter: Any = RedSegmenter()
    with pytest.raises(BagError, match=r'^bag .*/late: no stamp is on both /image \(5 messages\)'):
        evaluate(config_for(*bags), three_classes, segmenter)


@pytest.mark.parametrize('recorded', [False, True])
def test_the_number_of_workers_changes_nothing(
    write_bag: WriteBag, frames: list, three_classes: LabelSet, recorded: bool
) -> None:
    many = [(s + i, p, t) for i in range(6) for s, p, t in frames]
    bag = write_bag(
        [(s, p if recorded else colored(p)) for s, p, _ in many], [(s, t) for s, _, t in many]
    )
    counts, orders = [], []
    for workers in (0, 1, 2, 4):
        segmenter: Any = None if recorded else RedSegmenter()
        config = EvaluationConfig(
            [bag], '/image', '/truth', '/image' if recorded else (), workers=workers
        )
        result = evaluate(config, three_classes, segmenter)
        assert result.frames == 30
        counts.append(result.matrix.counts)
        orders.append([] if recorded else [seen.tobytes() for seen in segmenter.frames])
    for other, order in zip(counts, orders, strict=True):
        np.testing.assert_array_equal(other, counts[0])
        assert order == orders[0]
    assert counts[0].sum() == 6 * sum(int((t != 255).sum()) for _, _, t in frames)


@pytest.mark.parametrize('workers', [0, 1, 4])
def test_an_error_ends_the_threads_and_is_that_of_the_first_bad_frame(
    write_bag: WriteBag, frames: list, three_classes: LabelSet, workers: int
) -> None:
    truths = [(s, t if s < 3 * SECOND else np.full_like(t, s // SECOND)) for s, _, t in frames]
    bag = write_bag([(s, colored(p)) for s, p, _ in frames], truths)
    before = threading.active_count()
    segmenter: Any = RedSegmenter()
    config = EvaluationConfig([bag], '/image', '/truth', workers=workers)
    with pytest.raises(BagError, match=r'stamp 3\.0+: truth holds ids that are no class: 3; the'):
        evaluate(config, three_classes, segmenter)
    assert threading.active_count() == before


def test_labels_and_predictions_may_be_png(tmp_path: Path, three_classes: LabelSet) -> None:
    truth = np.array([[0, 1, 2, 255]], np.uint8)
    prediction = np.array([[0, 1, 1, 0]], np.uint8)
    with BagWriter(tmp_path / 'bag') as bag:
        for topic, labels in (('/truth', truth), ('/labels', prediction)):
            png = cv2.imencode('.png', labels)[1].tobytes()
            bag.write_compressed(topic, 1, 'camera', png, 'mono8; png compressed ')
    config = config_for(tmp_path / 'bag', prediction='/labels')
    counts = evaluate(config, three_classes, None).matrix.counts
    assert counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_truth_of_other_classes_is_refused(three_classes: LabelSet) -> None:
    for truth in (TruthFormat.CAMVID_COLORS, TruthFormat.CITYSCAPES_IDS):
        config = EvaluationConfig([Path('bag')], '/image', '/truth', truth=truth)
        with pytest.raises(ConfigError, match=rf"^truth '{truth.value}' tells the classes .*road"):
            evaluate(config, three_classes, None)
