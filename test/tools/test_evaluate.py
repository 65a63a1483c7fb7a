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

import html
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from spssn_ros.bags.labelled import LabelledFrame, write_labelled_bag
from spssn_ros.bags.writer import BagWriter
from spssn_ros.inference import Segmenter
from spssn_ros.tools.main import main

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
    segmenter = Segmenter.from_weights(weights)
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
    command = ['evaluate', str(bag), '--weights', str(weights), '--json', str(json_path)]
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
    bag: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['evaluate', str(bag), '--weights', str(weights), '--json', '-']) == 0
    assert set(json.loads(capsys.readouterr().out)) == KEYS


def test_fail_under(bag: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ['evaluate', str(bag), '--weights', str(weights), '--fail-under']
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


def test_debug_shows_where_an_error_comes_from() -> None:
    with pytest.raises(Exception, match='bag nobag does not exist'):
        main(['--debug', 'evaluate', 'nobag'])
