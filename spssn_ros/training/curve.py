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
"""The learning curve: a CSV file, TensorBoard's events where it is installed, and a picture."""

import csv
import importlib.util
import io
import math
import os
import shutil
from pathlib import Path
from typing import Any

from spssn_ros.evaluation.result import write_text
from spssn_ros.files import write_whole

CURVE, PICTURE, EVENTS = 'curve.csv', 'curve.png', 'tensorboard'
_SCORES = ('val_miou', 'holdout_miou')


class Curve:
    """Records a run, an epoch a row.

    Args:
        folder: gets `curve.csv`, `curve.png` and `tensorboard/`.
        epochs: done before; what was recorded after them goes.

    Attributes:
        note: a sentence on what is missing, or ''.

    """

    def __init__(self, folder: Path, epochs: int) -> None:
        self.folder, self.path = folder, folder / CURVE
        self.note = ''
        if epochs == 0:
            self.path.unlink(missing_ok=True)
            shutil.rmtree(folder / EVENTS, ignore_errors=True)
        elif self.path.exists():
            # A row may have been written while its epoch's state was not.
            lines = self.path.read_text(encoding='utf-8').splitlines(keepends=True)
            done = [line for line in lines[1:] if line.endswith('\n') and _epoch(line) <= epochs]
            write_text(self.path, ''.join([*lines[:1], *done]))
        # Told now, not after hours of training.
        self._draws = importlib.util.find_spec('matplotlib') is not None
        if not self._draws:
            self.note = 'Matplotlib is not installed (pip install matplotlib): no curve.png. '
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.note += 'TensorBoard is not installed (pip install tensorboard): no tensorboard/'
            return
        self._writer = SummaryWriter(str(folder / EVENTS), purge_step=epochs + 1)

    def append(self, row: dict[str, object]) -> None:
        """Add an epoch: `epoch` and numbers, '' for none; on the disk when this returns."""
        new = not self.path.exists()
        with self.path.open('a', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, row, lineterminator='\n')
            if new:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())
        if self._writer is not None:
            for name, value in row.items():
                if name != 'epoch' and isinstance(value, (int, float)):
                    self._writer.add_scalar(name, value, row['epoch'])
            self._writer.flush()

    def close(self) -> None:
        """Draw the picture and close the files."""
        if self._writer is not None:
            self._writer.close()
        # Someone may have removed that of a run which has ended.
        if self._draws and self.path.exists():
            draw_curve(self.path, self.folder / PICTURE)


def _epoch(line: str) -> float:
    first = line.split(',', 1)[0]
    return int(first) if first.isdecimal() else math.inf


def draw_curve(path: Path, picture: Path) -> None:
    """Draw a `curve.csv` as PNG: the loss, and each mIoU there is, over the epochs."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with path.open(newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(8, 4.5), dpi=120, layout='constrained')
    axes = figure.add_subplot(xlabel='epoch', ylabel='loss')
    epochs = [int(row['epoch']) for row in rows]
    (line,) = axes.plot(epochs, [float(row['loss']) for row in rows], color='0.6', label='loss')
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    lines = [line]
    right = axes.twinx()
    right.set(ylabel='mIoU', ylim=(0, 1))
    for name, color in zip(_SCORES, ('tab:blue', 'tab:orange'), strict=True):
        points = [(int(row['epoch']), float(row[name])) for row in rows if row.get(name)]
        points = [point for point in points if math.isfinite(point[1])]
        if points:
            label = name.replace('_miou', ' mIoU')
            x, y = zip(*points, strict=True)
            lines += right.plot(x, y, color=color, marker='.', label=label)
    axes.legend(handles=lines, loc='center right')
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png')
    write_whole(picture, buffer.getvalue())
