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
"""Compiled networks kept on disk, so that a frame size is compiled for once and not at each start.

A folder of files, each named after a digest of all that its content depends on; a file holds a
digest of its own content too. Whatever is damaged, foreign or cannot be written only costs the
time to compile. Processes share the folder without locks: files appear whole or not at all.
"""

import contextlib
import hashlib
import inspect
import os
import time
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from spssn_ros.files import write_whole
from spssn_ros.inference.say_once import say_once

MAX_BYTES = 256 << 20
"""Of all files together; the ones unused for longest are removed."""

_MAGIC = b'spssn_ros compiled network 1\n'
_SUFFIX = '.compiled'
_ABANDONED_S = 3600


def cache_folder() -> Path:
    """Return SPSSN_CACHE, or spssn_ros in XDG_CACHE_HOME or ~/.cache."""
    chosen, base = os.environ.get('SPSSN_CACHE'), os.environ.get('XDG_CACHE_HOME')
    if chosen:
        return Path(chosen)
    try:
        return (Path(base) if base else Path.home() / '.cache') / 'spssn_ros'
    except RuntimeError:
        # A user without a home, as in some containers: a place that cannot be written to.
        return Path(os.devnull, 'spssn_ros')


class CompiledCache:
    """Maps digests to bytes, in a folder that need not exist."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def load(self, digest: str) -> bytes | None:
        """Return what was stored; None where it is not there or not whole."""
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        head = len(_MAGIC) + hashlib.sha256().digest_size
        data = content[head:]
        if content[:head] != _MAGIC + hashlib.sha256(data).digest():
            return None
        with contextlib.suppress(OSError):
            # The time of its last use, by which the oldest are removed.
            os.utime(path)
        return data

    def store(self, digest: str, data: bytes) -> None:
        """Keep `data`; where that cannot be done, say so once."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            content = _MAGIC + hashlib.sha256(data).digest() + data
            # What a power cut leaves of it is known by its digest; a start need not wait.
            write_whole(self._path(digest), content, durable=False)
            self._remove_oldest()
        except OSError as error:
            say_once(
                f'compiled networks are not kept ({error.strerror}: {self.folder}), so each '
                'start compiles anew; set SPSSN_CACHE to a folder that can be written to'
            )

    def remove(self, digest: str) -> None:
        """Forget an entry that does not serve."""
        with contextlib.suppress(OSError):
            self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self.folder / f'{digest}{_SUFFIX}'

    def _remove_oldest(self) -> None:
        found = []
        for path in self.folder.glob(f'*{_SUFFIX}'):
            try:
                status = path.stat()
            except FileNotFoundError:
                # Another process was faster.
                continue
            found.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        # Of processes that were killed while they wrote.
        for path in self.folder.glob(f'.*{_SUFFIX}.*.tmp'):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()


def network_digest(network: nn.Module) -> str:
    """Return a digest of a network's weights, structure, settings and the code that defines it."""
    digest = hashlib.sha256(repr(network).encode())
    for name, module in network.named_modules():
        # Not all that a module decides by shows in its text.
        settings = sorted((k, v) for k, v in vars(module).items() if _is_plain(v))
        digest.update(f'{name} {settings!r}\n'.encode())
    for name, tensor in network.state_dict().items():
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for source in sorted(_sources(type(module) for module in network.modules())):
        digest.update(source.encode())
    return digest.hexdigest()


def _is_plain(value: object) -> bool:
    """Whether a value's text tells it from others, and is the same in every process."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _sources(classes: Iterable[type]) -> set[str]:
    """Return the text of the modules that define the classes and their bases; PyTorch's not."""
    found = set()
    for kind in {base for derived in classes for base in derived.__mro__}:
        if kind.__module__.partition('.')[0] in ('torch', 'builtins', 'typing'):
            continue
        try:
            found.add(inspect.getsource(inspect.getmodule(kind) or kind))
        except (OSError, TypeError):
            # Typed into a console, say: then only its representation tells it from others.
            found.add(repr(kind))
    return found
