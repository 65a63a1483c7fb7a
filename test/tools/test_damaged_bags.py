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
"""Bags that are cut off or changed at any byte: the right scores, or one line and status 2.

`SPSSN_FUZZ=1000` damages each kind of bag a thousand times instead of a dozen.
"""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_bags import FRAMES, HEIGHT, IMAGE, LABEL, TRUTH, WIDTH, damaged, every_kind

from spssn_ros.bags.read_ahead import ReadAhead
from spssn_ros.errors import BagError, SpssnError
from spssn_ros.evaluation.evaluate import EvaluationConfig, evaluate
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.labels import CAMVID
from spssn_ros.tools.main import main

TIMES = int(os.environ.get('SPSSN_FUZZ', '12'))
KINDS = (
    'mcap',
    'mcap_alone',
    'mcap_bare',
    'mcap_storage',
    'mcap_message',
    'mcap_file',
    'sqlite3',
    'sqlite3_message',
    'sqlite3_file',
    'ros1',
    'ros1_bz2',
    'ros1_lz4',
)
CHECKSUMS = ('mcap', 'mcap_alone', 'ros1_bz2')
"""Kinds in which no changed byte of a message goes unnoticed."""
MOST_MEGABYTES = 400


@pytest.fixture(scope='module')
def bags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return every_kind(tmp_path_factory.mktemp('whole'))


@pytest.fixture(scope='module')
def whole(bags: dict[str, Path]) -> EvaluationResult:
    """What all of them score."""
    results = [score(bag) for bag in bags.values()]
    counts = [result.matrix.counts.tolist() for result in results]
    assert counts == [counts[0]] * len(KINDS)
    assert results[0].frames == FRAMES
    assert results[0].matrix.counts.sum() == FRAMES * HEIGHT * WIDTH
    return results[0]


def score(bag: Path) -> EvaluationResult:
    config = EvaluationConfig([bag], (), [TRUTH], [LABEL], workers=0)
    return evaluate(config, CAMVID, None)


def random_damage(
    bag: Path, rng: np.random.Generator
) -> tuple[str, Callable[[Path, bytes], bytes]]:
    """Return a cut, a changed byte or a zeroed stretch somewhere in a bag, and its description."""
    files = [bag] if bag.is_file() else sorted(bag.iterdir())
    chosen = files[rng.integers(len(files))]
    position = int(rng.integers(chosen.stat().st_size))
    kind = rng.choice(['cut', 'byte', 'byte', 'zeros'])
    value = int(rng.integers(1, 256))
    length = int(rng.integers(2, 600))

    def change(file: Path, data: bytes) -> bytes:
        if file != chosen:
            return data
        if kind == 'cut':
            return data[:position]
        if kind == 'byte':
            return data[:position] + bytes([data[position] ^ value]) + data[position + 1 :]
        rest = data[position + length :]
        return data[:position] + bytes(len(data) - position - len(rest)) + rest

    return f'{kind} at {position} of {chosen.name} ({value}, {length})', change


def check_message(error: SpssnError, bag: Path, told: str) -> None:
    assert '\n' not in str(error), told
    assert str(bag) in str(error), told


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.timeout(400 + TIMES)
@pytest.mark.parametrize('kind', KINDS)
def test_damage_anywhere_is_told_or_harmless(
    bags: dict[str, Path], whole: EvaluationResult, tmp_path: Path, kind: str
) -> None:
    before = megabytes()
    refused = 0
    for number in range(TIMES):
        rng = np.random.default_rng([KINDS.index(kind), number])
        told, change = random_damage(bags[kind], rng)
        bag = damaged(bags[kind], tmp_path / str(number), change)
        try:
            result = score(bag)
        except SpssnError as error:
            check_message(error, bag, told)
            refused += 1
            continue
        # Every frame is scored or told to be unmatched.
        assert result.frames + result.unmatched_images == FRAMES or result.unmatched_labels, told
        assert result.matrix.counts.sum() <= result.frames * HEIGHT * WIDTH, told
        if told.startswith('cut') or kind in CHECKSUMS:
            assert result.frames == FRAMES, told
            assert result.matrix.counts.tolist() == whole.matrix.counts.tolist(), told
    assert refused
    assert megabytes() < before + MOST_MEGABYTES


