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
"""Reading what is a file, and writing files whole or not at all."""

import contextlib
import errno
import os
import secrets
import tempfile
from pathlib import Path

MOST_BYTES = 1 << 30
"""Larger files are no list, recipe, score sheet or picture."""

_ELSEWHERE = 'give another path'
_REMEDIES = {
    errno.ENOENT: 'check the path',
    errno.EISDIR: 'give the name of a file',
    errno.EACCES: f'change its permissions or {_ELSEWHERE}',
    errno.EPERM: f'change its permissions or {_ELSEWHERE}',
    errno.EROFS: f'make it writable or {_ELSEWHERE}',
    errno.ENOSPC: f'make room or {_ELSEWHERE}',
    errno.EDQUOT: f'make room or {_ELSEWHERE}',
    errno.EIO: f'see whether the disk is full or damaged, or {_ELSEWHERE}',
    errno.EEXIST: _ELSEWHERE,
    errno.ENOTDIR: _ELSEWHERE,
    errno.ELOOP: _ELSEWHERE,
    errno.ENAMETOOLONG: _ELSEWHERE,
    errno.EINVAL: _ELSEWHERE,
    errno.EFBIG: _ELSEWHERE,
}


def explain(error: OSError) -> str:
    """Return why a file cannot be read or written and, where that is known, what to do.

    The file is not named; `error.filename` may be a temporary one.
    """
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0)
    return f'{reason}; {remedy}' if remedy else reason


def from_home(path: str | os.PathLike[str]) -> Path:
    """Return a path whose leading ~ or ~user is that user's home folder.

    Shells see to it, but not in `weights:=~/w.safetensors`, nor in a file of parameters.
    """
    # A tilde before what is no user's name is part of the file's name.
    with contextlib.suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def read_plain(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of a plain file: a pipe may never begin, and a device never end.

    Raises:
        OSError: it is missing, unreadable, no plain file, or larger than `most_bytes`; it names
            `path`.

    """
    if path.exists() and not path.is_dir() and not path.is_file():
        raise OSError(errno.EINVAL, 'It is a pipe, socket or device, not a file', str(path))
    with path.open('rb') as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, f'It is larger than {most_bytes >> 20} MiB', str(path))
    return data


def write_whole(path: Path, data: bytes, durable: bool = True) -> None:
    """Write `data` to a temporary name beside `path`, then rename it; nothing half-written stays.

    Where `path` is a link it stays one: the file that it leads to is written so. A pipe or device
    that `path` names is written to directly. So is what the process has open already, as
    /dev/stdout: where that is a file, the data comes behind what it holds.

    Args:
        path: the file.
        data: its content.
        durable: after a power cut, too, there is the old file or the whole new one. Waiting for
            the disk takes milliseconds, too long for thousands of files.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full; it names `path`.

    """
    target = _behind_links(path)
    # Other threads may write it, too, and processes of other containers, whose numbers repeat.
    temporary = target.with_name(f'.{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp')
    try:
        descriptor = _descriptor(path)
        if descriptor is not None:
            # A second opening would begin at the file's start.
            with os.fdopen(os.dup(descriptor), 'wb') as file:
                file.write(data)
            return
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        temporary.write_bytes(data)
        if durable:
            # Some file systems put the new name on the disk before the data.
            with temporary.open('rb') as file:
                os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        # That of a full disk names no file, and others the temporary one.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        # Where it could not be made, it cannot be removed either; the first error is the cause.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_file_target(path: Path, makes_folders: bool = False) -> None:
    """Check that a file can be written, before the work whose result goes there.

    Args:
        path: the file, or a link to it; pipes, devices and what the process has open are taken as
            they are.
        makes_folders: the writer makes the folders above it that are missing, but none that a
            link leads to.

    Raises:
        OSError: a folder has its name, or its own folder is missing, none, or not writable; it
            names the one in the way.

    """
    if path.is_dir():
        raise _os_error(errno.EISDIR, path)
    if _descriptor(path) is None and (path.is_file() or not path.exists()):
        target = _behind_links(path)
        if not (makes_folders and target == path) and not target.parent.exists():
            raise _os_error(errno.ENOENT, target.parent)
        check_folder_target(target.parent)


def check_folder_target(path: Path) -> None:
    """Check that files can be written into a folder, which is made where it is missing.

    Raises:
        OSError: it, or the nearest that there is above it, is no folder or not writable; it names
            that one.

    """
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    if not path.is_dir():
        raise _os_error(errno.ENOTDIR, path)
    try:
        # On Linux a file without a name, which nobody sees come and go.
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        # It may name the file.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _behind_links(path: Path) -> Path:
    """Return the file that a link leads to, there or not; itself for what is no link to a file."""
    if not path.is_symlink() or path.is_dir():
        return path
    return Path(os.path.realpath(path))


def _os_error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def _descriptor(path: Path) -> int | None:
    """Return the number of the open file that a path such as /dev/stdout is another name of."""
    # As many links as Linux follows.
    for _ in range(40):
        if not path.is_symlink():
            return None
        if path.parent.resolve() == Path('/proc/self/fd').resolve():
            return int(path.name)
        path = path.parent / path.readlink()
    return None
