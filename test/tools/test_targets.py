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
"""Where nothing can be written, that is told before the work: here before any input is looked at.

The input that these commands name does not exist, which they tell once the target is good.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from spssn_ros.synthetic import StreetScene
from spssn_ros.tools.main import main

NONE = '/nowhere/input'
WITH_FOLDERS = [
    ['evaluate', NONE, '--json'],
    ['benchmark', 'models', '--models', NONE, '--json'],
    ['benchmark', 'engine', '--weights', NONE, '--markdown'],
    ['export', '--weights', NONE, '--format', 'onnx', '--output'],
]
"""Write a file, and make the folders above it."""
FILES = [
    ['average', NONE, NONE, '--output'],
    ['calibrate', NONE, '--weights', NONE, '--output'],
    ['quantize', NONE, '--weights', NONE, '--output'],
]
"""Write a file into a folder that is there."""
FOLDERS = [
    ['evaluate', NONE, '--report'],
    ['segment', NONE, '--output'],
    ['segment', NONE, '--image-topic', '/front', '/rear', '--output'],
    ['train', '--config', 'RECIPE', '--data', NONE, '--output'],
]
"""Make a folder."""

Tell = Callable[[list[str], Path | str], str]


def name_of(words: list[str]) -> str:
    return ' '.join([*words[:2], words[-1]]).replace(NONE, '')


@pytest.fixture
def tell(tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Return what runs a command with a target, and returns what it says as it fails."""
    recipe = tmp_path_factory.mktemp('recipe') / 'recipe.yaml'
    recipe.write_text('dataset: folder\n')

    def run(words: list[str], target: Path | str) -> str:
        assert main([*(str(recipe) if w == 'RECIPE' else w for w in words), str(target)]) == 2
        output, errors = capsys.readouterr()
        assert output == ''
        assert errors.count('\n') == 1
        return errors

    return run


@pytest.mark.parametrize('words', WITH_FOLDERS + FILES, ids=name_of)
def test_a_folder_where_a_file_shall_be(words: list[str], tmp_path: Path, tell: Tell) -> None:
    target = tmp_path / 'out.onnx'
    target.mkdir()
    assert tell(words, target) == f'spssn: {target}: Is a directory; give the name of a file\n'


@pytest.mark.parametrize('kind', ['onnx', 'openvino'])
@pytest.mark.parametrize(
    ('target', 'told'), [('.', '.'), ('', '.'), ('/', '/'), ('..', '..'), ('deep/..', 'deep/..')]
)
def test_a_folder_to_whose_name_no_suffix_can_be_added(
    kind: str,
    target: str,
    told: str,
    tmp_path: Path,
    tell: Tell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = tell(['export', '--weights', NONE, '--format', kind, '--output'], target)
    assert found == f'spssn: {told}: Is a directory; give the name of a file\n'


def test_a_folder_where_the_second_file_shall_be(tmp_path: Path, tell: Tell) -> None:
    (tmp_path / 'out.bin').mkdir()
    words = ['export', '--weights', NONE, '--format', 'openvino', '--output']
    found = tell(words, tmp_path / 'out.xml')
    assert found == f'spssn: {tmp_path}/out.bin: Is a directory; give the name of a file\n'


@pytest.mark.parametrize('words', WITH_FOLDERS + FILES + FOLDERS, ids=name_of)
@pytest.mark.parametrize('deep', [False, True], ids=['file', 'deep'])
def test_a_file_where_a_folder_shall_be(
    words: list[str], deep: bool, tmp_path: Path, tell: Tell
) -> None:
    file = tmp_path / 'file'
    file.write_text('in the way')
    if not deep and words in FOLDERS:
        target = file
    else:
        target = file / 'deep' / 'out' if deep else file / 'out'
    found = tell(words, target)
    if deep and words in FILES:
        assert found == f'spssn: {file}/deep: No such file or directory; check the path\n'
    else:
        assert found == f'spssn: {file}: Not a directory; give another path\n'
    assert file.read_text() == 'in the way'


@pytest.mark.parametrize('words', FILES, ids=name_of)
def test_a_folder_that_is_not_there(words: list[str], tmp_path: Path, tell: Tell) -> None:
    found = tell(words, tmp_path / 'new' / 'out')
    assert found == f'spssn: {tmp_path}/new: No such file or directory; check the path\n'
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize('words', WITH_FOLDERS + FILES + FOLDERS, ids=name_of)
def test_a_disk_that_is_only_read(words: list[str], tiny_disk: Path, tell: Tell) -> None:
    """Stands for a folder that one may not write into, too, which root always may."""
    subprocess.run(['mount', '-o', 'remount,ro', str(tiny_disk)], check=True)
    deep = Path() if words in FILES else Path('new')
    found = tell(words, tiny_disk / deep / 'out')
    reason = 'Read-only file system; make it writable or give another path'
    assert found == f'spssn: {tiny_disk}: {reason}\n'


@pytest.mark.parametrize('words', WITH_FOLDERS + FILES + FOLDERS, ids=name_of)
def test_where_it_can_be_written_only_the_input_is_wrong(
    words: list[str], tmp_path: Path, tell: Tell
) -> None:
    target = tmp_path / ('out' if words in FILES else 'new/out')
    targets = [target]
    if words not in FOLDERS and words[0] != 'export':
        targets += [Path('/dev/stdout'), Path('/dev/null')]
    for target in targets:
        found = tell(words, target)
        assert NONE in found
        assert str(target) not in found
    # The look for whether it can leaves nothing.
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize('words', [['street', '--bag'], ['bag', NONE, '--dataset']], ids=name_of)
def test_a_conversion_asks_first_too(
    words: list[str], tmp_path: Path, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is not come to.
    monkeypatch.setattr(StreetScene, 'render', None)
    (tmp_path / 'file').write_text('in the way')
    convert = ['convert', *words]
    found = tell(convert, tmp_path / 'file')
    assert found == f'spssn: {tmp_path}/file exists already; remove it or choose another name\n'
    found = tell(convert, tmp_path / 'file' / 'deep' / 'out')
    assert f'{tmp_path}/file/deep' in found
    assert found.endswith(': Not a directory; give another path\n')
