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
"""The learning curve is a table, events and a picture, and goes on where a run goes on."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from spssn_ros.training.curve import Curve


def row(epoch: int, loss: float, miou: float | str = '') -> dict[str, object]:
    return {'epoch': epoch, 'loss': loss, 'val_miou': miou, 'holdout_miou': '', 'seconds': 1.5}


def record(folder: Path, done: int, epochs: range) -> Curve:
    curve = Curve(folder, done)
    for epoch in epochs:
        curve.append(row(epoch, 2 / epoch, 0.1 * epoch if epoch % 2 else ''))
    return curve


def test_rows_and_picture(tmp_path: Path) -> None:
    record(tmp_path, 0, range(1, 6)).close()
    lines = (tmp_path / 'curve.csv').read_text().splitlines()
    assert lines[0] == 'epoch,loss,val_miou,holdout_miou,seconds'
    assert lines[1:3] == ['1,2.0,0.1,,1.5', '2,1.0,,,1.5']
    picture = cv2.imread(str(tmp_path / 'curve.png'))
    assert picture.shape == (540, 960, 3)
    # The mIoU in matplotlib's blue; there is no hold-out, in orange.
    blue, orange = ((picture == color).all(-1).sum() for color in ((180, 119, 31), (14, 127, 255)))
    assert blue > 100
    assert orange == 0


def test_tensorboard_reads_what_was_recorded(tmp_path: Path) -> None:
    reader = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    record(tmp_path, 0, range(1, 4)).close()
    # Epoch 3's state was lost; it is trained and recorded again, and one more.
    record(tmp_path, 2, range(3, 5)).close()
    events = reader.EventAccumulator(str(tmp_path / 'tensorboard')).Reload()
    assert [(e.step, e.value) for e in events.Scalars('loss')] == [
        (step, np.float32(2 / step)) for step in (1, 2, 3, 4)
    ]
    assert [e.step for e in events.Scalars('val_miou')] == [1, 3]
    assert 'holdout_miou' not in events.Tags()['scalars']
    assert len((tmp_path / 'curve.csv').read_text().splitlines()) == 5


def test_a_new_run_forgets_the_old_one(tmp_path: Path) -> None:
    record(tmp_path, 0, range(1, 6)).close()
    record(tmp_path, 0, range(1, 2)).close()
    assert len((tmp_path / 'curve.csv').read_text().splitlines()) == 2
    assert len(list((tmp_path / 'tensorboard').iterdir())) == 1


def test_a_table_that_went_begins_again_and_goes_on(tmp_path: Path) -> None:
    # The run had ended: nothing to draw.
    record(tmp_path, 4, range(0)).close()
    assert not (tmp_path / 'curve.csv').exists()
    record(tmp_path, 2, range(3, 5)).close()
    # The state of epoch 4 was lost, and the row of epoch 5 is cut.
    with (tmp_path / 'curve.csv').open('a') as file:
        file.write('5,0.')
    record(tmp_path, 3, range(4, 6)).close()
    content = (tmp_path / 'curve.csv').read_bytes()
    assert [line.split(b',')[0] for line in content.splitlines()] == [b'epoch', b'3', b'4', b'5']
    # All lines end alike, those from before too.
    assert b'\r' not in content
    assert (tmp_path / 'curve.png').exists()


def test_without_tensorboard_the_table_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', None)
    curve = record(tmp_path, 0, range(1, 3))
    curve.close()
    assert 'pip install tensorboard' in curve.note
    assert {path.name for path in tmp_path.iterdir()} == {'curve.csv', 'curve.png'}


def test_without_matplotlib_a_run_ends_without_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    curve = record(tmp_path, 0, range(1, 3))
    curve.close()
    assert 'pip install matplotlib' in curve.note
    assert (tmp_path / 'curve.csv').exists()
    assert not (tmp_path / 'curve.png').exists()
