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
"""Compiled loops outlive the process, and neither a damaged file nor a full disk fails a frame."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spssn_ros.inference.say_once import say_once

numba = pytest.importorskip('numba')
loop_cache = pytest.importorskip('spssn_ros.inference.loop_cache')

UPSAMPLE = """
import logging, resource, signal, sys
import numpy as np
from spssn_ros.inference.upsample_argmax import upsample_argmax_confidence
logging.basicConfig(format='%(message)s')
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
most_bytes = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
logits = np.arange(12, dtype=np.float32).reshape(3, 2, 2) % 5
for _ in range(2):
    labels, confidence = upsample_argmax_confidence(logits, (6, 4), 1)
    print(labels.tolist(), confidence.tolist())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where numba keeps files."""
    monkeypatch.setattr(numba.config, 'CACHE_DIR', str(tmp_path / 'loops'))
    return tmp_path / 'loops'


def fresh() -> Callable[[int], int]:
    """What a new process has of a function before its first call."""

    @numba.njit
    def twice(number: int) -> int:
        return 2 * number

    return loop_cache.keep(twice)


def files(folder: Path) -> dict[str, Path]:
    found = {path.suffix: path for path in folder.rglob('*') if path.is_file()}
    assert found.keys() == {'.nbi', '.nbc'}
    return found


def hits(function: object) -> int:
    return sum(function.stats.cache_hits.values())


def test_loops_that_numba_is_told_not_to_compile_are_left_alone() -> None:
    code = 'from spssn_ros.inference import cell_loops; print(callable(cell_loops.label_rows))'
    done = subprocess.run(
        [sys.executable, '-c', code],
        env=os.environ | {'NUMBA_DISABLE_JIT': '1'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == 'True\n', done.stderr


def test_what_was_compiled_is_found_again(folder: Path) -> None:
    first, then = fresh(), fresh()
    assert (first(4), hits(first)) == (8, 0)
    assert files(folder)
    assert (then(4), hits(then)) == (8, 1)


@pytest.mark.parametrize('suffix', ['.nbi', '.nbc'])
@pytest.mark.parametrize('damage', ['cut', 'empty', 'rubbish', 'folder'])
def test_a_damaged_file_is_replaced(
    suffix: str, damage: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    say_once.cache_clear()
    assert fresh()(4) == 8
    path = files(folder)[suffix]
    whole = path.read_bytes()
    if damage == 'folder':
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({'cut': whole[:-5], 'empty': b'', 'rubbish': b'rubbish'}[damage])
    mended, then = fresh(), fresh()
    assert (mended(4), hits(mended), mended(5)) == (8, 0, 10)
    if damage == 'folder':
        # What is in the way is not taken away, and is told.
        assert (then(4), hits(then)) == (8, 0)
        (record,) = caplog.records
        assert 'not kept (Is a directory: ' in record.message
    else:
        assert (then(4), hits(then)) == (8, 1)
        assert not caplog.records


def test_what_cannot_be_kept_is_said_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    say_once.cache_clear()
    monkeypatch.setattr('numba.core.caching.IndexDataCacheFile._save_index', full)
    with caplog.at_level(logging.WARNING, 'spssn_ros'):
        for _ in range(2):
            assert fresh()(4) == 8
    (record,) = caplog.records
    assert record.message == (
        'the loops that numba compiles are not kept (No space left on device: '
        f'{next(folder.iterdir())}), so each start compiles anew; set NUMBA_CACHE_DIR to a folder '
        'that can be written to'
    )


def test_labels_come_from_a_full_disk_and_from_damaged_files(tmp_path: Path) -> None:
    def upsample(most_bytes: int) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, '-c', UPSAMPLE, str(most_bytes)],
            env=os.environ | {'NUMBA_CACHE_DIR': str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    expected, told = upsample(1 << 30)
    assert expected.count('\n') == 2
    assert told == ''
    indices = sorted(tmp_path.rglob('*.nbi'))
    assert len(indices) > 5
    for path in indices:
        path.write_bytes(path.read_bytes()[:-5])
    # No file may grow beyond this, as on a full disk.
    found, told = upsample(50)
    assert found == expected
    assert told.count('\n') == 1
    assert told.startswith('the loops that numba compiles are not kept (File too large: ')
    assert upsample(1 << 30) == (expected, '')
