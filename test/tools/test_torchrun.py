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
"""`torchrun ... spssn evaluate`, for real: two processes give what one gives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spssn_ros.bags.labelled import LabelledFrame, write_labelled_bag
from spssn_ros.bags.writer import BagWriter
from spssn_ros.synthetic import StreetScene
from spssn_ros.tools.main import main

ROOT = Path(__file__).resolve().parents[2]
RATE_HZ = 10.0
RECORDED = ('--prediction-topic', '/label', '--label-topic', '/truth', '--classes', 'camvid')

# Three processes import torch: seconds, but many of them on a machine that is busy.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope='module')
def bags(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two streets of 3 and 2 frames; every 8x8 block of a frame is an instance."""
    folder = tmp_path_factory.mktemp('streets')
    rows, columns = np.mgrid[0:96, 0:160] // 8
    instances = (1 + rows * 20 + columns).astype(np.uint16)
    paths = []
    for seed, count in ((1, 3), (2, 2)):
        scene = StreetScene(seed, 160, 96)
        frames = (
            LabelledFrame(*scene.render(index / RATE_HZ), instances=instances)
            for index in range(count)
        )
        paths.append(folder / f'street_{seed}')
        write_labelled_bag(paths[-1], frames, RATE_HZ)
    return paths


@pytest.fixture(scope='module')
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('groups') / 'groups.yaml'
    path.write_text('moving: [car, pedestrian, bicyclist]\nground: [road, pavement]\n')
    return path


def recorded(path: Path, truth: int) -> Path:
    """Write a bag of 4 frames of recorded labels, class 0, and truth of one class."""
    with BagWriter(path) as bag:
        for stamp in range(4):
            bag.write_image('/label', stamp, 'camera', np.zeros((4, 5), np.uint8))
            bag.write_image('/truth', stamp, 'camera', np.full((4, 5), truth, np.uint8))
    return path


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    launch = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']
    module = ['-m', 'spssn_ros.tools.main', 'evaluate']
    return subprocess.run(
        [sys.executable, *launch, *module, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_two_processes_give_what_one_gives(
    bags: list[Path], groups: Path, random_weights: Path, tmp_path: Path
) -> None:
    options: list[object] = [*bags, '--weights', random_weights, '--categories', groups]
    options += ['--cpu-threads', 1, '--backend', 'torch']
    one, two = tmp_path / 'one', tmp_path / 'two'
    alone = ['evaluate', *options, '--json', f'{one}.json', '--report', one]
    assert main([str(argument) for argument in alone]) == 0
    done = torchrun(*options, '--json', f'{two}.json', '--report', two)
    assert done.returncode == 0, done.stderr
    # The first process alone prints.
    assert done.stdout.count('over 5 frames') == 1
    assert done.stderr.count(f'report in {two}') == 1
    expected, found = read(Path(f'{one}.json')), read(Path(f'{two}.json'))
    assert found['frames'] == 5
    assert found.pop('device') == f'{expected.pop("device")}, 2 processes'
    assert found.pop('fps') > 0
    expected.pop('fps')
    assert found == expected
    assert {'category_iou', 'iiou', 'category_iiou', 'miiou'} < set(found)
    pictures = sorted(path.name for path in one.glob('*.png'))
    assert sorted(path.name for path in two.glob('*.png')) == pictures
    assert len(pictures) > 4
    for name in pictures:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_all_end_with_one_sentence_when_one_fails(tmp_path: Path) -> None:
    good, bad = recorded(tmp_path / 'good', truth=3), recorded(tmp_path / 'bad', truth=99)
    done = torchrun(good, bad, *RECORDED, '--json', tmp_path / 'scores.json')
    told = [line for line in done.stderr.splitlines() if line.startswith('spssn: ')]
    assert len(told) == 1
    assert f'bag {bad}, frame of /label with stamp' in told[0]
    assert 'truth holds ids that are no class: 99' in told[0]
    # torchrun's own status is 1; it tells those of its processes.
    assert done.returncode == 1
    assert 'exitcode  : 2' in done.stderr
    assert not (tmp_path / 'scores.json').exists()


def test_a_threshold_is_everybody_s(tmp_path: Path) -> None:
    bag = recorded(tmp_path / 'bag', truth=3)
    done = torchrun(bag, *RECORDED, '--fail-under', '1.0', '--json', tmp_path / 'scores.json')
    assert done.returncode == 1
    assert done.stderr.count('mIoU 0.0000 is under --fail-under 1.0') == 1
    assert 'exitcode  : 1' in done.stderr
    assert read(tmp_path / 'scores.json')['frames'] == 4
