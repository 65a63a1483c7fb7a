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
"""The parameters of `evaluate_node`, documented, checked and told; why nothing was scored."""

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import TIMEOUT_S, camera_image, environment  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from spssn_ros.errors import SpssnError  # noqa: E402
from spssn_ros.evaluation.live import LiveEvaluation  # noqa: E402
from spssn_ros.evaluation.report import Run  # noqa: E402
from spssn_ros.labels import CAMVID  # noqa: E402
from spssn_ros.nodes.evaluate_live import LiveScores, no_pair  # noqa: E402
from spssn_ros.nodes.evaluate_node import EvaluateNode  # noqa: E402
from spssn_ros.nodes.evaluate_parameters import PARAMETERS, EvaluateParameters  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., Any]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return a function that makes a node of a class, in this process, by a command line."""
    for name, value in environment(in_process=True).items():
        if name.startswith('ROS_'):
            monkeypatch.setenv(name, value)
    made: list[Any] = []

    def end() -> None:
        while made:
            made.pop().destroy_node()
        rclpy.try_shutdown()

    def make(*words: str, kind: Callable[[], Any] = EvaluateNode) -> Any:
        end()
        rclpy.init(args=['--ros-args', *words])
        made.append(kind())
        return made[-1]

    yield make
    end()


def words(**parameters: object) -> list[str]:
    return [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]


def declared(node: Any) -> dict[str, Any]:
    return {name: node.get_parameter(name).value for name in PARAMETERS}


def test_they_are_the_documented_ones() -> None:
    text = (ROOT / 'docs' / 'evaluation.md').read_text()
    rows = re.findall(r'^\| `(\w+)` \| `(.*?)` \| (.*) \|$', text, re.M)
    documented = {name: (yaml.safe_load(default), told) for name, default, told in rows}
    assert documented == PARAMETERS


@pytest.mark.parametrize(
    'parameters',
    [
        {},
        {'mode': 'offline', 'bag': '/a/b c.mcap', 'slop_ms': 2.5, 'fail_under': 0.5},
        {'bag': '[/a, /b]', 'prediction_topic': '["/c", /d]', 'input_size': '576x432'},
        # What YAML would not read as these words.
        {'weights': '"12"', 'json': '"yes"', 'report': '"y"', 'compare': '"nan"'},
        {'json': '"a: b"', 'report': '"#1"', 'image_topic': '""', 'label_topic': '"[/a"'},
        {'json': r'"it\"s\\"', 'bag': '["é, b", "null"]'},
    ],
)
def test_the_command_gives_them_again(start: Start, parameters: dict[str, object]) -> None:
    node = start(
        *words(**parameters), '-r', 'label:=/seg/label', kind=lambda: rclpy.create_node('e')
    )
    given = EvaluateParameters(node)
    expected = declared(node)
    command = shlex.split(given.command(['label']))
    assert command[:5] == ['ros2', 'run', 'spssn_ros', 'evaluate_node', '--ros-args']
    assert command[5:7] == ['-r', 'label:=/seg/label']
    assert len(command) == 7 + 2 * len(parameters)
    again = start(*command[5:], kind=lambda: rclpy.create_node('e'))
    EvaluateParameters(again)
    assert declared(again) == expected
    assert again.resolve_topic_name('label') == '/seg/label'


def test_one_or_a_list(start: Start) -> None:
    def texts(value: str) -> list[str]:
        node = start(*words(bag=value), kind=lambda: rclpy.create_node('e'))
        return EvaluateParameters(node).texts('bag')

    assert texts('/a') == ['/a']
    assert texts('[/a, "", /b]') == ['/a', '/b']
    assert texts('""') == texts('[]') == []


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'fail_under': 1.5}, 'fail_under is 1.5; give a fraction from 0 to 1'),
        ({'fail_under': 1}, "'INTEGER', expecting type 'DOUBLE'; give a value such as 0.0"),
        ({'bag': '12'}, 'bag is 12; give a bag or a list of bags'),
        ({'bag': '[""]'}, "mode is 'offline' but bag is empty; give -p bag:=PATH"),
        ({'image_topic': '[1]'}, 'image_topic is [1]; give a topic or a list of topics'),
        (
            {'image_topic': '[/a, /b]'},
            '2 image topics (/a, /b) but 1 label topics (/camera/label_truth); give each its own,',
        ),
        ({'prediction_topic': '[/a, /b]'}, '2 prediction topics (/a, /b) but 1 label topics'),
        ({'prediction_topic': '/camera/label_truth'}, 'cannot be its own truth; give another'),
        ({'slop_ms': -1.0}, 'slop is -1.0 ms; give 0 or more'),
        ({'weights': 'nosuch'}, "no weights file 'nosuch'; give the path"),
        ({'device': 'tpu'}, "device is 'tpu'; give one of auto, cuda, cpu"),
        ({'backend': 'tpu'}, "backend is 'tpu'; give one of auto, torch, openvino"),
        ({'precision': '"8"'}, "precision is '8'; give one of auto, float32, bfloat16, float16"),
        ({'input_size': '7x7'}, "input_size is '7x7'; give auto, native or"),
        ({'compare': '/nowhere.json'}, 'cannot compare with /nowhere.json: no such file'),
    ],
)
def test_those_of_an_offline_evaluation_are_refused_in_a_sentence(
    start: Start, parameters: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SpssnError, match=re.escape(sentence)):
        start(*words(**{'mode': 'offline', 'bag': '/dev/null/nowhere', **parameters})).begin()


def test_a_tilde_is_the_home_folder(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    given = {'bag': '[~/day1, /day2]', 'json': '~/s.json', 'compare': '~/old.json'}
    node = start(*words(**given), kind=lambda: rclpy.create_node('e'))
    values = EvaluateParameters(node)
    assert values.paths('bag') == [tmp_path / 'day1', Path('/day2')]
    assert values.path('json') == tmp_path / 's.json'
    assert values.path('report') is None
    assert values.paths('compare') == [tmp_path / 'old.json']


def test_a_score_file_that_fails_later_is_tried_again(
    start: Start, tiny_weights: Path, tmp_path: Path
) -> None:
    file = tmp_path / 'scores.json'
    node = start(*words(weights=tiny_weights, json=file), kind=lambda: rclpy.create_node('e'))
    scores = LiveScores(node, EvaluateParameters(node), Run('', '', {}))

    def send(sec: int) -> None:
        scores._on_label(camera_image(np.zeros((4, 6), np.uint8), sec))
        scores._on_truth(camera_image(np.zeros((4, 6), np.uint8), sec))

    send(1)
    scores.finish()
    assert scores.all_written()
    file.unlink()
    file.symlink_to('/dev/full')
    send(2)
    with pytest.raises(OSError, match='No space left'):
        scores.finish()
    assert not scores.all_written()


@pytest.mark.parametrize('signalled', [False, True])
def test_what_has_come_and_had_no_turn_yet_is_scored(
    start: Start, tiny_weights: Path, tmp_path: Path, signalled: bool
) -> None:
    file = tmp_path / 'scores.json'
    node = start(*words(weights=tiny_weights, json=file), kind=lambda: rclpy.create_node('e'))
    scores = LiveScores(node, EvaluateParameters(node), Run('', '', {}))
    publishers = [node.create_publisher(Image, topic, 100) for topic in ('label', 'label_truth')]
    deadline = time.monotonic() + TIMEOUT_S
    while not all(publisher.get_subscription_count() for publisher in publishers):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for sec in range(1, 51):
        for publisher in publishers:
            publisher.publish(camera_image(np.zeros((4, 6), np.uint8), sec))
    for publisher in publishers:
        assert publisher.wait_for_all_acked()
    if signalled:
        # As rclpy's own handlers do.
        rclpy.get_default_context().handle.shutdown()
    assert scores.finish().frames == 50
    assert json.loads(file.read_text())['frames'] == 50


@pytest.mark.parametrize(
    ('labels', 'truths', 'remedy'),
    [
        ([], [], 'start segment_node and play a bag, or remap label and label_truth (-r label:='),
        ([], [1, 2], 'start segment_node, or remap label (-r label:=TOPIC)'),
        ([1], [], 'play a bag with truth, or remap label_truth (-r label_truth:=TOPIC)'),
        (
            [1, 2, 3],
            [4],
            'a label needs exactly the header stamp of its truth; of a bag, spssn '
            'evaluate --slop pairs the nearest',
        ),
        # Of another size than its truth.
        ([-1], [1], 'the pairs that came are not usable; the log says why'),
    ],
)
def test_what_kept_pairs_from_coming(labels: list[int], truths: list[int], remedy: str) -> None:
    live = LiveEvaluation(CAMVID)
    for stamp in labels:
        live.add_label(abs(stamp), camera_image(np.zeros((2, 6 if stamp > 0 else 5), np.uint8)))
    for stamp in truths:
        truth = camera_image(np.zeros((2, 6), np.uint8))
        if -stamp in labels:
            with pytest.raises(SpssnError, match='truth is 6x2'):
                live.add_truth(stamp, truth)
        else:
            live.add_truth(stamp, truth)
    told = str(no_pair(live, '/l', '/t'))
    assert told.startswith(
        f'no pair of label and truth was scored: {len(labels)} labels came on /l, '
        f'{len(truths)} truth images on /t; {remedy}'
    )
