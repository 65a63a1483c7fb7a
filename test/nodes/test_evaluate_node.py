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
"""`evaluate_node`, live over DDS, and how it ends."""

import json
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import ENDING_SIGNALS, camera_image, picture  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from spssn_ros.evaluation import ConfusionMatrix  # noqa: E402
from spssn_ros.evaluation.result import EvaluationResult  # noqa: E402
from spssn_ros.labels import CAMVID  # noqa: E402

# Nobody else on the machine can make it.
NOWHERE = '/dev/null/nowhere'


def arguments(**parameters: object) -> list[str]:
    return ['--ros-args', *(w for k, v in parameters.items() for w in ('-p', f'{k}:={v}'))]


def label_message(labels: np.ndarray, sec: int) -> Any:
    return camera_image(labels, sec)


@pytest.mark.parametrize('ending', ['service', 'signal'])
def test_live_scores_pairs_of_equal_stamp(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path, ending: str
) -> None:
    scores_path = tmp_path / 'scores.json'
    earlier = tmp_path / 'earlier.json'
    matrix = ConfusionMatrix(len(CAMVID))
    earlier.write_text(EvaluationResult(CAMVID, matrix).to_json())
    node = run_node(
        'evaluate_node',
        *arguments(
            weights=tiny_weights,
            json=scores_path,
            report=tmp_path / 'report',
            # A file alone, or a list of them.
            compare=earlier if ending == 'service' else f'[{earlier}]',
        ),
    )
    # The node hears of them in this order: when it acknowledges a label, it also hears images.
    publishers = [peer.publisher(topic) for topic in ('image', 'label', 'label_truth')]
    assert peer.spin_until(lambda: all(p.get_subscription_count() for p in publishers))
    images, labels, truths = publishers
    rgb = picture(6, 6, 4)
    truth = np.zeros((4, 6), np.uint8)
    truth[:, 3:] = 3
    truth[0, 0] = 255
    wrong = truth.copy()
    wrong[1, 0] = 3
    # Pair 1 truth first, pair 2 label first; 3 has no label, 4 no truth.
    for publisher, image, sec in (
        (truths, truth, 1),
        (labels, truth, 1),
        (images, rgb, 2),
        (labels, wrong, 2),
        (truths, truth, 2),
        (truths, truth, 3),
        (labels, truth, 4),
    ):
        publisher.publish(label_message(image, sec))
        peer.until_taken('/evaluate_node', publishers, 1)
    if ending == 'service':
        answer = peer.call(Trigger, '/evaluate_node/finish', Trigger.Request())
        assert answer.success
        assert 'over 2 frames' in answer.message
    else:
        assert node.stop(signal.SIGINT) == 0
    scores = json.loads(scores_path.read_text())
    assert scores['frames'] == 2
    assert (scores['unmatched_images'], scores['unmatched_labels']) == (1, 1)
    assert scores['drops'] == 1
    assert scores['latency_ms']['p50'] >= 0
    # 22 scored pixels of class 0, of which 21 are found; 24 of class 3, all found and one more.
    assert scores['iou']['sky'] == pytest.approx(21 / 22)
    assert scores['iou']['road'] == pytest.approx(24 / 25)
    assert scores['iou']['car'] is None
    assert scores['miou'] == pytest.approx((21 / 22 + 24 / 25) / 2)
    worst = cv2.imread(str(tmp_path / 'report' / 'worst_1.png'))
    # Image, truth, prediction and error side by side.
    assert worst.shape == (4, 24, 3)
    np.testing.assert_array_equal(worst[:, :6, ::-1], rgb)
    page = (tmp_path / 'report' / 'index.html').read_text()
    for text in (
        'ros2 run spssn_ros evaluate_node --ros-args -r label:=/label -r label_truth:=/label_trut',
        f'-p weights:={tiny_weights}',
        'stamp 2.000000000, /label',
        'dropped frames',
        'latency p99',
        'against earlier.json',
    ):
        assert text in page
    assert 'mode:=live' not in page
    assert node.says('earlier.json')
    if ending == 'service':
        assert node.stop() == 0
    assert 'mIoU' in node.output


