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
"""The report's drawings: the confusion matrix, and scores over time."""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.evaluation.calibration import Calibration
from spssn_ros.evaluation.report.compare import short_names
from spssn_ros.evaluation.report.gallery import Gallery, Shown
from spssn_ros.evaluation.report.timeline import Curve, Source
from spssn_ros.evaluation.result import EvaluationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NUMBERED = 40
"""Classes up to which every cell of the confusion matrix has room for its number."""

_LONGEST_NAME = 24
"""Characters of a class's name beside the confusion matrix, which longer ones would push away."""

_USUAL_NAME = 12
"""Characters for which the confusion matrix has room anyway."""

_MOST_MARKED = 60
"""Points of a curve up to which each of them has a marker."""

_MOST_NAMED = 6
"""Curves up to which colours and a legend tell them apart."""


@dataclass(frozen=True)
class _Colors:
    text: str
    faint: str
    paper: str
    ink: str
    alarm: str
    curves: tuple[str, ...]


class Scheme(Enum):
    """Colours for a light or a dark page; the paper stays transparent in SVG."""

    LIGHT = _Colors(
        text='#1f2328',
        faint='#d5d9de',
        paper='#ffffff',
        ink='#0b4f8a',
        alarm='#c62828',
        curves=('#0b6bb8', '#c75b12', '#1a7f4b', '#7a4fb5', '#8a6d00', '#b0306a'),
    )
    DARK = _Colors(
        text='#d9dee4',
        faint='#39414a',
        paper='#14181d',
        ink='#7cc0ff',
        alarm='#ff8a80',
        curves=('#6db6ff', '#f2a65a', '#6fcf97', '#c3a6f0', '#d9c04a', '#f08cb8'),
    )


def confusion_figure(result: EvaluationResult, scheme: Scheme) -> 'Figure':
    """Draw the confusion matrix, each row in per cent of its class's truth."""
    from matplotlib.colors import LinearSegmentedColormap

    colors = scheme.value
    counts, names = result.matrix.counts, [_short(name) for name in result.label_set.names]
    columns = list(names)
    if result.matrix.unknown.any():
        counts = np.hstack([counts, result.matrix.unknown[:, None]])
        columns.append('(unknown)')
    share = counts / np.maximum(1, counts.sum(1))[:, None]
    numbered = len(names) <= _MOST_NUMBERED
    side = 1.9 + (0.42 * len(names) if numbered else 8.0)
    # The names take of both sides, all the more of the few cells of few classes.
    side += 0.1 * max(0, max(map(len, names)) - _USUAL_NAME)
    figure, axes = _new_figure(side, side, scheme)
    axes.pcolormesh(
        share,
        cmap=LinearSegmentedColormap.from_list('share', [colors.paper, colors.ink]),
        vmin=0,
        vmax=1,
        edgecolors=colors.faint if numbered else 'none',
        linewidth=0.5,
        # So many cells are smaller as pixels than as shapes.
        rasterized=not numbered,
    )
    axes.invert_yaxis()
    axes.set_aspect('equal')
    # With many classes only some have room for their names.
    step = 1 if numbered else -(-len(names) // _MOST_NUMBERED)
    axes.set_xticks(
        np.arange(0, len(columns), step) + 0.5, columns[::step], rotation=45, ha='right'
    )
    axes.set_yticks(np.arange(0, len(names), step) + 0.5, names[::step])
    axes.tick_params(length=0)
    axes.set_xlabel('predicted as')
    axes.set_ylabel('truth')
    for spine in axes.spines.values():
        spine.set_visible(False)
    if numbered:
        _write_cells(axes, share, colors)
    return figure


def timeline_figure(gallery: Gallery, scheme: Scheme) -> 'Figure':
    """Draw the frame scores over time, a curve a source, and mark the worst frames."""
    colors = scheme.value
    curves = gallery.timeline.curves
    figure, axes = _new_figure(9.6, 3.2, scheme)
    names = source_names(curves)
    for number, (source, curve) in enumerate(curves.items()):
        many = len(curves) > _MOST_NAMED
        seconds, scores = _broken_at_gaps(curve.points())
        axes.plot(
            seconds,
            100 * scores,
            color=colors.curves[0 if many else number % len(colors.curves)],
            alpha=0.5 if many else 1.0,
            linewidth=1.4,
            marker='o',
            # Of many points only those that no line leads to, which would not be seen at all.
            markevery=None if len(curve.windows) <= _MOST_MARKED else _alone(scores),
            markersize=2.8,
            label=_plain(names[source]),
        )
    for number, frame in enumerate(gallery.worst, start=1):
        _mark(axes, number, frame, curves[frame.source], colors)
    if gallery.worst:
        median = 100 * gallery.median_score()
        axes.axhline(median, color=colors.text, linewidth=0.8, linestyle=(0, (4, 3)), alpha=0.7)
        at_right = axes.get_yaxis_transform()
        axes.text(
            *(1.005, median, 'median'),
            transform=at_right,
            va='center',
            color=colors.text,
            fontsize=9,
        )
    if 1 < len(curves) <= _MOST_NAMED:
        axes.legend(
            loc='lower left',
            bbox_to_anchor=(0, 1),
            ncols=3,
            frameon=False,
            labelcolor=colors.text,
            fontsize=9,
        )
    axes.set_xlabel('seconds since the first frame')
    axes.set_ylabel('mIoU %')
    low, high = axes.get_ylim()
    # Room for the numbers under the circles.
    axes.set_ylim(max(-5, low - 0.06 * (high - low)), min(101, high))
    axes.grid(axis='y', color=colors.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    for side in ('top', 'right', 'left'):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis='y', length=0)
    return figure


def reliability_figure(calibration: Calibration, scheme: Scheme) -> 'Figure':
    """Draw accuracy over confidence, and below it the share of pixels at each confidence."""
    colors = scheme.value
    bins = calibration.bins()
    middles = [(part.lowest + part.highest) / 2 for part in bins]
    width = 0.92 / len(bins)
    figure, axes = _new_figure(4.6, 4.6, scheme)
    axes.plot([0, 1], [0, 1], color=colors.text, linewidth=0.8, linestyle=(0, (4, 3)))
    accuracies = np.nan_to_num([part.accuracy for part in bins])
    axes.bar(middles, accuracies, width, color=colors.curves[0], label='accuracy')
    shares = [-0.5 * part.share for part in bins]
    axes.bar(middles, shares, width, color=colors.curves[1], label='share of pixels')
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.52, 1.02)
    axes.set_yticks([-0.5, -0.25, 0, 0.25, 0.5, 0.75, 1], ['1', '0.5', '0', '', '0.5', '', '1'])
    axes.axhline(0, color=colors.text, linewidth=0.8)
    axes.set_xlabel('confidence')
    axes.set_ylabel('share of pixels (down), accuracy (up)')
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    return figure


