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
"""A disk that is full while something is written: one line, nothing half-written, the old kept.

A limit on the size of files stands for the full disk, so that no special right is needed; training
is interrupted by a real one, of a file system in memory.
"""

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file
from small_bags import IMAGE, LABEL, TRUTH, write_frames

from spssn_ros.bags.writer import Storage
from spssn_ros.tools.main import main

ENGINE = ['--device', 'cpu', '--backend', 'torch']
RECIPE = """
dataset: folder
train_splits: [all]
val_split: ''
options: {chain_length: 1, dropout: 0.0}
epochs: 1
batch_size: 2
crop: [64, 64]
precision: float32
"""


@contextmanager
def full_disk(most_bytes: int) -> Iterator[None]:
    """Let no file grow beyond `most_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp('bag') / 'bag', Storage.MCAP)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames of a street, to train on."""
    root = tmp_path_factory.mktemp('data')
    words = ['convert', 'street', '--frames', '2', '--size', '64x64', '--bag', str(root / 'bag')]
    assert main(words) == 0
    assert main(['convert', 'bag', str(root / 'bag'), '--dataset', str(root / 'set')]) == 0
    return root / 'set'


def refused(words: list[Any], most_bytes: int, capsys: pytest.CaptureFixture[str]) -> str:
    with full_disk(most_bytes):
        assert main([str(word) for word in words]) == 2
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith('spssn: ')]
    assert len(lines) == 1, error
    assert 'Traceback' not in error
    return lines[0]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


STREET = ['convert', 'street', '--frames', '2', '--size', '96x72', '--bag', 'OUT']
TOPICS = ['--image-topic', IMAGE, '--label-topic', TRUTH]
TRAIN = ['train', '--config', 'RECIPE', '--data', 'DATA', '--output', 'OUT', '--device', 'cpu']
SCORES = ['--prediction-topic', LABEL, '--label-topic', TRUTH, '--classes', 'camvid']


@pytest.mark.parametrize(
    ('words', 'most_bytes'),
    [
        (['evaluate', 'BAG', *SCORES, '--json', 'OUT.json'], 100),
        (['evaluate', 'BAG', *SCORES, '--report', 'OUT'], 5000),
        (STREET, 9000),
        ([*STREET, '--storage', 'sqlite3'], 9000),
        (['convert', 'bag', 'BAG', *TOPICS, '--dataset', 'OUT'], 80),
        (['export', '--weights', 'WEIGHTS', '--format', 'onnx', '--output', 'OUT.onnx'], 90_000),
        (
            ['export', '--weights', 'WEIGHTS', '--format', 'openvino', '--output', 'OUT.xml'],
            90_000,
        ),
        (['export', '--weights', 'WEIGHTS', '--format', 'openvino', '--output', 'OUT.xml'], 9000),
        (TRAIN, 90_000),
    ],
    ids=lambda value: (
        '_'.join(w for w in value[:2] if w.islower()) if isinstance(value, list) else ''
    ),
)
def test_nothing_half_written_stays(
    bag: Path,
    data: Path,
    random_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    most_bytes: int,
) -> None:
    (tmp_path / 'RECIPE').write_text(RECIPE)
    places = {'BAG': bag, 'WEIGHTS': random_weights, 'DATA': data}
    before = tree(tmp_path)
    given = [places.get(w, tmp_path / w if w[:3] in ('OUT', 'REC') else w) for w in words]
    told = refused(given, most_bytes, capsys)
    assert 'OUT' in told
    left = tree(tmp_path)
    if words[0] == 'train':
        # What TensorBoard shows grows line by line.
        left = {name: data for name, data in left.items() if 'tensorboard' not in name}
    assert left == before