def send_pair(peer: Any, node: Any, wrong: int = 0, sec: int = 1) -> None:
    """Publish a label and its truth, 24 pixels of which so many are wrong, until it is scored."""
    publishers = [peer.publisher(topic) for topic in ('label', 'label_truth')]
    assert peer.spin_until(lambda: 'scoring /label against /label_truth' in node.output)
    assert peer.spin_until(lambda: all(p.get_subscription_count() for p in publishers))
    labels = np.zeros((4, 6), np.uint8)
    labels.flat[:wrong] = 3
    for publisher, pixels in zip(publishers, (labels, np.zeros((4, 6), np.uint8)), strict=True):
        publisher.publish(label_message(pixels, sec))
    # What is sent and not yet taken would be lost to a signal.
    peer.until_taken('/evaluate_node', publishers, 1)


@pytest.mark.parametrize('number', ENDING_SIGNALS)
def test_every_signal_that_ends_it_has_the_scores_written(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path, number: int
) -> None:
    scores = tmp_path / 'scores.json'
    node = run_node('evaluate_node', *arguments(weights=tiny_weights, json=scores))
    send_pair(peer, node)
    assert node.stop(number) == 0
    assert json.loads(scores.read_text())['frames'] == 1


@pytest.mark.parametrize('ending', ['service', 'signal'])
def test_a_full_disk_takes_no_live_scores_away(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path, ending: str
) -> None:
    (tmp_path / 'full.json').symlink_to('/dev/full')
    node = run_node('evaluate_node', *arguments(weights=tiny_weights, json=tmp_path / 'full.json'))
    send_pair(peer, node)
    told = f'cannot write {tmp_path}/full.json: No space left on device; make room'
    if ending == 'service':
        response = peer.call(Trigger, '/evaluate_node/finish', Trigger.Request())
        assert not response.success
        assert told in response.message
    # At the end it tries again.
    assert node.stop() == 2
    assert f'evaluate_node: {told}' in node.output
    assert 'Traceback' not in node.output
    assert node.output.count('over 1 frames') == 1