def source_names(sources: Sequence[Source] | Mapping[Source, object]) -> dict[Source, str]:
    """Return short names that tell sources apart: the bag, and the topic if that differs."""
    bags = short_names(source.bag for source in sources)
    topics = {source.topic for source in sources}
    return {
        source: ' '.join(
            part for part in (bags[source.bag], source.topic if len(topics) > 1 else '') if part
        )
        or source.topic
        for source in sources
    }


def to_svg(figure: 'Figure') -> bytes:
    """Return the drawing as an SVG file with a transparent background."""
    file = io.BytesIO()
    _save(figure, file, format='svg', transparent=True, metadata={'Date': None})
    return file.getvalue()


def to_png(figure: 'Figure') -> bytes:
    """Return the drawing as a PNG file on paper."""
    file = io.BytesIO()
    _save(figure, file, format='png', dpi=150)
    return file.getvalue()


def _save(figure: 'Figure', file: io.BytesIO, **how: Any) -> None:
    with warnings.catch_warnings():
        # A character that the font lacks is drawn as a box; nobody can do more about it.
        warnings.simplefilter('ignore', UserWarning)
        figure.savefig(file, **how)


def _new_figure(width: float, height: float, scheme: Scheme) -> tuple['Figure', 'Axes']:
    from matplotlib.figure import Figure

    colors = scheme.value
    # In inches; at 72 points an inch the font's size is that of the page around it.
    figure = Figure(figsize=(width, height), layout='constrained', facecolor=colors.paper)
    axes = figure.subplots()
    axes.set_facecolor('none')
    axes.tick_params(colors=colors.text, labelsize=9)
    axes.xaxis.label.set_color(colors.text)
    axes.yaxis.label.set_color(colors.text)
    for spine in axes.spines.values():
        spine.set_color(colors.faint)
    return figure, axes


def _write_cells(axes: 'Axes', share: NDArray[np.float64], colors: _Colors) -> None:
    for (row, column), value in np.ndenumerate(share):
        # Blank where it would say 0, so that mistakes stand out.
        if value >= 0.005:
            axes.text(
                column + 0.5,
                row + 0.5,
                f'{value * 100:.0f}',
                ha='center',
                va='center',
                fontsize=8,
                color=colors.paper if value > 0.5 else colors.text,
            )


def _mark(axes: 'Axes', number: int, frame: Shown, curve: Curve, colors: _Colors) -> None:
    seconds = (frame.stamp_ns - curve.first_ns) / 1e9
    point = (seconds, 100 * frame.score)
    axes.plot(*point, 'o', markersize=6, color=colors.alarm, fillstyle='none')
    axes.annotate(
        str(number),
        point,
        (0, -6),
        textcoords='offset points',
        ha='center',
        va='top',
        color=colors.alarm,
        fontsize=9,
    )


def _broken_at_gaps(
    points: Sequence[tuple[float, float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and scores, with NaN where a recording pauses, so that no line bridges it."""
    seconds, scores = np.array(points, np.float64).reshape(-1, 2).T
    steps = np.diff(seconds)
    if len(steps) < 2:
        return seconds, scores
    pauses = np.flatnonzero(steps > 5 * np.median(steps)) + 1
    return np.insert(seconds, pauses, np.nan), np.insert(scores, pauses, np.nan)


def _alone(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points have no neighbour that a line could lead to."""
    known = np.pad(np.isfinite(scores), 1)
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _short(name: str) -> str:
    """Return a class's name with room beside the confusion matrix, as `_plain` text."""
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + '…'
    return _plain(name)


def _plain(text: str) -> str:
    """Return text for matplotlib: no mathematics between dollar signs, nothing unprintable."""
    printable = ''.join(c if c.isprintable() else '\N{REPLACEMENT CHARACTER}' for c in text)
    return printable.replace('$', r'\$')
