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
"""`evaluate_node` offline does what `spssn evaluate` does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import picture

from spssn_ros.bags.writer import BagWriter
from spssn_ros.inference import Segmenter
from spssn_ros.tools.main import main


def offline(**parameters: object) -> list[str]:
    given = {'mode': 'offline', **parameters}
    return ['--ros-args', *(w for k, v in given.items() for w in ('-p', f'{k}:={v}'))]


def scores_of(path: Path) -> dict[str, Any]:
    """Return the scores but for how fast they came."""
    return {k: v for k, v in json.loads(path.read_text()).items() if k != 'fps'}


def test_a_bag_is_scored(run_node: Any, tiny_weights: Path, tmp_path: Path) -> None:
    segmenter = Segmenter.from_weights(tiny_weights)
    rgb = picture(5)
    bag = tmp_path / 'bag'
    labels = segmenter(rgb).labels
    with BagWriter(bag) as writer:
        writer.write_image('/camera/image_raw', 10**9, 'camera', rgb)
        # In colours, and 3 ms late.
        colors = segmenter.label_set.color_table()[labels]
        writer.write_image('/camera/label_truth', 10**9 + 3_000_000, 'camera', colors)
    node = run_node(
        'evaluate_node',
        *offline(bag=bag, weights=tiny_weights, json=tmp_path / 's.json'),
        *('-p', 'slop_ms:=3.0', '-p', 'truth:=auto', '-p', 'fail_under:=1.0'),
    )
    assert node.wait() == 0
    scores = json.loads((tmp_path / 's.json').read_text())
    assert scores['miou'] == 1.0
    assert scores['frames'] == 1


def test_the_engine_is_that_of_the_parameters(
    run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    bag, found, expected = (tmp_path / name for name in ('bag', 'found.json', 'expected.json'))
    with BagWriter(bag) as writer:
        writer.write_image('/camera/image_raw', 10**9, 'camera', picture())
        writer.write_image('/camera/label_truth', 10**9, 'camera', picture(1)[..., 0] % 11)
    engine = {'backend': 'torch', 'precision': 'bfloat16', 'input_size': '64x48', 'device': 'cpu'}
    node = run_node('evaluate_node', *offline(bag=bag, weights=tiny_weights, json=found, **engine))
    assert node.wait() == 0, node.output
    options = [f'--{name.replace("_", "-")}={value}' for name, value in engine.items()]
    command = ['evaluate', str(bag), '--weights', str(tiny_weights), '--json', str(expected)]
    assert main([*command, *options]) == 0
    assert scores_of(found) == scores_of(expected)
    assert 'torch' in scores_of(found)['device']
    # Frames that enter larger get other labels.
    assert main([*command, *options[:2], options[3]]) == 0
    assert scores_of(found)['confusion'] != scores_of(expected)['confusion']


def test_recorded_predictions_of_several_cameras_and_bags(run_node: Any, tmp_path: Path) -> None:
    truth = np.zeros((4, 6), np.uint8)
    truth[2:] = 3
    bags = [tmp_path / 'one', tmp_path / 'two']
    cameras = ['/front', '/rear']
    for number, bag in enumerate(bags):
        with BagWriter(bag) as writer:
            for camera in cameras:
                prediction = truth.copy()
                prediction[0, : 1 + number] = 3 if camera == '/front' else 1
                writer.write_image(f'{camera}/label', 10**9, 'camera', prediction)
                writer.write_image(f'{camera}/truth', 10**9, 'camera', truth)
    labels, truths = ([f'{camera}/{kind}' for camera in cameras] for kind in ('label', 'truth'))
    found, expected = tmp_path / 'found.json', tmp_path / 'expected.json'
    topics = {
        'bag': f'[{", ".join(map(str, bags))}]',
        'prediction_topic': f'[{", ".join(labels)}]',
        'label_topic': f'[{", ".join(truths)}]',
    }
    report = tmp_path / 'report'
    node = run_node(
        'evaluate_node', *offline(**topics, json=found, report=report, fail_under=0.99)
    )
    assert node.wait() == 1, node.output
    assert 'is under fail_under 0.99\n' in node.output
    command = ['evaluate', *map(str, bags), '--prediction-topic', *labels]
    assert main([*command, '--label-topic', *truths, '--json', str(expected)]) == 0
    assert scores_of(found) == scores_of(expected)
    assert (scores_of(found)['frames'], scores_of(found)['device']) == (4, 'recorded')
    # The page tells of no weights, which had no part in it.
    assert '<details>' not in (report / 'index.html').read_text()


def test_scores_outlive_a_report_that_cannot_be_written(run_node: Any, tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as writer:
        for topic in ('/label', '/truth'):
            writer.write_image(topic, 10**9, 'camera', np.zeros((4, 6), np.uint8))
    # In the way where only the report itself comes upon it.
    (tmp_path / 'report' / 'index.html').mkdir(parents=True)
    topics = {'bag': tmp_path / 'bag', 'prediction_topic': '/label', 'label_topic': '/truth'}
    found, report = tmp_path / 'found.json', tmp_path / 'report'
    node = run_node('evaluate_node', *offline(**topics, json=found, report=report))
    assert node.wait() == 2, node.output
    assert 'Traceback' not in node.output
    assert 'mIoU' in node.output
    assert scores_of(found)['frames'] == 1
