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
"""The report's files and the terminal's table hold the scores and the frames they come from."""

import csv
import io
import json
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.calibration import Calibration
from spssn_ros.evaluation.report import (
    About,
    Earlier,
    Gallery,
    Run,
    Source,
    clear_report,
    print_scores,
    write_report,
)
from spssn_ros.evaluation.report.figures import (
    Scheme,
    confusion_figure,
    timeline_figure,
    to_png,
    to_svg,
)
from spssn_ros.evaluation.report.rows import further_columns, further_figures, further_groups, rows
from spssn_ros.evaluation.result import EvaluationResult, write_text
from spssn_ros.labels import LabelSet
from spssn_ros.models import Normalisation, WeightsInfo

TRUTH = np.array([[0, 0, 1, 255]], np.uint8)
PREDICTION = np.array([[0, 1, 1, 0]], np.uint8)
FILES = ['scores.json', 'scores.csv', 'confusion.png', 'worst_1.png', 'median_1.png', 'index.html']
SECOND = 10**9


@pytest.fixture
def result(three_classes: LabelSet) -> EvaluationResult:
    matrix = ConfusionMatrix(3)
    matrix.update(TRUTH, PREDICTION)
    return EvaluationResult(three_classes, matrix, 1, 2, 3, 'w.safetensors', 'cpu', 12.345)


@pytest.fixture
def gallery(three_classes: LabelSet) -> Gallery:
    gallery = Gallery(three_classes)
    gallery.offer(SECOND, np.full((1, 4, 3), 9, np.uint8), TRUTH, PREDICTION)
    return gallery


@pytest.fixture
def about(three_classes: LabelSet) -> About:
    info = WeightsInfo('spssn', {}, three_classes, Normalisation(), (96, 64))
    return About(Run('spssn evaluate bag', '/home', {'cores': 2, 'gpu': None}), 'w', info)


def test_nothing_but_a_report_is_cleared_away(
    tmp_path: Path, result: EvaluationResult, gallery: Gallery, about: About
) -> None:
    clear_report(tmp_path / 'nowhere')
    kept = {'notes.txt', 'worst_case.png', 'metadata.yaml', 'bag.mcap'}
    for name in kept:
        (tmp_path / name).write_text('mine')
    write_report(tmp_path, result, gallery, about)
    (tmp_path / 'categories.csv').write_text('of a report with categories')
    clear_report(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_the_files_are_written_and_nothing_else(
    tmp_path: Path, result: EvaluationResult, gallery: Gallery, about: About
) -> None:
    folder = tmp_path / 'new' / 'report'
    written = write_report(folder, result, gallery, about)
    assert [path.name for path in written] == FILES
    assert {path.name for path in folder.iterdir()} == set(FILES)
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


def test_a_later_report_replaces_an_earlier_one(
    tmp_path: Path, result: EvaluationResult, gallery: Gallery, about: About
) -> None:
    for i in range(2, 4):
        gallery.offer(i * SECOND, None, TRUTH, PREDICTION)
    write_report(tmp_path, result, gallery, about)
    (tmp_path / 'worst_notes.png').touch()
    assert (tmp_path / 'worst_3.png').exists()
    write_report(tmp_path, result, Gallery(result.label_set), about)
    # Strips of frames that the page does not show are gone, what others put there is not.
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, 'worst_notes.png'} - {
        'worst_1.png',
        'median_1.png',
    }
    assert 'Worst frames' not in (tmp_path / 'index.html').read_text()


def test_a_report_that_fails_leaves_the_earlier_page(
    tmp_path: Path,
    result: EvaluationResult,
    gallery: Gallery,
    about: About,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_report(tmp_path, result, gallery, about)
    before = (tmp_path / 'index.html').read_bytes()
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if 'index' in path.name:
            write(path, data[:100])
            raise OSError(28, 'No space left on device')
        return write(path, data)

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(OSError, match='No space left'):
        write_report(tmp_path, result, gallery, about)
    assert (tmp_path / 'index.html').read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)

    with pytest.raises(OSError, match='No space left'):
        write_report(tmp_path / 'new', result, gallery, about)
    assert not (tmp_path / 'new').exists(), 'half a report is left'