def test_scores_that_found_a_full_disk_are_written_when_there_is_room(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    scores = tmp_path / 'scores.json'
    scores.symlink_to('/dev/full')
    node = run_node('evaluate_node', *arguments(weights=tiny_weights, json=scores))
    send_pair(peer, node)
    assert not peer.call(Trigger, '/evaluate_node/finish', Trigger.Request()).success
    scores.unlink()
    assert node.stop() == 0
    assert json.loads(scores.read_text())['frames'] == 1
    # The same table is not printed twice.
    assert node.output.count('over 1 frames') == 1


def test_pairs_that_come_after_finish_are_in_what_the_end_writes(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    scores = tmp_path / 'scores.json'
    node = run_node('evaluate_node', *arguments(weights=tiny_weights, json=scores))
    for sec in (1, 2):
        send_pair(peer, node, sec=sec)
        assert peer.call(Trigger, '/evaluate_node/finish', Trigger.Request()).success
        assert json.loads(scores.read_text())['frames'] == sec
    send_pair(peer, node, wrong=3, sec=3)
    assert node.stop() == 0
    written = json.loads(scores.read_text())
    assert written['frames'] == 3
    assert written['iou']['sky'] == pytest.approx(69 / 72)
    for frames in (1, 2, 3):
        assert node.output.count(f'over {frames} frames') == 1


def test_live_scores_under_the_threshold_are_written_and_end_it_with_1(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    scores = tmp_path / 'scores.json'
    node = run_node('evaluate_node', *arguments(weights=tiny_weights, json=scores, fail_under=0.5))
    # Sky 21 of 24, road none.
    send_pair(peer, node, wrong=3)
    response = peer.call(Trigger, '/evaluate_node/finish', Trigger.Request())
    # They are written; whether they will do is another matter.
    assert response.success
    assert response.message == 'mIoU 0.4375 over 1 frames'
    assert json.loads(scores.read_text())['miou'] == 0.4375
    assert node.stop() == 1
    assert node.output.count('mIoU 0.4375 is under fail_under 0.5') == 1


def test_every_cause_of_pairs_that_cannot_be_scored_is_told_once(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    scores = tmp_path / 'scores.json'
    node = run_node('evaluate_node', *arguments(weights=tiny_weights, json=scores))
    send_pair(peer, node)
    labels, truths = publishers = [peer.publisher(topic) for topic in ('label', 'label_truth')]
    assert peer.spin_until(lambda: all(p.get_subscription_count() for p in publishers))
    pixels = np.zeros((4, 6), np.uint8)
    for sec, wrong in enumerate((pixels[:2], pixels + 77, pixels[:3], pixels + 78), start=10):
        truths.publish(label_message(pixels, sec))
        labels.publish(label_message(wrong, sec))
        peer.until_taken('/evaluate_node', publishers, 1)
    assert node.stop() == 0
    told = [line for line in node.lines if 'not scored' in line]
    assert len(told) == 2
    assert '10000000000 ns' in told[0]
    assert 'ids that are no class: 77' in told[1]
    assert json.loads(scores.read_text())['refused'] == 4
    assert 'refused: 4 pairs that could not be scored' in node.output


def test_an_evaluation_without_a_pair_is_no_success(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    node = run_node(
        'evaluate_node',
        *arguments(
            weights=tiny_weights, json=tmp_path / 'scores.json', report=tmp_path / 'report'
        ),
        *('-r', '__ns:=/car', '-r', 'label:=seg/label', '-r', 'label_truth:=/truth'),
    )
    started = (
        'scoring /car/seg/label against /truth; SIGINT or /car/evaluate_node/finish writes the '
        'scores'
    )
    assert peer.spin_until(lambda: started in node.output)
    labels, truths = peer.publisher('/car/seg/label'), peer.publisher('/truth')
    assert peer.spin_until(lambda: labels.get_subscription_count())
    assert peer.spin_until(lambda: truths.get_subscription_count())
    pixels = np.zeros((4, 6), np.uint8)
    for publisher, sec in ((labels, 1), (labels, 2), (truths, 3)):
        publisher.publish(label_message(pixels, sec))
    peer.until_taken('/car/evaluate_node', (labels, truths), 2)
    told = (
        'no pair of label and truth was scored: 2 labels came on /car/seg/label, 1 truth images '
        'on /truth; a label needs exactly the header stamp of its truth; of a bag, spssn evaluate '
        '--slop pairs the nearest'
    )
    response = peer.call(Trigger, '/car/evaluate_node/finish', Trigger.Request())
    assert (response.success, response.message) == (False, told)
    assert node.stop() == 2
    assert f'evaluate_node: {told}\n' in node.output
    assert 'mIoU' not in node.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'mode': 'sideways'}, "mode is 'sideways'; give live or offline"),
        ({'truth': 'colors'}, "truth is 'colors'; give one of auto, ids, camvid-colors, cit"),
        ({'truth': 'cityscapes-ids'}, "truth 'cityscapes-ids' tells the classes road, "),
        ({'mode': 'offline'}, "mode is 'offline' but bag is empty; give -p bag:=PATH"),
        ({'compare': '/nowhere.json'}, 'cannot compare with /nowhere.json: no such file'),
        ({'compare': '[1, 2]'}, 'compare is [1, 2]; give a file or a list of files'),
        ({'json': '/dev/null/s.json'}, 'cannot write /dev/null: Not a directory; give another'),
        (
            {'mode': 'offline', 'bag': NOWHERE, 'report': '/dev/null'},
            'cannot write /dev/null: Not a directory; give another path',
        ),
        ({'mode': 'offline', 'bag': NOWHERE}, f'bag {NOWHERE} does not exist; check the path'),
    ],
)
def test_bad_parameters_end_it_with_one_line(
    run_node: Any, tiny_weights: Path, parameters: dict[str, str], sentence: str
) -> None:
    node = run_node('evaluate_node', *arguments(weights=tiny_weights, **parameters))
    assert node.wait() == 2
    assert sentence in node.output
    assert 'Traceback' not in node.output
