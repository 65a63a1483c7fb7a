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
"""The report shows the scores and the frames that they come from."""

import csv
import io
import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.report import Gallery, print_scores, write_png, write_report
from spssn_ros.evaluation.result import EvaluationResult, write_text
from spssn_ros.labels import LabelSet

TRUTH = np.array([[0, 0, 1, 255]], np.uint8)
PREDICTION = np.array([[0, 1, 1, 0]], np.uint8)


@pytest.fixture
def result(three_classes: LabelSet) -> EvaluationResult:
    matrix = ConfusionMatrix(3)
    matrix.update(TRUTH, PREDICTION)
    return EvaluationResult(three_classes, matrix, 1, 2, 3, 'w.safetensors', 'cpu', 12.345)


def test_the_files_are_written_and_nothing_else(
    tmp_path: Path, result: EvaluationResult, three_classes: LabelSet
) -> None:
    gallery = Gallery(three_classes)
    gallery.offer(1, np.full((1, 4, 3), 9, np.uint8), TRUTH, PREDICTION)
    folder = tmp_path / 'new' / 'report'
    written = write_report(folder, result, gallery)
    names = ['scores.json', 'scores.csv', 'confusion.png', 'worst_1.png', 'sample_1.png']
    assert [path.name for path in written] == names
    assert {path.name for path in folder.iterdir()} == set(names)
    assert json.loads((folder / 'scores.json').read_text()) == result.to_dict()
    confusion = cv2.imread(str(folder / 'confusion.png'))
    assert min(confusion.shape[:2]) >= 300
    assert len(np.unique(confusion)) > 10
    # image | truth | prediction | error: red is wrong, grey is void.
    strip = cv2.imread(str(folder / 'worst_1.png'))[..., ::-1]
    red, green, black = [255, 0, 0], [0, 255, 0], [0, 0, 0]
    white, wrong, void = [255] * 3, [220, 30, 30], [200] * 3
    assert strip.tolist() == [
        [[9] * 3] * 4
        + [red, red, green, black]
        + [red, green, green, red]
        + [white, wrong, white, void]
    ]


def test_the_csv_holds_fractions(tmp_path: Path, result: EvaluationResult) -> None:
    write_report(tmp_path, result, Gallery(result.label_set))
    rows = list(csv.reader(io.StringIO((tmp_path / 'scores.csv').read_text())))
    assert rows == [
        ['class', 'iou', 'accuracy'],
        ['a', '0.5', '0.5'],
        ['b', '0.5', '1.0'],
        ['c', '', ''],
        ['mean', '0.5', '0.75'],
    ]


def test_the_printed_scores(result: EvaluationResult) -> None:
    out = io.StringIO()
    print_scores(result, Console(file=out, width=120))
    text = out.getvalue()
    rows = [line.split() for line in text.splitlines()]
    cells = {row[1]: row[3::2] for row in rows if len(row) > 4}
    assert cells['a'] == ['50.00', '50.00', '66.67']
    assert cells['b'] == ['50.00', '100.00', '33.33']
    assert cells['c'] == ['-', '-', '0.00']
    assert cells['mean'][:2] == ['50.00', '75.00']
    assert 'mIoU 50.00%, class average 75.00%, global average 66.67% over 1 frames' in text
    assert 'not in truth or prediction, left out of the mean: c' in text
    assert 'unmatched: 2 images without truth, 3 truth images without image' in text
    assert '12.3 frames/s' in text


def test_the_json_of_nothing_has_no_nan(three_classes: LabelSet) -> None:
    result = EvaluationResult(three_classes, ConfusionMatrix(3))
    values = json.loads(result.to_json())
    assert values['miou'] is None
    assert values['iou'] == {'a': None, 'b': None, 'c': None}
    assert values['confusion'] == [[0] * 3] * 3


def offer(gallery: Gallery, count: int, wrong_of: int = 100) -> None:
    """Offer frames 0, 1, ...; frame i has (i * 37) % wrong_of wrong pixels of 100."""
    truth = np.zeros((1, 100), np.uint8)
    for i in range(count):
        prediction = truth.copy()
        prediction[0, : i * 37 % wrong_of] = 1
        gallery.offer(i, None, truth, prediction)


def test_the_gallery_keeps_the_worst(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes, worst=3)
    offer(gallery, 100)
    assert [shown.badness for shown in gallery.worst] == [0.99, 0.98, 0.97]
    # Without an image the strip starts with the truth.
    assert gallery.worst[0].strip.shape == (1, 300, 3)


@pytest.mark.parametrize('count', [0, 1, 4, 5, 7, 8, 9, 40, 101])
def test_samples_are_spread_over_the_run(three_classes: LabelSet, count: int) -> None:
    gallery = Gallery(three_classes, sampled=4)
    offer(gallery, count)
    stamps = [shown.stamp_ns for shown in gallery.samples]
    assert len(stamps) == min(count, 4)
    edges = [*stamps, count]
    gaps = [b - a for a, b in pairwise(edges)]
    # No part of the run is left out: no gap is much more than the mean one.
    assert all(0 < gap <= 1.5 * count / 4 + 1 for gap in gaps)


def test_memory_stays_bounded(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes, worst=2, sampled=3)
    offer(gallery, 500)
    assert len(gallery._worst) == 2
    assert len(gallery._samples) < 6


def test_a_frame_without_truth_is_not_bad(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes)
    gallery.offer(1, None, np.full((1, 4), 255, np.uint8), PREDICTION)
    assert gallery.worst[0].badness == 0.0


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(type(tmp_path)):
        def write_bytes(self, data: bytes) -> int:
            super().write_bytes(data[:10])
            raise OSError(28, 'No space left on device')

        def write_text(self, data: str, encoding: str | None = None) -> int:
            return self.write_bytes(data.encode())

    folder = Full(tmp_path)
    with pytest.raises(OSError, match='No space left'):
        write_png(folder / 'a.png', np.zeros((50, 50, 3), np.uint8))
    with pytest.raises(OSError, match='No space left'):
        write_text(folder / 'a.json', 'long text' * 10)
    assert list(tmp_path.iterdir()) == []


def test_pngs_are_rgb_or_gray(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    write_png(tmp_path / 'rgb.png', rgb)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'rgb.png'))[..., ::-1], rgb)
    write_png(tmp_path / 'gray.png', rgb[..., 0])
    gray = cv2.imread(str(tmp_path / 'gray.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(gray, rgb[..., 0])
