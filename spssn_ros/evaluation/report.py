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
"""Scores and frames for people: a table for the terminal, pictures for a folder."""

import csv
import heapq
import io
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from spssn_ros.evaluation.result import EvaluationResult, write_text
from spssn_ros.files import write_whole
from spssn_ros.imaging import Painter
from spssn_ros.labels import UNKNOWN, LabelSet
from spssn_ros.runtime import EvenSample

Picture = NDArray[np.uint8]


@dataclass(order=True)
class Shown:
    """A frame kept for the report; the worst sorts last.

    Attributes:
        badness: share of scored pixels that are wrong.
        stamp_ns: header stamp.
        strip: (H, n * W, 3) uint8 RGB: image | truth | prediction | error.

    """

    badness: float
    stamp_ns: int
    strip: Picture = field(compare=False)


class Gallery:
    """Keeps the worst frames and a regular sample, so that memory stays bounded.

    Args:
        label_set: classes and palette.
        worst: how many of the worst to keep.
        sampled: about how many of the others, evenly spread.

    """

    def __init__(self, label_set: LabelSet, worst: int = 4, sampled: int = 4) -> None:
        self._painter = Painter(label_set)
        self._worst_size = worst
        self._worst: list[Shown] = []
        self._samples: EvenSample[Shown] = EvenSample(sampled)

    @property
    def worst(self) -> list[Shown]:
        """The frames with the most wrong pixels, the worst first."""
        return sorted(self._worst, reverse=True)

    @property
    def samples(self) -> list[Shown]:
        """Frames spread over the run, in order."""
        return self._samples.items()

    def offer(
        self,
        stamp_ns: int,
        rgb: NDArray[np.uint8] | None,
        truth: NDArray[np.uint8],
        prediction: NDArray[np.uint8],
    ) -> None:
        """Look at a frame: image (H, W, 3) or None, truth and prediction (H, W), all uint8."""
        scored = truth != UNKNOWN
        wrong = scored & (truth != prediction)
        badness = float(wrong.sum() / max(1, scored.sum()))
        is_sample = self._samples.wants_next()
        is_worst = len(self._worst) < self._worst_size or badness > self._worst[0].badness
        if not (is_sample or is_worst):
            return
        shown = Shown(badness, stamp_ns, self._strip(rgb, truth, prediction, wrong))
        if is_worst:
            keep = heapq.heappush if len(self._worst) < self._worst_size else heapq.heappushpop
            keep(self._worst, shown)
        if is_sample:
            self._samples.add(shown)

    def _strip(
        self,
        rgb: NDArray[np.uint8] | None,
        truth: NDArray[np.uint8],
        prediction: NDArray[np.uint8],
        wrong: NDArray[np.bool_],
    ) -> Picture:
        error = np.full((*truth.shape, 3), 255, np.uint8)
        error[wrong] = (220, 30, 30)
        error[truth == UNKNOWN] = (200, 200, 200)
        panes = [self._painter.color(truth), self._painter.color(prediction), error]
        if rgb is not None:
            panes.insert(0, rgb)
        return np.hstack(panes)


def score_table(result: EvaluationResult) -> Table:
    """Return the table of the scores in per cent, a row a class."""
    table = Table(title='', show_footer=True)
    matrix = result.matrix
    table.add_column('class', footer='mean')
    table.add_column('IoU %', f'{matrix.miou():.2%}'[:-1], justify='right')
    table.add_column('accuracy %', f'{matrix.class_average():.2%}'[:-1], justify='right')
    table.add_column('share of truth %', justify='right')
    shares = (matrix.counts.sum(1) + matrix.unknown) / max(1, matrix.total)
    rows = zip(result.label_set.names, matrix.iou(), matrix.accuracy(), shares, strict=True)
    for name, *values in rows:
        table.add_row(name, *('-' if np.isnan(v) else f'{v * 100:.2f}' for v in values))
    return table


def print_scores(result: EvaluationResult, console: Console | None = None) -> None:
    """Print the table and the run's figures."""
    console = console or Console()
    console.print(score_table(result))
    matrix = result.matrix
    console.print(
        f'mIoU {matrix.miou():.2%}, class average {matrix.class_average():.2%}, '
        f'global average {matrix.global_average():.2%} over {result.frames} frames'
    )
    absent = matrix.absent(result.label_set.names)
    if absent:
        console.print(f'not in truth or prediction, left out of the mean: {", ".join(absent)}')
    if result.unmatched_images or result.unmatched_labels:
        console.print(
            f'unmatched: {result.unmatched_images} images without truth, '
            f'{result.unmatched_labels} truth images without image'
        )
    if result.device:
        console.print(f'{result.fps:.1f} frames/s, {result.device}')


def write_report(folder: Path, result: EvaluationResult, gallery: Gallery) -> list[Path]:
    """Write scores.json, scores.csv, confusion.png and frame strips; return their paths.

    Raises:
        OSError: the folder cannot be made or written to.

    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / 'scores.json', folder / 'scores.csv', folder / 'confusion.png']
    write_text(written[0], result.to_json())
    write_text(written[1], _csv(result))
    write_png(written[2], _confusion_picture(result))
    for kind, frames in (('worst', gallery.worst), ('sample', gallery.samples)):
        for number, shown in enumerate(frames, start=1):
            path = folder / f'{kind}_{number}.png'
            write_png(path, shown.strip)
            written.append(path)
    return written


def write_png(path: Path, rgb: Picture) -> None:
    """Write (H, W, 3) uint8 RGB, or (H, W), as PNG, whole or not at all.

    Raises:
        OSError: the file cannot be written.

    """
    picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) if rgb.ndim == 3 else rgb
    encoded = cv2.imencode('.png', picture)[1]
    write_whole(path, encoded.tobytes())


def _csv(result: EvaluationResult) -> str:
    values = result.to_dict()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['class', 'iou', 'accuracy'])
    for name in result.label_set.names:
        writer.writerow([name, values['iou'][name], values['accuracy'][name]])
    writer.writerow(['mean', values['miou'], values['class_average']])
    return text.getvalue()


def _confusion_picture(result: EvaluationResult) -> Picture:
    """Draw the confusion matrix, rows in per cent of their truth."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = result.matrix.counts
    share = counts / np.maximum(1, counts.sum(1) + result.matrix.unknown)[:, None]
    names = result.label_set.names
    side = 2.5 + 0.5 * len(names)
    figure = Figure(figsize=(side, side), dpi=100, layout='constrained')
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(share, cmap='Blues', vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha='right')
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel('prediction')
    axes.set_ylabel('truth')
    axes.set_title(f'mIoU {result.matrix.miou():.2%}, {result.frames} frames, rows in %')
    for row in range(len(names)):
        for column in range(len(names)):
            color = 'white' if share[row, column] > 0.5 else 'black'
            text = f'{share[row, column] * 100:.0f}'
            axes.text(column, row, text, ha='center', va='center', color=color, fontsize=8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
