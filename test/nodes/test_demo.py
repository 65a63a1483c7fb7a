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
"""The whole way: a bag is played, segmented and scored by nodes in processes of their own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import REPOSITORY, by_the_node, environment, picture

from spssn_ros.bags.labelled import LabelledFrame, write_labelled_bag
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.writer import BagWriter
from spssn_ros.nodes.demo import DemoJob, _evaluate_arguments
from spssn_ros.nodes.listen import OverlayListener
from spssn_ros.tools.main import main


def spssn(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, from a folder."""
    return subprocess.run(
        [sys.executable, '-m', 'spssn_ros.tools.main', *words],
        env=environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_no_name_is_read_as_yaml(tmp_path: Path) -> None:
    folder = tmp_path / 'run #2: [a]'
    words = _evaluate_arguments(
        DemoJob(Path('bag'), '/i', '/t', False, '12', 1.0, folder, folder / 's.json')
    )
    given = dict(word.split(':=', 1) for word in words if ':=' in word)
    assert {name: yaml.safe_load(given[name]) for name in ('weights', 'report', 'json')} == {
        'weights': '12',
        'report': str(folder),
        'json': str(folder / 's.json'),
    }


def test_the_end_waits_as_long_as_slow_frames_take(monkeypatch: pytest.MonkeyPatch) -> None:
    patience: list[float] = []
    with OverlayListener() as listener:

        def spin_until(condition: Callable[[], bool], timeout_s: float) -> bool:
            """Have four frames come, five seconds apart."""
            patience.append(timeout_s)
            if listener.received < 4:
                listener.received += 1
                listener._first_s, listener._last_s = 100.0, 95.0 + 5.0 * listener.received
            return condition()

        monkeypatch.setattr(listener, 'spin_until', spin_until)
        listener.spin_until_quiet()
    assert patience == [10.0, 1.0, 15.0, 15.0, 15.0]


def test_sigterm_leaves_no_node_behind(tiny_weights: Path, tmp_path: Path) -> None:
    (tmp_path / 'queue.py').write_text('raise RuntimeError("the folder goes before Python")')
    code = (
        'import sys; sys.path.remove("")\n'
        'from spssn_ros.nodes.children import started\n'
        'arguments = ["--ros-args", "-p", "weights:=" + sys.argv[1]]\n'
        'with started("segment_node", arguments) as process:\n'
        '    print(process.pid, flush=True)\n'
        '    process.wait()\n'
    )
    parent = subprocess.Popen(
        [sys.executable, '-c', code, str(tiny_weights)],
        # An empty or relative part of the path would be that folder.
        env=environment() | {'PYTHONPATH': str(REPOSITORY)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    child = int(parent.stdout.readline())
    assert any('active: segmenting' in line for line in parent.stderr)
    parent.terminate()
    assert parent.wait(60) == 143
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


STARTED = """
import os, signal, subprocess
from spssn_ros.nodes import children

class Signalled(subprocess.Popen):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        print(self.pid, flush=True)
        if {signalled}:
            os.kill(os.getpid(), signal.SIGTERM)

children.subprocess.Popen = Signalled
with children.started('evaluate_node', []) as process:
    pass
print(process.returncode)
"""


@pytest.mark.parametrize('signalled', [False, True])
def test_a_node_that_has_just_been_started_ends_silently(signalled: bool) -> None:
    done = subprocess.run(
        [sys.executable, '-c', STARTED.format(signalled=signalled)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    child, *told = done.stdout.splitlines()
    expected = (143, [], '') if signalled else (0, ['130'], '')
    assert (done.returncode, told, by_the_node(done.stderr)) == expected
    with pytest.raises(ProcessLookupError):
        os.kill(int(child), 0)


@pytest.mark.parametrize('compressed', [False, True])
def test_live_scores_equal_offline_scores(
    tiny_weights: Path, tmp_path: Path, compressed: bool
) -> None:
    rng = np.random.default_rng(0)
    frames = []
    # As many as the player keeps for a subscriber that is late.
    for seed in range(10):
        rgb = picture(seed)
        truth = rng.integers(0, 11, rgb.shape[:2], dtype=np.uint8)
        png = cv2.imencode('.png', rgb[..., ::-1])[1].tobytes()
        frames.append(LabelledFrame(rgb, truth, png if compressed else None, 'png'))
    bag, output = tmp_path / 'bag', tmp_path / 'demo'
    write_labelled_bag(bag, frames, rate_hz=4.0)
    command = ['demo', '--bag', str(bag), '--weights', str(tiny_weights), '--output', str(output)]
    run = spssn(command, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    live = json.loads((output / 'scores.json').read_text())
    assert live['frames'] + live['drops'] == 10
    assert 'latency p50' in run.stdout
    assert cv2.imread(str(output / 'overlay_1.png')).shape == (64, 96, 3)
    offline = tmp_path / 'offline.json'
    topic = '/camera/image_raw' + '/compressed' * compressed
    options = ['--image-topic', topic, '--weights', str(tiny_weights), '--json', str(offline)]
    assert main(['evaluate', str(bag), *options]) == 0
    if live['frames'] == 10:
        assert live['confusion'] == json.loads(offline.read_text())['confusion']
    else:
        # A starved machine may drop a frame; what was answered is scored all the same.
        assert np.sum(live['confusion']) == live['frames'] * 64 * 96


def test_truth_that_fits_no_image_is_told_as_no_scores(tiny_weights: Path, tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for second in range(1, 6):
            bag.write_image('/camera/image_raw', second * 10**9, 'camera', picture())
            # Half a second late.
            late, labels = second * 10**9 + 500_000_000, np.zeros((64, 96), np.uint8)
            bag.write_image('/camera/label_truth', late, 'camera', labels)
    command = ['demo', '--bag', 'bag', '--weights', str(tiny_weights), '--output', 'demo']
    run = spssn(command, tmp_path)
    assert run.returncode == 2, run.stdout + run.stderr
    told = 'truth images on /camera/label_truth; a label needs exactly the header stamp of its tru'
    assert told in run.stderr
    last = run.stderr.splitlines()[-1]
    assert last == 'spssn: evaluate_node wrote no scores; its message above says why'
    assert 'Traceback' not in run.stderr


def test_without_truth_it_tells_what_was_answered(tiny_weights: Path, tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for tick in range(1, 9):
            bag.write_image('/front/image_raw', tick * 250_000_000, 'camera', picture())
    command = ['demo', '--bag', 'bag', '--weights', str(tiny_weights), '--output', 'demo']
    run = spssn(command, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    told = re.search(
        r'^live: ([2-8]) frames answered at [\d.]+ frames/s, (\d) dropped; '
        r'latency p50 [\d.]+ ms, p95 [\d.]+ ms$',
        run.stdout,
        re.M,
    )
    assert told, run.stdout
    assert int(told[1]) + int(told[2]) <= 8
    assert not (tmp_path / 'demo' / 'report').exists()


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[DemoJob]:
    """Have the demo play nothing; return the list of what it would have played."""
    jobs: list[DemoJob] = []

    def play(job: DemoJob) -> list[np.ndarray]:
        jobs.append(job)
        job.json.write_text('{"frames": 1, "fps": 2, "drops": 3}')
        return [picture()]

    monkeypatch.setattr('spssn_ros.nodes.demo.play_demo', play)
    return jobs


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def earlier_demo(output: Path) -> set[str]:
    """Put there what a demo writes, and what it does not; return the names of the latter."""
    mine = {'overlay_mine.png', 'report/notes.txt', 'scores_mine.json'}
    (output / 'report').mkdir(parents=True)
    for name in (*mine, 'overlay_1.png', 'overlay_12.png', 'scores.json', 'report/index.html'):
        (output / name).write_text('of before')
    return mine


def labelled_bag(path: Path) -> Path:
    write_labelled_bag(path, [LabelledFrame(picture(), np.zeros((64, 96), np.uint8))], 1.0)
    return path


def test_the_street_of_an_earlier_demo_can_be_played_again(
    played: list[DemoJob], tmp_path: Path
) -> None:
    bag = labelled_bag(tmp_path / 'demo' / 'street')
    mine = earlier_demo(tmp_path / 'demo')
    before = tree(bag)
    words = ['demo', '--bag', str(bag), '--weights', 'spssn_street', '--output']
    assert main([*words, str(tmp_path / 'demo')]) == 0
    assert [job.bag for job in played] == [bag]
    assert tree(bag) == before
    left = {f'street/{name}' for name in before} | mine | {'scores.json', 'overlay_1.png'}
    assert tree(tmp_path / 'demo').keys() == left


def test_bad_input_leaves_the_earlier_demo_as_it_is(
    played: list[DemoJob], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'demo'
    labelled_bag(output / 'street')
    earlier_demo(output)
    inside = labelled_bag(output / 'report' / 'bag')
    before = tree(tmp_path)
    for words, told in (
        (['--bag', output / 'nobag'], f'bag {output}/nobag does not exist; check the path'),
        (['--bag', output / 'street', '--image-topic', '/x'], "topic '/x' is not in bag"),
        (['--bag', output / 'street', '--weights', 'none'], "no weights file 'none'"),
        (
            ['--bag', output / 'street', '--image-topic', '/camera/camera_info'],
            'is sensor_msgs/msg/CameraInfo, not sensor_msgs/msg/Image',
        ),
        (
            ['--image-topic', '/x'],
            '--image-topic is /x but no bag is given; say which bag has it with BAG= (or --bag)',
        ),
        (['--label-topic', '/x'], '--label-topic is /x but no bag is given; say which bag has it'),
        (['--frames', '0'], '--frames is 0; give at least 1'),
        (['--weights', 'none'], "no weights file 'none'"),
        (['--bag', inside], f'bag {inside} lies in {output}/report, which gets the report; give'),
        (
            ['--bag', output / 'street' / '..' / 'report' / 'bag'],
            f'lies in {output}/report, which gets the report; give another --output',
        ),
    ):
        assert main(['demo', '--output', str(output), *map(str, words)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert told in line
        assert tree(tmp_path) == before
    assert played == []


def test_a_street_is_rendered_in_place_of_that_of_an_earlier_demo(
    played: list[DemoJob], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'demo'
    labelled_bag(output / 'street')
    # The topics are the street's own.
    topics = ['--image-topic', '/camera/image_raw', '--label-topic', '/camera/label_truth']
    words = ['demo', '--frames', '2', '--output', str(output), *topics]
    assert main(words) == 0
    with BagReader(output / 'street') as bag:
        assert bag.topics['/camera/image_raw'].count == 2
    # What someone else put there stays.
    (output / 'street' / 'notes.txt').write_text('mine')
    before = tree(output)
    capsys.readouterr()
    assert main(words) == 2
    told = f'{output}/street holds more than the street of an earlier demo; move it away or give'
    assert told in capsys.readouterr().err
    assert tree(output) == before


def test_a_missing_bag_is_one_line(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, '-m', 'spssn_ros.tools.main', 'demo', '--bag', 'nobag'],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 2
    assert run.stderr == 'spssn: bag nobag does not exist; check the path\n'
