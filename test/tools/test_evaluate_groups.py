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
"""`spssn evaluate` with categories and instances."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spssn_ros.bags.writer import BagWriter
from spssn_ros.labels import CITYSCAPES
from spssn_ros.tools.main import main

PERSON, CAR, BUS = (CITYSCAPES.index(name) for name in ('person', 'car', 'bus'))


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Score a bag in which one of two cars is taken for a bus."""
    truth = np.array([[CAR, CAR, CAR, CAR, PERSON]], np.uint8)
    labels = np.array([[CAR, CAR, CAR, BUS, PERSON]], np.uint8)
    instances = np.array([[26000, 26000, 26000, 26001, 24000]], np.uint16)
    with BagWriter(tmp_path / 'bag') as bag:
        for topic, image in (
            ('/label', labels),
            ('/truth', truth),
            ('/camera/instance_truth', instances),
        ):
            bag.write_image(topic, 10**9, 'camera', image)
    topics = ['--prediction-topic', '/label', '--label-topic', '/truth']
    return ['evaluate', str(tmp_path / 'bag'), *topics, '--classes', 'cityscapes']


def scores(command: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main([*command, '--json', '-']) == 0
    return json.loads(capsys.readouterr().out)


def test_cityscapes_scores_need_no_option(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    values = scores(command, capsys)
    assert values['iou']['car'] == 0.75
    assert values['iiou']['car'] == 0.5
    assert values['category_iou']['vehicle'] == values['category_iiou']['vehicle'] == 1
    # Person, car, and the bus that was not there; human and vehicle.
    assert (values['miiou'], values['category_miiou']) == (0.5, 1)


def test_instances_are_left_out_by_request(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    values = scores([*command, '--instance-topic', 'none'], capsys)
    assert not {'iiou', 'miiou', 'category_iiou'} & set(values)
    assert values['category_miou'] == 1


def test_the_bag_may_come_behind_the_topics_of_instances(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    name, bag, *options = command
    for topic, is_scored in (('/camera/instance_truth', True), ('none', False)):
        values = scores([name, *options, '--instance-topic', topic, bag], capsys)
        assert ('iiou' in values) is is_scored


def test_own_categories(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = tmp_path / 'groups.yaml'
    groups.write_text('small: [car]\nlarge: [bus]\n')
    values = scores([*command, '--categories', str(groups)], capsys)
    assert values['category_iou'] == {'small': 0.75, 'large': 0}
    assert values['category_iiou'] == {'small': 0.5, 'large': 0}


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (['--categories', 'x.yaml'], 'spssn: categories x.yaml: No such file or directory; give'),
        (['--instance-topic', '/gone'], "spssn: topic '/gone' is not in bag"),
        (['--instance-topic', '/a', '/b'], 'spssn: 2 instance topics (/a, /b) but 1 label topics'),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    command: list[str], options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *options]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(text)
    assert errors.count('\n') == 1
