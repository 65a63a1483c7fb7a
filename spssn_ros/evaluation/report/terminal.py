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
"""The scores as a table for the terminal."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spssn_ros.evaluation.confusion import mean_of_known
from spssn_ros.evaluation.report.compare import Earlier, Value
from spssn_ros.evaluation.report.rows import Change, Row, further_columns, mean_row, rows
from spssn_ros.evaluation.result import EvaluationResult

_WIDEST_NAME = 24
_NAMES = {'iiou': 'iIoU'}


def score_table(result: EvaluationResult, compared: Sequence[Earlier] = ()) -> Table:
    """Return the table of the scores in per cent, a row a class.

    Each earlier evaluation adds a column: its IoU, and by how many points it changed.
    """
    caption = 'earlier: IoU % and its change in points' if compared else None
    table = Table(title='', show_footer=True, caption=caption)
    mean = _cells(mean_row(result, compared))
    headers = ['IoU %', 'accuracy %', 'share of truth %']
    headers += [f'{_NAMES.get(name, name)} %' for name in further_columns(result)]
    headers += [earlier.name for earlier in compared]
    lines = [(row.name, *_cells(row)) for row in rows(result, compared)]
    # Where there is little room headers are broken, never names of classes and numbers.
    widths = [max(map(len, column)) for column in zip(*lines, ('mean', *mean), strict=True)]
    table.add_column('class', footer='mean', min_width=min(widths[0], _WIDEST_NAME))
    for header, footer, width in zip(headers, mean, widths[1:], strict=True):
        # File and class names are no markup.
        table.add_column(escape(header), footer, justify='right', min_width=width)
    for name, *cells in lines:
        table.add_row(escape(name), *cells)
    return table


def category_table(result: EvaluationResult) -> Table | None:
    """Return the table of the categories' scores in per cent; None without categories."""
    if result.categories is None:
        return None
    columns = {'IoU %': result.categories.iou(result.matrix)}
    if result.instances is not None:
        columns['iIoU %'] = result.instances.category_iiou(result.matrix)
    table = Table(title='', show_footer=True)
    table.add_column('category', footer='mean')
    for header, scores in columns.items():
        table.add_column(header, _percent(mean_of_known(scores)), justify='right')
    for name, *values in zip(result.categories.names, *columns.values(), strict=True):
        table.add_row(escape(name), *map(_percent, values))
    return table


def robustness_table(result: EvaluationResult) -> Table:
    """Return the table of the mIoU under each degradation, and what it loses in points."""
    table = Table('images', title='')
    for header in ('mIoU %', 'change'):
        table.add_column(header, justify='right')
    clean = result.matrix.miou()
    table.add_row('clean', _percent(clean), '')
    for name, matrix in result.degraded.items():
        change = (matrix.miou() - clean) * 100
        told = '-' if math.isnan(change) else f'{change:+.2f}'
        table.add_row(name.replace('_', ' '), _percent(matrix.miou()), told)
    return table


def print_scores(
    result: EvaluationResult, console: Console | None = None, compared: Sequence[Earlier] = ()
) -> None:
    """Print the table and the run's figures."""
    console = console or Console()
    console.print(score_table(result, compared), crop=False)
    categories = category_table(result)
    if categories is not None:
        console.print(categories)
    matrix = result.matrix
    console.print(
        f'mIoU {_share(matrix.miou())}, class average {_share(matrix.class_average())}, '
        f'global average {_share(matrix.global_average())} over {result.frames} frames'
    )
    if result.calibration is not None:
        error = _share(result.calibration.expected_error())
        console.print(f'expected calibration error {error}')
    if result.degraded:
        console.print(robustness_table(result))
    absent = matrix.absent(result.label_set.names)
    if absent:
        names = escape(', '.join(absent))
        console.print(f'not in truth or prediction, left out of the mean: {names}')
    if result.unmatched_images or result.unmatched_labels:
        console.print(
            f'unmatched: {result.unmatched_images} {result.paired}s without truth, '
            f'{result.unmatched_labels} truth images without {result.paired}'
        )
    if 'refused' in result.extra:
        console.print(f'refused: {result.extra["refused"]} pairs that could not be scored')
    if result.device:
        console.print(f'{result.fps:.1f} frames/s, {result.device}')


def _cells(row: Row) -> list[str]:
    share = '' if row.color is None else _percent(row.share)
    further = map(_percent, row.further)
    changes = map(_change, row.iou_changes)
    return [_percent(row.iou), _percent(row.accuracy), share, *further, *changes]


def _percent(value: Value) -> str:
    return '-' if value is None or math.isnan(value) else f'{value * 100:.2f}'


def _share(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.2%}'


def _change(change: Change) -> str:
    if change.difference is None:
        return f'{_percent(change.before)} -'
    return f'{_percent(change.before)} {change.difference * 100:+.2f}'
