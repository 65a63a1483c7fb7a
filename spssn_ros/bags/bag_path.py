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
"""What can be told of a bag before it is opened."""

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from spssn_ros.errors import BagError, ConfigError
from spssn_ros.files import explain

_STORAGE = {'.mcap', '.db3', '.bag'}


def check_bags_differ(paths: Iterable[Path]) -> None:
    """Check that no bag is given twice, by links or by a file of it either.

    Raises:
        ConfigError: one is.

    """
    seen: dict[Path, Path] = {}
    for path in paths:
        # Unlike Path.resolve it takes links that lead in a circle, which are told of elsewhere.
        real = Path(os.path.realpath(path))
        if real in seen:
            twin = seen[real]
            what = f'{twin} and {path} are one bag'
            if twin == path:
                what = f'bag {path} is given twice'
            raise ConfigError(f'{what} and would count twice; give it once')
        seen[real] = path
    for real, path in seen.items():
        if real.parent in seen:
            raise ConfigError(
                f'{path} is a file of bag {seen[real.parent]} and would count twice; give one of '
                'the two'
            )


def check_bag_path(path: Path) -> None:
    """Check that a path looks like a bag that can be read as a whole.

    Raises:
        BagError: it is missing or no bag, holds what is no plain file or may not be read, lacks
            its metadata, has a name that SQLite does not take, or was not closed by its recorder.

    """
    try:
        if not path.exists():
            raise BagError(f'bag {path} does not exist; check the path')
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError as error:
        raise BagError(f'cannot read bag {path}: {explain(error)}') from error
    if path.is_dir():
        _check_folder(path, files)
    elif path.suffix not in _STORAGE:
        raise BagError(
            f'file {path} is no bag; give a ROS 2 bag folder, or a .mcap, .db3 or ROS 1 .bag file'
        )
    for file in filter(Path.exists, files):
        if not file.is_file() and not file.is_dir():
            raise BagError(f'bag {path} cannot be read: {file} is no plain file; check the path')
        if not _STORAGE.isdisjoint(file.suffixes) and not os.access(file, os.R_OK):
            # What opens it tells no more than of a damaged one.
            denied = OSError(errno.EACCES, os.strerror(errno.EACCES))
            raise BagError(f'cannot read bag {path}: {file}: {explain(denied)}')
    for database in (file for file in files if '.db3' in file.suffixes):
        _check_database(database)


def _check_folder(path: Path, files: list[Path]) -> None:
    if (path / 'metadata.yaml').is_file():
        return
    storage = [file for file in files if file.suffix in ('.mcap', '.db3')]
    if not storage:
        raise BagError(
            f'folder {path} is no ROS 2 bag: it has no metadata.yaml and no .mcap or .db3 file; '
            'give one that has, or make a bag of images and labels by `spssn convert folder`'
        )
    raise BagError(
        f'bag {path} has no metadata.yaml (was its recorder killed?); run '
        f'`ros2 bag reindex {path}`, or give its file {storage[0]} instead'
    )


def check_database_name(path: Path) -> None:
    """Check that rosbags, which opens databases by a URI, finds the one of this path.

    Raises:
        BagError: it holds a character that ends or encodes names in URIs, or is no UTF-8.

    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise BagError(
            f'{path} cannot be opened by SQLite because its name is no UTF-8; give another name, '
            'or use MCAP'
        ) from None
    special = [character for character in '?#%' if character in str(path)]
    if special:
        raise BagError(
            f'{path} cannot be opened by SQLite because of the {special[0]} in it; give another '
            'name, or use MCAP'
        )


def _check_database(file: Path) -> None:
    check_database_name(file)
    for journal in _journals(file):
        raise BagError(
            f'bag {file} was not closed by its recorder: messages are still in {journal}; bring '
            f"them home with `sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'`"
        )


def _journals(file: Path) -> Iterator[Path]:
    """Yield what SQLite has yet to write into a database, which rosbags does not look at."""
    for suffix in ('-wal', '-journal'):
        journal = file.with_name(file.name + suffix)
        if journal.is_file() and journal.stat().st_size:
            yield journal
