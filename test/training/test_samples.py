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
"""Frames are found, held out by sequence, and read, from every kind of data set."""

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from spssn_ros.errors import ConfigError, DatasetError
from spssn_ros.labels import CAMVID, CITYSCAPES
from spssn_ros.training.config import DataSet, TrainConfig
from spssn_ros.training.samples import Frame, hold_out, read_data


def frames(*stems: str) -> list[Frame]:
    def read(stem: str) -> Any:
        raise AssertionError(f'{stem} was read')

    return [Frame(stem, stem.rpartition('_')[0], partial(read, stem)) for stem in stems]


DRIVES = frames(*(f'{drive}_{i:03d}' for i in range(10) for drive in ('A', 'B')))


def stems(found: list[Frame]) -> list[str]:
    return [frame.stem for frame in found]


def test_the_last_part_of_every_sequence_is_held_out() -> None:
    train, out = hold_out(DRIVES, 0.2, ())
    assert sorted(stems(out)) == ['A_008', 'A_009', 'B_008', 'B_009']
    assert stems(train) == [stem for stem in stems(DRIVES) if stem not in stems(out)]


def test_whole_sequences_are_held_out() -> None:
    train, out = hold_out(DRIVES, 0.0, ('B',))
    assert {frame.sequence for frame in train} == {'A'}
    assert {frame.sequence for frame in out} == {'B'}
    train, out = hold_out(DRIVES, 0.1, ('B',))
    assert len(train) == 9
    assert len(out) == 11


def test_nothing_is_held_out_unasked() -> None:
    assert hold_out(DRIVES, 0.0, ()) == (DRIVES, [])


def test_a_hold_out_that_cannot_be_is_explained() -> None:
    with pytest.raises(
        ConfigError, match=r"^holdout_sequences has 'C', but the sequences are 'A', 'B'$"
    ):
        hold_out(DRIVES, 0.0, ('C',))
    with pytest.raises(
        ConfigError, match=r'^holdout 0.2 leaves no frame out: the 3 sequences \(wha'
    ):
        hold_out(frames('a_1', 'b_1', 'c_1'), 0.2, ())


def write_png(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def folder(root: Path, count: int = 5) -> Path:
    for i in range(count):
        write_png(root / 'images' / f'yard_{i}.png', np.full((40, 48, 3), 10 * i, np.uint8))
        write_png(root / 'labels' / f'yard_{i}.png', np.full((40, 48), i % 2, np.uint8))
    (root / 'classes.txt').write_text('grass 0 200 0\ncrate 90 60 30\n')
    return root


def config(**values: Any) -> TrainConfig:
    return TrainConfig(
        dataset=DataSet.FOLDER, train_splits=('all',), val_split='', holdout=0.2, **values
    )


@pytest.mark.parametrize('in_memory', [True, False])
def test_a_folder_of_ones_own(tmp_path: Path, in_memory: bool) -> None:
    data = read_data(config(in_memory=in_memory), folder(tmp_path))
    assert data.label_set.names == ('grass', 'crate')
    assert data.label_set.palette == ((0, 200, 0), (90, 60, 30))
    assert [int(image[0, 0, 0]) for image, _ in data.train] == [0, 10, 20, 30]
    assert [int(labels[0, 0]) for _, labels in data.train] == [0, 1, 0, 1]
    assert len(data.val) == 0
    assert [int(image[0, 0, 0]) for image, _ in data.holdout] == [40]
    assert len(data.train[1:3]) == 2


def test_ids_beyond_the_class_list_name_the_file(tmp_path: Path) -> None:
    root = folder(tmp_path)
    write_png(root / 'labels' / 'yard_3.png', np.full((40, 48), 7, np.uint8))
    with pytest.raises(
        DatasetError, match=r'yard_3\.png: label ids \[7\] are beyond the class list, 0\.\.1 and v'
    ):
        read_data(config(), root)


def test_an_image_without_a_label_is_named(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / 'labels' / 'yard_2.png').unlink()
    with pytest.raises(DatasetError, match=r'^image .*images/yard_2\.png has no label; expected '):
        read_data(config(), root)


def test_cityscapes_holds_out_by_city(tmp_path: Path) -> None:
    for city in ('aachen', 'ulm'):
        for drive in range(5):
            stem = f'{city}_{drive:06d}_000019'
            image = np.full((32, 64, 3), drive, np.uint8)
            write_png(tmp_path / f'leftImg8bit/train/{city}/{stem}_leftImg8bit.png', image)
            labels = np.full((32, 64), 7, np.uint8)
            write_png(tmp_path / f'gtFine/train/{city}/{stem}_gtFine_labelIds.png', labels)
    recipe = TrainConfig(dataset=DataSet.CITYSCAPES, val_split='', holdout=0.2)
    data = read_data(recipe, tmp_path)
    assert data.label_set is CITYSCAPES
    assert (len(data.train), len(data.holdout)) == (8, 2)
    assert [int(image[0, 0, 0]) for image, _ in data.holdout] == [4, 4]
    assert all((labels == 0).all() for _, labels in data.train)


def test_a_data_set_needs_its_folder() -> None:
    for kind in (DataSet.CAMVID, DataSet.CITYSCAPES, DataSet.FOLDER):
        with pytest.raises(
            ConfigError, match=f'^dataset is {kind.value} but no folder is given; give --data DIR$'
        ):
            read_data(TrainConfig(dataset=kind), None)


def test_streets_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from spssn_ros.training import samples

    monkeypatch.setattr(samples, 'STREET_SEEDS', {'train': range(1000, 1002), 'val': range(1)})
    recipe = TrainConfig(dataset=DataSet.STREET, crop=(64, 48), holdout=0.2)
    data = read_data(recipe, None)
    assert data.label_set is CAMVID
    assert (len(data.train), len(data.val), len(data.holdout)) == (6, 4, 2)
    assert data.train[0][0].shape == (48, 64, 3)
    with pytest.raises(ConfigError, match=r"^synthetic streets have no split 'test'; give train"):
        read_data(TrainConfig(dataset=DataSet.STREET, val_split='test'), None)


def test_real_camvid_drives(camvid_root: Path) -> None:
    recipe = TrainConfig(holdout=0.2, holdout_sequences=('0001TP',), in_memory=False)
    data = read_data(recipe, camvid_root)
    # 62 frames of 0001TP, and a fifth of the 101 of 0006R0 and of the 204 of 0016E5.
    assert (len(data.train), len(data.val), len(data.holdout)) == (244, 101, 62 + 20 + 41)
