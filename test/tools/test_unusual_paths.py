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
"""Commands given pipes, devices, folders and names of any kind end with one line and status 2."""

import io
import os
import sys
from pathlib import Path

import pytest
from small_bags import LABEL, TRUTH, write_frames

from spssn_ros.bags.writer import Storage
from spssn_ros.tools.main import main

SCORES = ['--prediction-topic', LABEL, '--label-topic', TRUTH]
NOT_UTF8 = b'\xff\xfe'.decode(errors='surrogateescape')


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp('bag') / 'bag', Storage.MCAP)


@pytest.mark.parametrize('kind', ['pipe', 'zero', 'loop', 'folder'])
@pytest.mark.parametrize(
    'words',
    [
        ['evaluate', 'BAG', *SCORES, '--classes', 'FILE'],
        ['evaluate', 'BAG', *SCORES, '--classes', 'camvid', '--compare', 'FILE'],
        ['evaluate', 'BAG', *SCORES, '--classes', 'camvid', '--categories', 'FILE'],
        ['evaluate', 'BAG', '--label-topic', TRUTH, '--weights', 'FILE'],
        ['train', '--config', 'FILE', '--output', 'OUT'],
        ['segment', 'FILE.png', '--output', 'OUT'],
        ['segment', 'FILE.mp4', '--output', 'OUT'],
        ['convert', 'folder', 'FILE', '--bag', 'OUT'],
    ],
    ids=lambda words: '_'.join(w.strip('-') for w in (words[0], words[-2])),
)
def test_what_is_no_file(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, words: list[str]
) -> None:
    name = next(word for word in words if word.startswith('FILE'))
    path = tmp_path / name
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'folder':
        path.mkdir()
    else:
        path.symlink_to('/dev/zero' if kind == 'zero' else path)
    given = [str(bag) if w == 'BAG' else str(tmp_path / w) if w.isupper() else w for w in words]
    given = [str(path) if word == name else word for word in given]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert error.startswith('spssn: ')
    assert error.count('\n') == 1
    assert str(path) in error
    assert not (tmp_path / 'OUT').exists()


@pytest.mark.parametrize('name', ['line\nbreak', NOT_UTF8], ids=['newline', 'no_utf8'])
def test_names_of_any_bytes_are_told_on_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for words in (
        ['evaluate', str(tmp_path / name), *SCORES],
        ['evaluate', '--weights', str(tmp_path / name), str(tmp_path)],
        ['convert', 'folder', str(tmp_path / name), '--bag', str(tmp_path / 'out')],
        ['segment', str(tmp_path / name), '--output', str(tmp_path / 'out')],
    ):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.count('\n') == 1, error


def test_a_bag_of_any_name_is_written_and_its_name_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = io.TextIOWrapper(io.BytesIO(), encoding='utf-8')
    monkeypatch.setattr(sys, 'stdout', printed)
    target = tmp_path / NOT_UTF8
    words = ['convert', 'street', '--frames', '1', '--size', '32x32', '--bag', str(target)]
    assert main(words) == 0
    assert target.is_dir()
    printed.flush()
    assert rb'\udcff\udcfe: 1 frames on' in printed.buffer.getvalue()
