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
"""Recorded predictions are scored by the classes recorded beside them."""

import functools
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_typestore
from tqdm import tqdm

from spssn_ros.errors import BagError
from spssn_ros.evaluation import run
from spssn_ros.evaluation.evaluate import EvaluationConfig
from spssn_ros.evaluation.recorded import recorded_label_set
from spssn_ros.evaluation.report import Run
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.evaluation.run import run_evaluation
from spssn_ros.labels import LabelSet

RUN = Run('spssn evaluate', '/', {})
STORE = get_typestore(Stores.LATEST)


def record(path: Path, names: dict[str, list[str]]) -> Path:
    """Write labels 0 1 on /TOPIC/label and /TOPIC/truth, with the classes' names beside them."""
    types = STORE.types
    stamp = types['builtin_interfaces/msg/Time'](sec=1, nanosec=0)
    header = types['std_msgs/msg/Header'](stamp=stamp, frame_id='')
    labels = np.array([0, 1], np.uint8)
    image = types['sensor_msgs/msg/Image'](
        header, height=1, width=2, encoding='mono8', is_bigendian=0, step=2, data=labels
    )
    with Writer(path, version=8) as bag:
        for camera, classes in names.items():
            colors = [[number, 1, 1] for number in range(len(classes))]
            entries = zip(classes, colors, strict=True)
            info = {'classes': [{'name': name, 'color': color} for name, color in entries]}
            text = types['std_msgs/msg/String'](data=json.dumps(info))
            for topic, message in (('label', image), ('truth', image), ('label_info_json', text)):
                kind = message.__msgtype__
                connection = bag.add_connection(f'/{camera}/{topic}', kind, typestore=STORE)
                bag.write(connection, 1, STORE.serialize_cdr(message, kind))
    return path


def config_of(*bags: Path, cameras: tuple[str, ...]) -> EvaluationConfig:
    topics = [[f'/{camera}/{kind}' for camera in cameras] for kind in ('truth', 'label')]
    return EvaluationConfig(bags, '', *topics)


def test_the_classes_are_those_recorded(tmp_path: Path) -> None:
    bag = record(tmp_path / 'bag', {'a': ['cat', 'dog'], 'b': ['cat', 'dog']})
    result = run_evaluation(config_of(bag, cameras=('a', 'b')), None, 'spssn_camvid', None, RUN)
    assert result.label_set.names == ('cat', 'dog')
    assert (result.frames, result.device, result.weights) == (2, 'recorded', '')
    assert result.matrix.counts.tolist() == [[2, 0], [0, 2]]
    # Unless others are asked for.
    own = LabelSet(('one', 'two'), ((1, 1, 1), (2, 2, 2)))
    config = config_of(bag, cameras=('a',))
    assert run_evaluation(config, None, 'spssn_camvid', None, RUN, label_set=own).label_set == own


def test_recorded_classes_that_differ_are_refused(tmp_path: Path) -> None:
    one = record(tmp_path / 'one', {'a': ['cat', 'dog'], 'b': ['cow', 'pig']})
    two = record(tmp_path / 'two', {'a': ['pig', 'dog']})
    for config, text in (
        (
            config_of(one, cameras=('a', 'b')),
            r'^the labels of /b/label in bag .*one have other cl',
        ),
        (
            config_of(one, two, cameras=('a',)),
            r'^the labels of /a/label in bag .*two have other c',
        ),
    ):
        with pytest.raises(BagError, match=text):
            run_evaluation(config, None, 'spssn_camvid', None, RUN)


@pytest.mark.parametrize(
    'text',
    [
        'no JSON',
        '[]',
        '{"names": []}',
        '{"classes": 7}',
        '{"classes": [{"name": "cat"}]}',
        pytest.param('[' * 100_000, id='nested'),
        '{"classes": [{"name": "cat", "color": 7}]}',
        '{"classes": [{"name": "cat", "color": [1, 2]}]}',
        None,
    ],
)
def test_classes_that_are_told_in_no_known_way_are_refused(
    tmp_path: Path, text: str | None
) -> None:
    types = STORE.types
    if text is None:
        # No text at all.
        stamp = types['builtin_interfaces/msg/Time'](sec=1, nanosec=0)
        message = types['std_msgs/msg/Header'](stamp=stamp, frame_id='')
    else:
        message = types['std_msgs/msg/String'](data=text)
    with Writer(tmp_path / 'bag', version=8) as bag:
        kind = message.__msgtype__
        connection = bag.add_connection('/a/label_info_json', kind, typestore=STORE)
        bag.write(connection, 1, STORE.serialize_cdr(message, kind))
    place = f"topic '/a/label_info_json' of bag {tmp_path / 'bag'} does not tell the classes of"
    with pytest.raises(BagError, match=rf'^{re.escape(place)} /a/label \(.+\); record'):
        recorded_label_set(tmp_path / 'bag', '/a/label')
    assert recorded_label_set(tmp_path / 'bag', '/b/label') is None


def test_the_progress_bar_counts_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(run, 'tqdm', functools.partial(tqdm, file=terminal, mininterval=0))
    bag = record(tmp_path / 'bag', {camera: ['cat', 'dog'] for camera in 'abc'})
    run_evaluation(config_of(bag, cameras=tuple('abc')), None, '', None, RUN)
    shown = re.findall(r'(\d+)/(\d+) ', terminal.getvalue())
    assert list(dict.fromkeys(shown)) == [('1', '3'), ('2', '3'), ('3', '3')]


def test_the_scores_are_told_before_the_report_is_tried(tmp_path: Path) -> None:
    bag = record(tmp_path / 'bag', {'a': ['cat', 'dog']})
    (tmp_path / 'report').write_text('in the way')
    told: list[EvaluationResult] = []
    with pytest.raises(OSError, match='report'):
        run_evaluation(
            config_of(bag, cameras=('a',)), None, '', tmp_path / 'report', RUN, tell=told.append
        )
    assert [result.frames for result in told] == [1]


def test_a_report_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    bag = record(tmp_path / 'bag', {'a': ['cat', 'dog']})
    run_evaluation(config_of(bag, cameras=('a',)), None, '', tmp_path / 'report', RUN)
    assert 'cat' in (tmp_path / 'report' / 'index.html').read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bag', 'report']