def test_the_csv_holds_fractions(
    tmp_path: Path, result: EvaluationResult, gallery: Gallery, about: About
) -> None:
    write_report(tmp_path, result, gallery, about)
    table = list(csv.reader(io.StringIO((tmp_path / 'scores.csv').read_text())))
    assert table == [
        ['class', 'iou', 'accuracy'],
        ['a', '0.5', '0.5'],
        ['b', '0.5', '1.0'],
        ['c', '', ''],
        ['mean', '0.5', '0.75'],
    ]


def test_class_names_that_utf_8_cannot_hold(tmp_path: Path, about: About) -> None:
    result = EvaluationResult(LabelSet(('\ud800',), ((1, 2, 3),)), ConfusionMatrix(1))
    result.matrix.update(np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint8))
    write_report(tmp_path, result, Gallery(result.label_set), about)
    table = (tmp_path / 'scores.csv').read_text().splitlines()
    assert table == ['class,iou,accuracy', '\\ud800,1.0,1.0', 'mean,1.0,1.0']


def printed(result: EvaluationResult, *compared: Earlier, width: int = 120) -> str:
    out = io.StringIO()
    print_scores(result, Console(file=out, width=width), compared)
    return out.getvalue()


def test_the_printed_scores(result: EvaluationResult) -> None:
    text = printed(result)
    table = [line.split() for line in text.splitlines()]
    cells = {row[1]: row[3::2] for row in table if len(row) > 4}
    assert cells['a'] == ['50.00', '50.00', '66.67']
    assert cells['b'] == ['50.00', '100.00', '33.33']
    assert cells['c'] == ['-', '-', '0.00']
    assert cells['mean'][:2] == ['50.00', '75.00']
    assert 'mIoU 50.00%, class average 75.00%, global average 66.67% over 1 frames' in text
    assert 'not in truth or prediction, left out of the mean: c' in text
    assert 'unmatched: 2 images without truth, 3 truth images without image' in text
    assert '12.3 frames/s' in text
    assert 'earlier' not in text
    # As of recorded and live labels.
    result.weights = ''
    assert 'unmatched: 2 labels without truth, 3 truth images without label' in printed(result)


def test_a_narrow_table_keeps_names_and_numbers(result: EvaluationResult) -> None:
    iou = {'a': 0.525, 'b': 0.4, 'c': None}
    names = ('nightly_baseline_run.json', 'second_baseline_run.json')
    text = printed(result, *(Earlier(name, 0.4, 0.7, 0.6, iou, iou) for name in names), width=80)
    cells = [[cell.strip() for cell in line.split('│')] for line in text.splitlines()]
    earlier = ['52.50 -2.50'] * 2
    assert ['a', '50.00', '50.00', '66.67', *earlier] in [row[1:-1] for row in cells]
    assert all(len(line) <= 80 for line in text.splitlines())


def test_numbers_are_not_cut_off_where_the_table_has_no_room(result: EvaluationResult) -> None:
    cells = [
        [cell.strip() for cell in line.split('│')]
        for line in printed(result, width=20).splitlines()
    ]
    assert ['a', '50.00', '50.00', '66.67'] in [row[1:-1] for row in cells]


def test_earlier_scores_are_printed_in_a_column_each(result: EvaluationResult) -> None:
    iou = {'a': 0.525, 'b': 0.4, 'c': None}
    text = printed(result, *(Earlier(f'{n}[b].json', 0.4, 0.7, 0.6, iou, iou) for n in 'xy'))
    assert 'x[b].json' in text
    rows_of = {line.split()[1]: line for line in text.splitlines() if '│' in line}
    assert rows_of['a'].count('52.50 -2.50') == 2
    assert '40.00 +10.00' in rows_of['b']
    assert '- -' in rows_of['c']
    assert '40.00 +10.00' in rows_of['mean']


