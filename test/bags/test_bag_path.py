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
"""What is told of a bag before it is opened."""

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from spssn_ros.bags.bag_path import check_bag_path
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.writer import BagWriter, Storage
from spssn_ros.errors import BagError

PIXELS = np.zeros((2, 3), np.uint8)


def write(path: Path, storage: Storage) -> Path:
    with BagWriter(path, storage) as bag:
        bag.write_image('/i', 1, 'f', PIXELS)
    return path


@pytest.mark.parametrize('storage', list(Storage), ids=lambda storage: storage.value)
@pytest.mark.parametrize('name', ['a b', 'strasse_ü_路', 'line\nbreak', "quo'te", '-x', 'a[1]*'])
def test_unusual_names(tmp_path: Path, storage: Storage, name: str) -> None:
    bag = write(tmp_path / name, storage)
    for path in (bag, next(file for file in bag.iterdir() if file.suffix != '.yaml')):
        with BagReader(path) as reader:
            assert [message.topic for message in reader.messages()] == ['/i']


@pytest.mark.parametrize(
    'name', ['why?', 'run#3', '50%41', b'\xff'.decode(errors='surrogateescape')]
)
def test_names_that_mean_something_in_uris(tmp_path: Path, name: str) -> None:
    with pytest.raises(BagError, match='cannot be opened by SQLite because'):
        write(tmp_path / name, Storage.SQLITE3)
    assert list(tmp_path.iterdir()) == []
    with BagReader(write(tmp_path / name, Storage.MCAP)) as reader:
        assert len(list(reader.messages())) == 1
    renamed = write(tmp_path / 'plain', Storage.SQLITE3).rename(tmp_path / f'{name}.renamed')
    with pytest.raises(BagError, match='cannot be opened by SQLite'), BagReader(renamed):
        pass


@pytest.mark.parametrize('storage', list(Storage), ids=lambda storage: storage.value)
def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = write(tmp_path / 'bag', storage)
    (file,) = (file for file in bag.iterdir() if file.suffix != '.yaml')
    access = os.access
    # Root, who may run the tests, may read everything.
    monkeypatch.setattr(os, 'access', lambda path, mode: path != file and access(path, mode))
    for path in (bag, file):
        with pytest.raises(BagError) as caught, BagReader(path):
            pass
        told = f'cannot read bag {path}: {file}: Permission denied; change its permissions or '
        assert str(caught.value).startswith(told)


@pytest.mark.parametrize('suffix', ['.mcap', '.db3', '.bag'])
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f'pipe{suffix}')
    (tmp_path / f'zero{suffix}').symlink_to('/dev/zero')
    (tmp_path / f'loop{suffix}').symlink_to(f'loop{suffix}')
    (tmp_path / f'folder{suffix}').mkdir()
    for name, reason in (
        ('pipe', 'is no plain file'),
        ('zero', 'is no plain file'),
        ('loop', 'does not exist'),
        ('folder', r'is no ROS 2 bag: .*; give one that has, or make a bag of images'),
    ):
        with pytest.raises(BagError, match=reason):
            check_bag_path(tmp_path / f'{name}{suffix}')


def test_a_pipe_within_a_bag_is_not_waited_for(tmp_path: Path) -> None:
    bag = write(tmp_path / 'bag', Storage.MCAP)
    (bag / 'bag.mcap').unlink()
    os.mkfifo(bag / 'bag.mcap')
    with pytest.raises(BagError, match=r'cannot be read: .*/bag/bag\.mcap is no plain file'):
        check_bag_path(bag)
    (bag / 'metadata.yaml').unlink()
    os.mkfifo(bag / 'metadata.yaml')
    with pytest.raises(BagError, match=r'bag .* has no metadata\.yaml'):
        check_bag_path(bag)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r'cannot read bag .*: File name too long; give a'):
        check_bag_path(tmp_path / ('x' * 300))


def test_messages_that_sqlite_has_not_written_home_are_not_passed_over(tmp_path: Path) -> None:
    bag = write(tmp_path / 'bag', Storage.SQLITE3)
    database = sqlite3.connect(bag / 'bag.db3')
    database.execute('PRAGMA journal_mode = WAL')
    database.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (1, 2, x'00')")
    database.commit()
    journal = bag / 'bag.db3-wal'
    for path in (bag, bag / 'bag.db3'):
        with (
            pytest.raises(BagError, match=rf'messages are still in {journal}; .*wal_checkpoint'),
            BagReader(path),
        ):
            pass
    # What the message says to do.
    database.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    check_bag_path(bag)
    database.close()
