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
"""`spssn evaluate` and the command's manners: exit statuses, one-line errors."""

import contextlib
import html
import json
import shlex
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from spssn_ros.bags.labelled import LabelledFrame, write_labelled_bag
from spssn_ros.bags.writer import BagWriter
from spssn_ros.inference import Segmenter
from spssn_ros.tools.main import main

# Quick to start, unlike the compiling backend.
ENGINE = ('--backend', 'torch', '--device', 'cpu', '--precision', 'float32')
ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    *('miou', 'class_average', 'global_average', 'iou', 'accuracy', 'confusion', 'classes'),
    *('frames', 'unmatched_images', 'unmatched_labels', 'weights', 'device', 'fps'),
}


@pytest.fixture(scope='module')
def weights(random_weights: Path) -> Path:
    return random_weights


@pytest.fixture(scope='module')
def bag(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames whose truth is the network's own answer, but for one void and one wrong pixel."""
    path = tmp_path_factory.mktemp('bags') / 'bag'
    segmenter = Segmenter.from_weights(weights, 'cpu', 'float32', 'torch')
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(2):
        rgb = rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)
        frames.append(LabelledFrame(rgb, segmenter(rgb).labels))
    frames[0].labels[0, 0] = 255
    frames[1].labels[1, 1] = (frames[1].labels[1, 1] + 1) % len(segmenter.label_set)
    write_labelled_bag(path, frames, 1.0)
    return path


def test_scores_report_and_json(bag: Path, weights: Path, tmp_path: Path) -> None:
    json_path, report = tmp_path / 'scores.json', tmp_path / 'report'
    command = ['evaluate', str(bag), *ENGINE, '--weights', str(weights), '--json', str(json_path)]
    assert main([*command, '--report', str(report)]) == 0
    scores = json.loads(json_path.read_text())
    assert set(scores) == KEYS
    assert scores['frames'] == 2
    assert np.sum(scores['confusion']) == 2 * 40 * 56 - 1
    assert scores['global_average'] == pytest.approx(1 - 1 / (2 * 40 * 56 - 1))
    assert scores['weights'] == str(weights)
    assert {p.name for p in report.iterdir()} >= {'scores.json', 'scores.csv', 'worst_1.png'}
    page = (report / 'index.html').read_text()
    # The command as it was given, the bag, its topics, and what the weights say of themselves.
    words = shlex.join(['spssn', *command, '--report', str(report)])
    for text in (words, str(bag), '/camera/image_raw', '/camera/label_truth', 'chain length'):
        assert html.escape(text) in page