def test_the_json_of_nothing_has_no_nan(three_classes: LabelSet) -> None:
    result = EvaluationResult(three_classes, ConfusionMatrix(3))
    values = json.loads(result.to_json())
    assert values['miou'] is None
    assert values['iou'] == {'a': None, 'b': None, 'c': None}
    assert values['confusion'] == [[0] * 3] * 3


def test_scores_of_nothing_are_printed_as_dashes(three_classes: LabelSet) -> None:
    result = EvaluationResult(three_classes, ConfusionMatrix(3), frames=2)
    result.calibration = Calibration()
    result.degraded = {'noise': ConfusionMatrix(3)}
    text = printed(result)
    assert 'mIoU -, class average -, global average - over 2 frames' in text
    assert 'expected calibration error -' in text
    assert 'nan' not in text


def test_scores_of_other_kinds_find_a_place(result: EvaluationResult) -> None:
    result.extra |= {
        'drops': 3,
        'category_miou': 0.875,
        'iiou': {'a': 0.25, 'b': None, 'c': 0.75},
        'category_iou': {'flat': 0.5, 'nature': None},
        'category_iiou': {'flat': 0.25, 'nature': 1.0},
        'topics': {'/front': {'miou': 0.5, 'frames': 7, 'confusion': [[1]]}, '/rear': {'miou': 1}},
    }
    assert further_figures(result) == {'category_miou': 0.875}
    assert further_columns(result) == ['iiou']
    assert [row.further for row in rows(result)] == [[0.25], [None], [0.75]]
    topics, categories = further_groups(result)
    assert categories.columns == ['category_iou', 'category_iiou']
    assert categories.rows == {'flat': [0.5, 0.25], 'nature': [None, 1.0]}
    assert (topics.titles, topics.columns) == (['topics'], ['miou', 'frames'])
    assert topics.rows == {'/front': [0.5, 7], '/rear': [1, None]}


@pytest.mark.parametrize('count', [1, 19, 60])
def test_the_confusion_matrix_of_any_number_of_classes(count: int) -> None:
    label_set = LabelSet(tuple(f'class {i}' for i in range(count)), ((0, 0, 0),) * count)
    matrix = ConfusionMatrix(count)
    ids = np.arange(count, dtype=np.uint8)
    matrix.update(np.repeat(ids, 4), np.concatenate([ids, ids, ids, ids[::-1]]))
    figure = confusion_figure(EvaluationResult(label_set, matrix), Scheme.LIGHT)
    (axes,) = figure.axes
    numbers = [text.get_text() for text in axes.texts]
    if count > 40:
        assert numbers == []
        assert max(figure.get_size_inches()) < 12
    else:
        share = matrix.counts / matrix.counts.sum(1, keepdims=True)
        assert numbers == [f'{100 * v:.0f}' for v in share.ravel() if v >= 0.005]
    assert axes.get_yticklabels()[0].get_text() == 'class 0'


def test_pixels_without_a_predicted_class_have_a_column(three_classes: LabelSet) -> None:
    matrix = ConfusionMatrix(3)
    matrix.update(np.zeros(4, np.uint8), np.array([0, 1, 255, 255], np.uint8))
    figure = confusion_figure(EvaluationResult(three_classes, matrix), Scheme.DARK)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ['a', 'b', 'c', '(unknown)']
    assert [text.get_text() for text in axes.texts] == ['25', '25', '50']