@pytest.mark.timeout(400 + TIMES)
@pytest.mark.parametrize('kind', KINDS)
def test_what_is_played_ends_whatever_the_damage(
    bags: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    for number in range(TIMES // 2):
        rng = np.random.default_rng([KINDS.index(kind), number, 1])
        told, change = random_damage(bags[kind], rng)
        bag = damaged(bags[kind], tmp_path / str(number), change)
        ahead = ReadAhead(bag, (), lambda: False)
        count = 0
        try:
            while ahead.next() is not None:
                count += 1
        except BagError as error:
            check_message(error, bag, told)
        else:
            # Without an index or summary nothing tells how many there were.
            assert count == 3 * FRAMES or kind == 'mcap_bare', told
        ahead.join()


def run(words: list[Any], capsys: pytest.CaptureFixture[str]) -> int:
    status = main([str(word) for word in words])
    output = capsys.readouterr()
    if status:
        assert status == 2
        assert output.err.startswith('spssn: ')
        assert output.err.count('\n') == 1, output.err
    return status


@pytest.mark.parametrize('kind', KINDS)
def test_commands_end_with_one_line_and_status_2(
    bags: dict[str, Path],
    tmp_path: Path,
    random_weights: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    def cut(_: Path, data: bytes) -> bytes:
        return data[: len(data) * 2 // 3]

    bag = damaged(bags[kind], tmp_path / 'cut', cut)
    topics = ['--image-topic', IMAGE, '--label-topic', TRUTH]
    scores, pictures, dataset = (tmp_path / name for name in ('j.json', 'pictures', 'dataset'))
    # Nothing of the network is loaded before the bag was looked at.
    engine = ['--weights', random_weights, '--device', 'cpu', '--backend', 'torch']
    assert run(['evaluate', bag, *topics, *engine, '--json', scores], capsys) == 2
    assert run(['convert', 'bag', bag, *topics, '--dataset', dataset], capsys) == 2
    assert run(['segment', bag, *topics[:2], *engine, '--output', pictures], capsys) == 2
    assert not scores.exists()
    assert not dataset.exists()
    assert not (pictures / 'overlay.mp4').exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith('.')] == []


@pytest.mark.parametrize('kind', KINDS)
def test_a_conversion_holds_every_frame_or_leaves_nothing(
    bags: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    for number in range(max(2, TIMES // 6)):
        rng = np.random.default_rng([KINDS.index(kind), number, 2])
        told, change = random_damage(bags[kind], rng)
        bag = damaged(bags[kind], tmp_path / f'{number}', change)
        words = ['convert', 'bag', bag, '--image-topic', IMAGE, '--images-only']
        dataset = tmp_path / f'{number}.dataset'
        if run([*words, '--dataset', dataset], capsys) == 0:
            assert len(list(dataset.glob('images/*.png'))) == FRAMES, told
        else:
            assert not dataset.exists(), told


def test_a_changed_pixel_is_noticed_in_bags_written_here(
    bags: dict[str, Path], tmp_path: Path
) -> None:
    def change(file: Path, data: bytes) -> bytes:
        if file.suffix != '.mcap':
            return data
        # The first label's pixels come after the encoding, flags and lengths.
        at = data.index(b'mono8') + 40
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    bag = damaged(bags['mcap'], tmp_path / 'changed', change)
    with pytest.raises(BagError, match=r'cannot be read, .*Chunk checksum mismatch'):
        score(bag)


def test_an_image_defined_in_another_way_is_no_traceback(
    bags: dict[str, Path], tmp_path: Path
) -> None:
    def rename(_: Path, data: bytes) -> bytes:
        return data.replace(b'uint32 height', b'uint32 heighx')

    bag = damaged(bags['mcap_bare'], tmp_path / 'renamed', rename)
    with pytest.raises(BagError, match=r'is damaged: its definition of sensor_msgs/msg/Image is'):
        score(bag)


@pytest.mark.parametrize('count', ["'4'", '-4', '1.5', '~', '[4]'])
def test_counts_that_are_no_counts_are_damage(
    bags: dict[str, Path], tmp_path: Path, count: str
) -> None:
    def spoil(file: Path, data: bytes) -> bytes:
        if file.name != 'metadata.yaml':
            return data
        return data.replace(b'message_count: 4\n', f'message_count: {count}\n'.encode())

    bag = damaged(bags['sqlite3'], tmp_path / 'spoilt', spoil)
    with pytest.raises(BagError, match=r'cannot be read, .*/(image|label|truth) has .* messages'):
        score(bag)


def test_an_index_that_lost_messages_is_noticed(bags: dict[str, Path], tmp_path: Path) -> None:
    def lose(_: Path, data: bytes) -> bytes:
        # The end of a ROS 1 bag: each topic's count for the only chunk.
        at = len(data) - 4
        assert data[at:] == FRAMES.to_bytes(4, 'little')
        return data[:at] + (FRAMES + 1).to_bytes(4, 'little')

    bag = damaged(bags['ros1'], tmp_path / 'lost', lose)
    with pytest.raises(BagError, match=r'it promises 5 messages of /truth and holds 4'):
        score(bag)


@pytest.mark.parametrize('count', [0, 1, 9], ids=['none', 'fewer', 'more'])
def test_counts_that_do_not_add_up_are_no_scores(
    bags: dict[str, Path], tmp_path: Path, count: int
) -> None:
    def lie(file: Path, data: bytes) -> bytes:
        if file.name != 'metadata.yaml':
            return data
        text = data.decode()
        assert text.count(f'message_count: {FRAMES}\n') == 3
        return text.replace(f'message_count: {FRAMES}\n', f'message_count: {count}\n').encode()

    bag = damaged(bags['mcap'], tmp_path / 'lying', lie)
    with pytest.raises(BagError, match=f'it promises {count} messages of .* and holds {FRAMES}'):
        score(bag)


def test_the_scores_of_a_whole_bag_are_written(
    bags: dict[str, Path],
    whole: EvaluationResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ['--label-topic', TRUTH, '--prediction-topic', LABEL, '--classes', 'camvid']
    assert run(['evaluate', bags['ros1'], *words, '--json', tmp_path / 'j'], capsys) == 0
    assert json.loads((tmp_path / 'j').read_text())['confusion'] == whole.matrix.counts.tolist()