def test_bags_may_come_behind_the_topics_and_topics_one_by_one(
    bag: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topics = ['--image-topic', '/camera/image_raw', '--label-topic', '/camera/label_truth']
    options = [*ENGINE, '--weights', str(weights), '--json', '-']
    found = []
    for command in ([*options, *topics, str(bag)], [str(bag), *topics, *options, *topics]):
        assert main(['evaluate', *command]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]['frames'] == 2
    # The same camera twice counts twice.
    assert found[1]['frames'] == 4
    assert np.array_equal(2 * np.array(found[0]['confusion']), found[1]['confusion'])


def test_earlier_scores_stand_beside_in_the_table_and_the_page(
    bag: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ['evaluate', str(bag), '--weights', str(weights)]
    first, other = tmp_path / 'first.json', tmp_path / 'other.json'
    assert main([*command, '--json', str(first)]) == 0
    scores = json.loads(first.read_text())
    scores['miou'] -= 0.25
    other.write_text(json.dumps(scores))
    capsys.readouterr()
    compare = ['--compare', str(first), '--compare', str(other)]
    assert main([*command, *compare, '--report', str(tmp_path / 'report')]) == 0
    output = capsys.readouterr()
    mean = next(line for line in output.out.splitlines() if line.startswith('│ mean'))
    assert '+0.00' in mean
    assert '+25.00' in mean
    assert f'report in {tmp_path / "report" / "index.html"}' in output.err
    page = (tmp_path / 'report' / 'index.html').read_text()
    assert page.count('against first.json') == page.count('against other.json') > 0
    assert '+25.0' in page


def test_json_to_stdout_is_nothing_but_json(
    bag: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ['evaluate', str(bag), *ENGINE, '--weights', str(weights), '--json', '-']
    assert main([*command, '--report', str(tmp_path / 'report')]) == 0
    output, errors = capsys.readouterr()
    assert set(json.loads(output)) == KEYS
    assert errors == f'report in {tmp_path}/report/index.html\n'
    # Nor does a missed threshold add to it.
    assert main([*command, '--fail-under', '1']) == 1
    assert set(json.loads(capsys.readouterr().out)) == KEYS


def test_json_on_what_is_open_as_on_stdout(
    bag: Path, weights: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where pytest, as a shell does, has sent the output into a file."""
    command = ['evaluate', str(bag), *ENGINE, '--weights', str(weights), '--json', '/dev/fd/1']
    assert main(command) == 0
    table, brace, scores = capfd.readouterr().out.partition('{')
    assert 'mean' in table
    assert set(json.loads(brace + scores)) == KEYS


def test_fail_under(bag: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ['evaluate', str(bag), *ENGINE, '--weights', str(weights), '--fail-under']
    assert main([*command, '0.5']) == 0
    assert main([*command, '1.0']) == 1
    assert 'is under --fail-under 1.0' in capsys.readouterr().err


def test_recorded_predictions_need_no_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.zeros((4, 5), np.uint8)
    truth[2:] = 3
    prediction = truth.copy()
    prediction[0, 0] = 3
    with BagWriter(tmp_path / 'recorded') as bag:
        for topic, labels in (('/truth', truth), ('/segment_node/label', prediction)):
            bag.write_image(topic, 10**9, 'camera', labels)
        bag.write_image('/segment_node/label', 2 * 10**9, 'camera', prediction)
    topics = ['--label-topic', '/truth', '--prediction-topic', '/segment_node/label']
    report = ['--report', str(tmp_path / 'report')]
    assert main(['evaluate', str(tmp_path / 'recorded'), *topics, '--json', '-', *report]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores['miou'] == pytest.approx((9 / 10 + 10 / 11) / 2)
    assert (scores['device'], scores['weights']) == ('recorded', '')
    # The page shows frames without an image, and no weights that had no part in it.
    page = (tmp_path / 'report' / 'index.html').read_text()
    assert (page.count('alt="truth"'), page.count('alt="image"')) == (2, 0)
    assert '<details>' not in page
    assert 'unmatched: 1 labels,\n0 truth images' in page


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (['nobag'], 'spssn: bag nobag does not exist; check the path\n'),
        (['BAG', '--image-topic', '/front'], "spssn: topic '/front' is not in bag"),
        (['BAG', '--weights', 'nosuch'], "spssn: no weights file 'nosuch'; give the path"),
        (['BAG', '--weights', __file__], 'is not a safetensors file'),
        (['BAG', '--input-size', '7x7'], "spssn: input_size is '7x7'; give auto, native or"),
        (['BAG', '--compare', 'nosuch.json'], 'spssn: cannot compare with nosuch.json: no such'),
        (['nobag', '--compare', __file__], 'test_evaluate.py: not JSON'),
        (['BAG', '--fail-under', '65'], 'spssn: --fail-under is 65.0; give a fraction'),
        (['BAG', '--slop', '-1'], 'spssn: slop is -1.0 ms; give 0 or more'),
        (['BAG', '--workers', '-1'], 'spssn: workers is -1; give 0 to 64'),
        (
            ['BAG', '--image-topic', '/a', '/b'],
            'spssn: 2 image topics (/a, /b) but 1 label topics',
        ),
        (
            ['BAG', '--truth', 'cityscapes-ids'],
            "spssn: truth 'cityscapes-ids' tells the classes r",
        ),
        (['BAG', '--classes', 'camvid'], 'spssn: --classes is for --prediction-topic; a network'),
        (['--image-topic', '/a', '/b'], 'spssn: no bag is given; name the bags before the opti'),
        (['BAG', *ENGINE, '--json', '/dev/full'], 'spssn: /dev/full: No space left on device; m'),
        (
            ['BAG', *ENGINE, '--json', __file__ + '/s.json'],
            'test_evaluate.py: Not a directory; give',
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    bag: Path, options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ['evaluate', *(str(bag) if word == 'BAG' else word for word in options)]
    assert main(command) == 2
    errors = capsys.readouterr().err
    assert text in errors
    assert errors.count('\n') == 1
    assert stat.S_ISCHR(Path('/dev/full').stat().st_mode)


@pytest.mark.parametrize('option', ['--json', '--report'])
def test_a_full_disk(
    bag: Path,
    weights: Path,
    tiny_disk: Path,
    option: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tiny_disk / 'fill').write_bytes(bytes(20480 if option == '--json' else 12288))
    target = tiny_disk / 'out.json' if option == '--json' else tiny_disk / 'report'
    assert (
        main(['evaluate', str(bag), *ENGINE, '--weights', str(weights), option, str(target)]) == 2
    )
    errors = capsys.readouterr().err
    assert errors.startswith(f'spssn: {target}')
    assert errors.endswith(': No space left on device; make room or give another path\n')
    assert errors.count('\n') == 1
    # What was finished is whole, and nothing temporary is left.
    assert [path for path in tiny_disk.rglob('*') if path.name.startswith('.')] == []
    for path in tiny_disk.rglob('*.png'):
        assert cv2.imread(str(path)) is not None
    assert option == '--report' or not target.exists()


def test_a_missing_package_is_one_line_and_costs_no_scores(
    bag: Path,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    command = ['evaluate', str(bag), *ENGINE, '--weights', str(weights), '--json', '-']
    assert main([*command, '--report', str(tmp_path / 'report')]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)['frames'] > 0
    assert said.err.startswith('spssn: matplotlib is not installed for ')
    assert said.err.count('\n') == 1
    assert main([*command, '--report', str(tmp_path / 'report'), '--debug']) == 2
    assert 'Traceback' in capsys.readouterr().err


def test_several_cameras_add_up(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.zeros((4, 5), np.uint8)
    with BagWriter(tmp_path / 'bag') as bag:
        for number, topic in enumerate(('/front', '/rear')):
            # What the rear camera sees is stamped 3 ms later than its truth.
            bag.write_image(f'{topic}/label', 10**9 + number * 3_000_000, 'camera', truth + number)
            bag.write_image(f'{topic}/truth', 10**9, 'camera', truth)
    command = [
        *('evaluate', str(tmp_path / 'bag'), '--prediction-topic', '/front/label', '/rear/label'),
        *('--label-topic', '/front/truth', '/rear/truth', '--json', '-', '--workers', '1'),
    ]
    assert main([*command, '--slop', '3']) == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores['frames'], scores['unmatched_images']) == (2, 0)
    assert scores['confusion'][0][:2] == [20, 20]
    assert main([*command, '--slop', '2.9']) == 2
    errors = capsys.readouterr().err
    assert 'no stamp is on both /rear/label (1 messages) and /rear/truth (1) within the' in errors
    assert errors.endswith('the nearest two are 3 ms apart\n')


def test_recorded_predictions_of_other_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prediction = np.array([[0, 18, 1]], np.uint8)
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image('/label', 5, 'camera', prediction)
        bag.write_image('/truth', 5, 'camera', np.array([[7, 33, 7]], np.uint8))
    command = ['evaluate', str(tmp_path / 'bag'), '--prediction-topic', '/label']
    command += ['--label-topic', '/truth', '--truth', 'cityscapes-ids', '--json', '-']
    assert main([*command, '--classes', 'cityscapes']) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores['classes'][18] == 'bicycle'
    assert scores['iou']['road'] == 0.5
    assert scores['iou']['bicycle'] == 1.0
    assert main(command) == 2
    assert "truth 'cityscapes-ids' tells the classes road, " in capsys.readouterr().err


@pytest.mark.parametrize(
    'number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name
)
@pytest.mark.parametrize('command', ['evaluate', 'convert'])
def test_a_signal_ends_it_without_a_traceback_and_nothing_half_written_stays(
    weights: Path, tmp_path: Path, command: str, number: signal.Signals
) -> None:
    truth = np.zeros((48, 64), np.uint8)
    rgb = np.zeros((48, 64, 3), np.uint8)
    out = tmp_path / 'out'
    if command == 'evaluate':
        write_labelled_bag(tmp_path / 'bag', [LabelledFrame(rgb, truth)] * 3000, 1000.0)
        arguments = ['evaluate', str(tmp_path / 'bag'), *ENGINE, '--weights', str(weights)]
        arguments += ['--report', str(out)]
    else:
        arguments = ['convert', 'street', '--frames', '100000', '--bag', str(out)]
    code = (
        'import signal, sys\n'
        'from spssn_ros.tools.main import main\n'
        # Who starts tests in the background has them ignore Ctrl-C.
        'signal.signal(signal.SIGINT, signal.default_int_handler)\n'
        'signal.signal(signal.SIGHUP, signal.SIG_DFL)\n'
        "print('ready', flush=True)\n"
        f'sys.exit(main({arguments!r}))\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == 'ready\n'

    def has_begun() -> bool:
        for link in Path(f'/proc/{process.pid}/fd').iterdir():
            with contextlib.suppress(FileNotFoundError):
                if link.readlink().is_relative_to(tmp_path):
                    return True
        return False

    try:
        # It reads the bag, or writes one, which takes long.
        while not has_begun():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, output, errors) == (128 + number, '', '')
    assert {path.name for path in tmp_path.iterdir()} <= {'bag'}
