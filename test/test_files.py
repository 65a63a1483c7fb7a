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
"""Only plain files are read, and files are written whole."""

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spssn_ros.files import (
    check_file_target,
    check_folder_target,
    explain,
    read_plain,
    write_whole,
)


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'abc')
    (tmp_path / 'link').symlink_to('a')
    assert read_plain(tmp_path / 'a') == read_plain(tmp_path / 'link') == b'abc'
    assert read_plain(tmp_path / 'a', most_bytes=3) == b'abc'


def test_what_is_none_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'loop').symlink_to('loop')
    (tmp_path / 'device').symlink_to('/dev/zero')
    for name, reason in (
        ('pipe', 'It is a pipe, socket or device, not a file'),
        ('device', 'It is a pipe, socket or device, not a file'),
        ('loop', 'Too many levels of symbolic links'),
        ('nowhere', 'No such file or directory'),
        ('', 'Is a directory'),
    ):
        with pytest.raises(OSError, match=reason) as caught:
            read_plain(tmp_path / name)
        assert caught.value.filename in (str(tmp_path / name), tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads everything')
def test_a_file_one_may_not_read(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'abc')
    (tmp_path / 'a').chmod(0)
    with pytest.raises(PermissionError, match='Permission denied'):
        read_plain(tmp_path / 'a')


def test_a_file_without_end_takes_no_memory(tmp_path: Path) -> None:
    with (tmp_path / 'huge').open('wb') as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match='It is larger than 1 MiB'):
        read_plain(tmp_path / 'huge', most_bytes=1 << 20)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'before')
    write_whole(tmp_path / 'a', b'after')
    assert (tmp_path / 'a').read_bytes() == b'after'
    assert [path.name for path in tmp_path.iterdir()] == ['a']


def test_a_link_stays_and_its_file_is_replaced_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'far').mkdir()
    (tmp_path / 'far' / 'a').write_bytes(b'before')
    for link, leads_to in (('b', 'far/a'), ('c', 'b'), ('new', 'far/new'), ('lost', 'gone/a')):
        (tmp_path / link).symlink_to(leads_to)
    write_whole(tmp_path / 'c', b'after')
    assert (tmp_path / 'far' / 'a').read_bytes() == b'after'
    write_whole(tmp_path / 'new', b'new')
    assert (tmp_path / 'far' / 'new').read_bytes() == b'new'
    # The temporary one lies on the disk of the file: it is renamed, not copied.
    names: list[Path] = []
    monkeypatch.setattr(Path, 'replace', lambda self, target: names.extend((self, target)))
    write_whole(tmp_path / 'b', b'again')
    assert [name.parent for name in names] == [tmp_path / 'far'] * 2
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(tmp_path / 'lost', b'x')
    assert caught.value.filename == str(tmp_path / 'lost')
    assert all((tmp_path / link).is_symlink() for link in ('b', 'c', 'new', 'lost'))
    assert sorted(path.name for path in (tmp_path / 'far').iterdir()) == ['a', 'new']


def test_threads_and_containers_that_write_one_file_are_not_in_each_other_s_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Containers number their processes each from 1.
    monkeypatch.setattr(os, 'getpid', lambda: 1)
    begun = threading.Barrier(2)
    write_bytes = Path.write_bytes

    def together(path: Path, data: bytes) -> int:
        begun.wait(60)
        count = write_bytes(path, data)
        begun.wait(60)
        return count

    monkeypatch.setattr(Path, 'write_bytes', together)
    contents = (b'a' * 1000, b'b' * 10)
    with ThreadPoolExecutor() as pool:
        for written in [pool.submit(write_whole, tmp_path / 'one', data) for data in contents]:
            written.result()
    assert (tmp_path / 'one').read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ['one']


def test_a_failure_names_the_file_and_keeps_it(tmp_path: Path) -> None:
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'inside').touch()
    (tmp_path / 'root').symlink_to('/')
    for path, reason in (
        (tmp_path / 'folder', 'Is a directory'),
        (tmp_path / 'root', 'Is a directory'),
        (tmp_path / 'no' / 'where', 'No such file or directory'),
        (tmp_path / 'folder' / 'inside' / 'it', 'Not a directory'),
        (tmp_path / ('n' * 250), 'File name too long'),
    ):
        with pytest.raises(OSError, match=reason) as caught:
            write_whole(path, b'x')
        assert caught.value.filename == str(path)
    (tmp_path / 'root').unlink()
    assert [path.name for path in tmp_path.rglob('*')] == ['folder', 'inside']


