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
"""Who reads the output may leave, as `head` does: the work goes on, and its status holds."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from spssn_ros.stdout import go_on_without_reader

ROOT = Path(__file__).resolve().parents[1]
WORK = """
import sys
from rich.console import Console
from spssn_ros.stdout import go_on_without_reader

go_on_without_reader()
for _ in range(3):
    print('ä' * 100_000, flush=True)
    Console().print('scores')
print('the work is done', file=sys.stderr)
print('at the end')
sys.exit(3)
"""


def run(code: str, output: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-c', code],
        cwd=ROOT,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_nobody_reads(unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONUNBUFFERED', unbuffered)
    reader, writer = os.pipe()
    os.close(reader)
    done = run(WORK, writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, 'the work is done\n')


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_somebody_reads(unbuffered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONUNBUFFERED', unbuffered)
    file = tmp_path / 'output'
    with file.open('w') as output:
        assert run(WORK, output.fileno()).returncode == 3
    told = file.read_text(encoding='utf-8').splitlines()
    assert told == ['ä' * 100_000, 'scores'] * 3 + ['at the end']


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_a_terminal_that_has_gone(
    unbuffered: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('PYTHONUNBUFFERED', unbuffered)
    done = tmp_path / 'done'
    code = WORK.replace('sys.exit(3)', f'open({str(done)!r}, "x")\nsys.exit(3)')
    window, terminal = pty.openpty()
    os.close(window)
    status = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, stdout=terminal, stderr=terminal, check=False
    ).returncode
    os.close(terminal)
    assert status == 3
    assert done.exists()


def test_a_full_disk_is_told() -> None:
    code = 'from spssn_ros.stdout import *; go_on_without_reader(); print("x", flush=True)'
    with Path('/dev/full').open('w') as output:
        assert 'No space left on device' in run(code, output.fileno()).stderr


def test_output_is_not_held_back_where_python_is_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('PYTHONUNBUFFERED', '1')
    code = (
        'import os; from spssn_ros.stdout import *; go_on_without_reader(); '
        'print("at once", end=""); os._exit(0)'
    )
    file = tmp_path / 'output'
    with file.open('w') as output:
        run(code, output.fileno())
    assert file.read_text() == 'at once'


@pytest.mark.parametrize('stream', [None, io.StringIO()])
def test_what_is_no_file_stays(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'stdout', stream)
    go_on_without_reader()
    assert sys.stdout is stream