def test_the_curves_show_every_source_and_mark_the_worst(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes)
    for bag in ('one', 'two'):
        for i in range(20):
            # The recording pauses after ten frames.
            stamp = (100 + i + 60 * (i >= 10)) * SECOND
            prediction = PREDICTION if (bag, i) == ('two', 13) else np.zeros_like(TRUTH)
            gallery.offer(stamp, None, TRUTH, prediction, Source(bag, '/image'))
    figure = timeline_figure(gallery, Scheme.LIGHT)
    (axes,) = figure.axes
    first, second = axes.lines[:2]
    assert [line.get_label() for line in (first, second)] == ['one', 'two']
    x, y = first.get_data()
    # No line bridges the pause.
    assert np.isnan(x[10])
    np.testing.assert_allclose(np.delete(x, 10), [*range(10), *range(70, 80)])
    # Only class 0 is predicted, to which two of the three scored pixels belong.
    np.testing.assert_allclose(np.delete(y, 10), 100 * (2 / 3 + 0) / 2)
    assert second.get_ydata()[14] == pytest.approx(50)
    marks = {text.get_text(): text.xy for text in axes.texts if hasattr(text, 'xy')}
    assert set(marks) == {'1', '2', '3', '4'}
    assert marks['1'] == (0.0, pytest.approx(100 / 3))


def test_a_point_without_neighbours_is_seen(three_classes: LabelSet) -> None:
    gallery = Gallery(three_classes)
    # The recording pauses before the second last frame and before the last one.
    for second in (*range(80), 200, 400):
        gallery.offer(second * SECOND, None, TRUTH, PREDICTION, Source('bag'))
    figure = timeline_figure(gallery, Scheme.LIGHT)
    (axes,) = figure.axes
    line = axes.lines[0]
    assert line.get_marker() == 'o'
    marked = line.get_markevery()
    assert line.get_xdata()[marked].tolist() == [200, 400]
    ElementTree.fromstring(to_svg(figure))


@pytest.mark.parametrize('count', [1, 2, 11, 60])
@pytest.mark.parametrize('letter', ['W', 'm', 'a', '$'])
def test_long_names_leave_the_confusion_matrix_its_room(count: int, letter: str) -> None:
    names = tuple(f'{number}{letter * 62}' for number in range(count))
    matrix = ConfusionMatrix(count)
    label_set = LabelSet(names, ((0, 0, 0),) * count)
    figure = confusion_figure(EvaluationResult(label_set, matrix), Scheme.LIGHT)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        figure.draw_without_rendering()
    (axes,) = figure.axes
    shown = axes.get_yticklabels()[0].get_text().replace('\\', '')
    assert shown == f'0{letter * 22}…'
    sides = figure.get_size_inches() * axes.get_position().size
    assert min(sides) > min(0.25 * count, 5)


@pytest.mark.parametrize('to_file', [to_svg, to_png])
def test_a_character_that_the_font_lacks_is_not_told(
    to_file: Callable[[Figure], bytes], recwarn: pytest.WarningsRecorder
) -> None:
    label_set = LabelSet(('道路', '車'), ((0, 0, 0),) * 2)
    result = EvaluationResult(label_set, ConfusionMatrix(2))
    assert to_file(confusion_figure(result, Scheme.LIGHT))
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize('name', ['$x^{2$', 'a\nb\x1b', '\udcff', '<b>&'])
def test_no_name_breaks_the_drawings(name: str, three_classes: LabelSet) -> None:
    label_set = LabelSet((name, 'b', 'c'), three_classes.palette)
    gallery = Gallery(label_set)
    for bag in (name, 'other'):
        gallery.offer(SECOND, None, TRUTH, PREDICTION, Source(bag))
    result = EvaluationResult(label_set, ConfusionMatrix(3))
    for figure in (
        confusion_figure(result, Scheme.LIGHT),
        timeline_figure(gallery, Scheme.DARK),
    ):
        ElementTree.fromstring(to_svg(figure))


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    class Full(type(tmp_path)):
        def write_bytes(self, data: bytes) -> int:
            super().write_bytes(data[:10])
            raise OSError(28, 'No space left on device')

    with pytest.raises(OSError, match='No space left'):
        write_text(Full(tmp_path) / 'a.json', 'long text' * 10)
    assert list(tmp_path.iterdir()) == []