def test_the_old_file_stays_until_the_new_one_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quota or a network's disk may refuse only then."""
    path = tmp_path / 'a'
    path.write_bytes(b'before')
    seen: list[bytes] = []

    def full(number: int) -> None:
        seen.extend((Path(f'/proc/self/fd/{number}').read_bytes(), path.read_bytes()))
        raise OSError(errno.EDQUOT, 'Disk quota exceeded')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='Disk quota exceeded') as caught:
        write_whole(path, b'after')
    assert seen == [b'after', b'before']
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b'before'
    assert [entry.name for entry in tmp_path.iterdir()] == ['a']


def test_what_is_no_plain_file_is_written_to_as_it_is(tmp_path: Path) -> None:
    (tmp_path / 'null').symlink_to('/dev/null')
    write_whole(tmp_path / 'null', b'x')
    assert (tmp_path / 'null').is_symlink()


@pytest.mark.parametrize('through', ['', 'a', 'b'], ids=['itself', 'a_link', 'a_link_to_a_link'])
def test_what_the_process_has_open_is_written_on(tmp_path: Path, through: str) -> None:
    """/dev/stdout is such a name, where the shell sent the output into a file."""
    with (tmp_path / 'output').open('wb', buffering=0) as file:
        path = Path(f'/dev/fd/{file.fileno()}')
        (tmp_path / 'a').symlink_to(path)
        (tmp_path / 'b').symlink_to('a')
        file.write(b'before ')
        write_whole(tmp_path / through if through else path, b'data')
        file.write(b' after')
    assert (tmp_path / 'output').read_bytes() == b'before data after'
    assert (tmp_path / 'a').is_symlink()
    assert {entry.name for entry in tmp_path.iterdir()} == {'output', 'a', 'b'}


def test_a_link_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / 'loop').symlink_to('loop')
    write_whole(tmp_path / 'loop', b'data')
    assert (tmp_path / 'loop').read_bytes() == b'data'


@pytest.mark.parametrize(
    ('number', 'remedy'),
    [
        (errno.ENOENT, 'check the path'),
        (errno.EISDIR, 'give the name of a file'),
        (errno.EEXIST, 'give another path'),
        (errno.ENOTDIR, 'give another path'),
        (errno.EACCES, 'change its permissions or give another path'),
        (errno.ENOSPC, 'make room or give another path'),
        (errno.EROFS, 'make it writable or give another path'),
    ],
)
def test_an_error_is_told_with_its_remedy(number: int, remedy: str) -> None:
    reason = os.strerror(number)
    assert explain(OSError(number, reason, 'a')) == f'{reason}; {remedy}'


def test_an_error_whose_remedy_is_not_known() -> None:
    assert explain(BrokenPipeError(errno.EPIPE, 'Broken pipe')) == 'Broken pipe'
    assert explain(OSError('no number')) == 'no number'


def test_targets_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / 'file').write_bytes(b'kept')
    (tmp_path / 'dangling').symlink_to('nowhere')
    os.mkfifo(tmp_path / 'pipe')
    before = sorted(tmp_path.iterdir())
    for path in (tmp_path / 'new', tmp_path / 'file', tmp_path / 'dangling', tmp_path / 'pipe'):
        check_file_target(path)
    # Others' folders do not matter for what is written to as it is.
    for name in ('/dev/null', '/dev/stdout', '/dev/fd/2'):
        check_file_target(Path(name))
    check_file_target(tmp_path / 'a' / 'b' / 'c', makes_folders=True)
    for path in (tmp_path, tmp_path / 'a' / 'b', Path(), Path('a')):
        check_folder_target(path)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / 'file').read_bytes() == b'kept'


def test_a_link_into_a_folder_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / 'link').symlink_to('gone/file')
    for makes_folders in (False, True):
        with pytest.raises(FileNotFoundError) as caught:
            check_file_target(tmp_path / 'link', makes_folders)
        assert caught.value.filename == str(tmp_path / 'gone')
    (tmp_path / 'gone').mkdir()
    check_file_target(tmp_path / 'link')


def test_a_link_to_nothing_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / 'dangling').symlink_to('nowhere')
    for path in (tmp_path / 'dangling', tmp_path / 'dangling' / 'new'):
        with pytest.raises(NotADirectoryError) as caught:
            check_folder_target(path)
        assert caught.value.filename == str(tmp_path / 'dangling')


@pytest.mark.skipif(os.geteuid() == 0, reason='root writes everywhere')
def test_a_folder_one_may_not_write_into(tmp_path: Path) -> None:
    (tmp_path / 'folder').mkdir(mode=0o500)
    for check in (
        lambda: check_file_target(tmp_path / 'folder' / 'out'),
        lambda: check_folder_target(tmp_path / 'folder' / 'new' / 'out'),
    ):
        with pytest.raises(PermissionError) as caught:
            check()
        assert caught.value.filename == str(tmp_path / 'folder')
