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
"""A bag that holds its camera's images compressed only is read all the same, and it is said."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from spssn_ros.bags.writer import BagWriter
from spssn_ros.evaluation.evaluate import EvaluationConfig
from spssn_ros.tools import quantize
from spssn_ros.tools.demo import _topics
from spssn_ros.tools.main import main

CAMERA, TRUTH = '/camera/image_raw', '/camera/label_truth'
SIZE = (40, 56)


def write(path: Path, raw: int = 0, compressed: int = 0, name: str = '/compressed') -> Path:
    """Write so many images raw and compressed, and the truth of each stamp."""
    with BagWriter(path) as bag:
        for second in range(1, max(raw, compressed) + 1):
            stamp = second * 10**9
            rgb = np.random.default_rng(second).integers(0, 256, (*SIZE, 3), np.uint8)
            if second <= raw:
                bag.write_image(CAMERA, stamp, 'c', rgb)
            if second <= compressed:
                png = cv2.imencode('.png', rgb[..., ::-1])[1].tobytes()
                bag.write_compressed(f'{CAMERA}{name}', stamp, 'c', png, 'png')
            bag.write_image(TRUTH, stamp, 'c', np.zeros(SIZE, np.uint8))
    return path


def told(bag: Path) -> str:
    return f"topic '{CAMERA}' is not in bag {bag}; reading '{CAMERA}/compressed' instead\n"


def test_evaluate(
    random_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, compressed = write(tmp_path / 'raw', raw=2), write(tmp_path / 'png', compressed=2)
    both = write(tmp_path / 'both', raw=1, compressed=2)
    engine = ('--backend', 'torch', '--device', 'cpu', '--precision', 'float32')
    found = {}
    for bag in (raw, compressed, both):
        # Each kind of degradation goes through the bag again.
        command = ['evaluate', str(bag), *engine, '--weights', str(random_weights)]
        assert main([*command, '--json', '-', '--robustness']) == 0
        printed, errors = capsys.readouterr()
        assert errors.count(told(bag)) == (bag == compressed)
        found[bag] = json.loads(printed)
    for scores in found.values():
        del scores['fps']
    assert found[raw] == found[compressed]
    # Of a bag that has both, what the user named.
    assert (found[both]['frames'], found[both]['unmatched_labels']) == (1, 1)


def test_segment_convert_quantize_and_demo(
    random_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def bag(name: str) -> Path:
        return write(tmp_path / name, compressed=1)

    words: list[object]
    for kind, words in (
        ('segment', [bag('s'), '--image-topic', CAMERA, '--weights', random_weights, '--output']),
        ('convert', ['bag', bag('c'), '--dataset']),
        ('convert', ['bag', bag('i'), '--images-only', '--dataset']),
    ):
        given = words[0] if kind == 'segment' else words[1]
        output = tmp_path / f'{given}_out'
        assert main([kind, *map(str, words), str(output)]) == 0
        assert told(Path(str(given))) in capsys.readouterr().err
        assert len([*output.rglob(f'{10**9:019d}.png')]) in (1, 2)

    def stop(config: object, *_: object) -> None:
        raise SystemExit(str(config))

    monkeypatch.setattr(quantize, 'import_nncf', lambda: None)
    monkeypatch.setattr(quantize, 'CalibrationFrames', stop)
    words = [bag('q'), '--weights', random_weights, '--output', tmp_path / 'w']
    with pytest.raises(SystemExit, match=f"image_topic='{CAMERA}/compressed'"):
        main(['quantize', *map(str, words)])
    assert _topics(bag('d'), CAMERA, '') == (f'{CAMERA}/compressed', TRUTH, True)


def test_nothing_else_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write(tmp_path / 'other', compressed=1, name='/theora')
    assert main(['evaluate', str(other)]) == 2
    assert capsys.readouterr().err.startswith(f"spssn: topic '{CAMERA}' is not in bag {other}; it")
    with BagWriter(tmp_path / 'raw') as bag:
        for topic in (f'{CAMERA}/compressed', TRUTH):
            bag.write_image(topic, 1, 'c', np.zeros(SIZE, np.uint8))
    assert main(['evaluate', str(tmp_path / 'raw')]) == 2
    assert capsys.readouterr().err.startswith(f"spssn: topic '{CAMERA}' is not in bag ")


def test_one_of_several_processes_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = EvaluationConfig([write(tmp_path / 'bag', compressed=1)], CAMERA, TRUTH)
    assert config.work(tells=False)[0].source.image_topic == f'{CAMERA}/compressed'
    assert capsys.readouterr().err == ''
    config.work()
    assert capsys.readouterr().err == told(tmp_path / 'bag')
