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
"""One set of pixels gives one matrix, whatever kind of bag they lie in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from spssn_ros.bags.reader import BagReader, SerializedMessage
from spssn_ros.bags.writer import BagWriter
from spssn_ros.evaluation.evaluate import EvaluationConfig, evaluate
from spssn_ros.inference import Segmenter
from spssn_ros.labels import CAMVID

FRAMES = 6
MCAP, SQLITE3 = StoragePlugin.MCAP, StoragePlugin.SQLITE3
Picture = Callable[..., np.ndarray]


def frames(picture: Picture) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    for number in range(FRAMES):
        truth = np.random.default_rng(number).integers(0, 12, (48, 64), np.uint8)
        yield 10**18 + number * 10**8, picture(64, 48, number), truth


@pytest.fixture(scope='module')
def messages(
    picture: Picture, tmp_path_factory: pytest.TempPathFactory
) -> list[SerializedMessage]:
    path = tmp_path_factory.mktemp('plain') / 'bag'
    with BagWriter(path) as bag:
        for stamp, rgb, truth in frames(picture):
            bag.write_image('/image', stamp, 'camera', rgb)
            bag.write_image('/truth', stamp, 'camera', truth)
    with BagReader(path) as reader:
        return list(reader.serialized_messages())


@pytest.fixture(scope='module')
def counts(random_weights: Path) -> Callable[[Path], list[list[int]]]:
    """Return a function that evaluates a bag and returns the confusion matrix."""
    segmenter = Segmenter.from_weights(
        random_weights, device='cpu', backend='torch', precision='float32', cpu_threads=1
    )

    def run(*bags: Path, slop_ms: float = 0.0) -> list[list[int]]:
        config = EvaluationConfig(bags, '/image', '/truth', slop_ms=slop_ms)
        result = evaluate(config, CAMVID, segmenter)
        assert result.frames == FRAMES
        assert result.unmatched_images == result.unmatched_labels == 0
        return result.matrix.counts.tolist()

    return run


@pytest.fixture(scope='module')
def expected(random_weights: Path, picture: Picture) -> list[list[int]]:
    """The matrix of the pixels themselves, counted one by one."""
    segmenter = Segmenter.from_weights(
        random_weights, device='cpu', backend='torch', precision='float32', cpu_threads=1
    )
    matrix = np.zeros((11, 11), int)
    for _, rgb, truth in frames(picture):
        known = truth < 11
        np.add.at(matrix, (truth[known], segmenter(rgb).labels[known]), 1)
    assert (matrix.sum(0) > 0).sum() > 2
    return matrix.tolist()


def write(
    path: Path,
    messages: list[SerializedMessage],
    storage: StoragePlugin,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    store = get_typestore(Stores.LATEST)
    bag = Writer(path, version=8, storage_plugin=storage)
    if compression is not CompressionMode.NONE:
        bag.set_compression(compression, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with bag:
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = bag.add_connection(
                    message.topic, message.type, typestore=store
                )
            bag.write(connections[message.topic], message.stamp_ns, message.cdr)
    return path


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [
        (MCAP, CompressionMode.NONE),
        (MCAP, CompressionMode.MESSAGE),
        (MCAP, CompressionMode.FILE),
        (MCAP, CompressionMode.STORAGE),
        (SQLITE3, CompressionMode.NONE),
        (SQLITE3, CompressionMode.MESSAGE),
        (SQLITE3, CompressionMode.FILE),
    ],
    ids=lambda value: value.name.lower(),
)
def test_ros_2_bags(
    tmp_path: Path,
    messages: list[SerializedMessage],
    counts: Callable,
    expected: list,
    storage: StoragePlugin,
    compression: CompressionMode,
) -> None:
    assert counts(write(tmp_path / 'bag', messages, storage, compression)) == expected


@pytest.mark.parametrize('storage', [MCAP, SQLITE3], ids=lambda value: value.name.lower())
def test_split_bags(
    tmp_path: Path,
    messages: list[SerializedMessage],
    counts: Callable,
    expected: list,
    storage: StoragePlugin,
) -> None:
    # The cut is between a frame's image and its truth.
    cuts = (slice(0, 5), slice(5, 8), slice(8, None))
    parts = [
        write(tmp_path / f'part_{number}', messages[cut], storage)
        for number, cut in enumerate(cuts)
    ]
    whole = tmp_path / 'whole'
    whole.mkdir()
    metadata = yaml.safe_load((parts[0] / 'metadata.yaml').read_text())
    information = metadata['rosbag2_bagfile_information']
    information['relative_file_paths'] = []
    for part in parts:
        file = next(file for file in part.iterdir() if file.suffix != '.yaml')
        (whole / file.name).write_bytes(file.read_bytes())
        information['relative_file_paths'].append(file.name)
    information['message_count'] = len(messages)
    information['duration']['nanoseconds'] = messages[-1].stamp_ns - messages[0].stamp_ns + 1
    for topic in information['topics_with_message_count']:
        topic['message_count'] = FRAMES
    (whole / 'metadata.yaml').write_text(yaml.safe_dump(metadata))
    for slop_ms in (0.0, 1.0):
        assert counts(whole, slop_ms=slop_ms) == expected


def test_a_ros_1_bag(
    tmp_path: Path, messages: list[SerializedMessage], counts: Callable, expected: list
) -> None:
    ros2, store = get_typestore(Stores.LATEST), get_typestore(Stores.ROS1_NOETIC)
    connections: dict[str, Any] = {}
    with Rosbag1Writer(tmp_path / 'old.bag') as bag:
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = bag.add_connection(
                    message.topic, message.type, typestore=store
                )
            data = bytes(ros2.cdr_to_ros1(message.cdr, message.type))
            bag.write(connections[message.topic], message.stamp_ns, data)
    for slop_ms in (0.0, 1.0):
        assert counts(tmp_path / 'old.bag', slop_ms=slop_ms) == expected


def test_png_compressed_images_and_truth(
    tmp_path: Path, picture: Picture, counts: Callable, expected: list
) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for stamp, rgb, truth in frames(picture):
            for topic, pixels in (('/image', rgb[..., ::-1]), ('/truth', truth)):
                png = cv2.imencode('.png', pixels)[1].tobytes()
                bag.write_compressed(topic, stamp, 'camera', png, 'png')
    assert counts(tmp_path / 'bag') == expected


def test_several_bags(
    tmp_path: Path, messages: list[SerializedMessage], counts: Callable, expected: list
) -> None:
    bags = [
        write(tmp_path / 'first', messages[:4], MCAP),
        write(tmp_path / 'second', messages[4:], SQLITE3, CompressionMode.MESSAGE),
    ]
    assert counts(*bags) == expected