@pytest.mark.parametrize(
    ('words', 'name', 'most_bytes'),
    [
        (['evaluate', 'BAG', *SCORES, '--json', 'OUT.json'], 'OUT.json', 100),
        (['evaluate', 'BAG', *SCORES, '--report', 'OUT'], 'OUT/index.html', 5000),
        (
            ['export', '--weights', 'W', '--format', 'onnx', '--output', 'OUT.onnx'],
            'OUT.onnx',
            9000,
        ),
        # A new run removes them when it begins.
        ([*TRAIN, '--resume'], 'OUT/last.safetensors', 90_000),
    ],
    ids=['json', 'report', 'export', 'train'],
)
def test_the_file_of_before_is_kept(
    bag: Path,
    data: Path,
    random_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    name: str,
    most_bytes: int,
) -> None:
    (tmp_path / 'RECIPE').write_text(RECIPE)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('of before')
    places = {'BAG': bag, 'W': random_weights, 'DATA': data}
    given = [places.get(w, tmp_path / w if w[:3] in ('OUT', 'REC') else w) for w in words]
    refused(given, most_bytes, capsys)
    assert (tmp_path / name).read_text() == 'of before'
    assert not list(tmp_path.rglob('.*'))


@pytest.mark.parametrize('json', ['OUT.json', '-'])
def test_scores_outlive_a_report_that_cannot_be_written(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], json: str
) -> None:
    report, file = tmp_path / 'OUT', json if json == '-' else str(tmp_path / json)
    words = ['evaluate', str(bag), *SCORES, '--json', file, '--report', str(report)]
    with full_disk(5000):
        assert main(words) == 2
    printed, error = capsys.readouterr()
    told = [line for line in error.splitlines() if line.startswith('spssn: ')]
    assert len(told) == 1
    assert str(report) in told[0]
    assert 'report in' not in error
    assert 'Traceback' not in error
    if json == '-':
        assert '"miou": ' in printed
    else:
        assert 'mIoU' in printed
        assert '"miou": ' in Path(file).read_text()


def test_pictures_of_a_video_are_whole_and_the_video_is_not_there(
    bag: Path,
    random_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    picture: Callable[..., np.ndarray],
) -> None:
    out = tmp_path / 'out'
    words = ['segment', bag, '--image-topic', IMAGE, '--output', out, '--weights', random_weights]
    refused([*words, *ENGINE], 300, capsys)
    assert not (out / 'overlay.mp4').exists()
    assert not list(out.rglob('.*'))
    for path in out.rglob('*.png'):
        assert cv2.imread(str(path)) is not None


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that sets the size of a disk in memory, and returns its folder."""
    folder = tmp_path / 'disk'
    folder.mkdir()

    def mount(options: str) -> Path:
        command = ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f'cannot mount a tmpfs here ({error})')
        return folder

    yield mount
    subprocess.run(['umount', '--lazy', str(folder)], check=False, capture_output=True)


def test_training_goes_on_when_there_is_room_again(
    tmp_path: Path, data: Path, disk: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'recipe').write_text(RECIPE.replace('epochs: 1', 'epochs: 2'))
    words = ['train', '--config', tmp_path / 'recipe', '--data', data, '--output']
    assert main([str(word) for word in [*words, tmp_path / 'unbroken']]) == 0
    state = (tmp_path / 'unbroken' / 'state.safetensors').stat().st_size
    best = (tmp_path / 'unbroken' / 'last.safetensors').stat().st_size
    # Room for the first epoch's state and weights, not for a second state beside it.
    folder = disk(f'size={best * 2 + state + state // 2}')
    assert main([str(word) for word in [*words, folder / 'run']]) == 2
    error = capsys.readouterr().err
    told = [line for line in error.splitlines() if line.startswith('spssn: ')]
    full = 'No space left on device; make room or give another path'
    assert told == [f'spssn: {folder}/run/state.safetensors: {full}']
    assert 'Traceback' not in error
    disk(f'remount,size={4 * state + 4 * best}')
    assert main([str(word) for word in [*words, folder / 'run', '--resume']]) == 0
    expected = load_file(tmp_path / 'unbroken' / 'last.safetensors')
    found = load_file(folder / 'run' / 'last.safetensors')
    assert all((found[key] == tensor).all() for key, tensor in expected.items())
