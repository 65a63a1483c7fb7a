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
"""The node's outputs, recorded as `ros2 bag record` does, are enough to be scored later."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import camera_image, picture, ros_args  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from rosbags.rosbag2 import StoragePlugin, Writer  # noqa: E402
from rosbags.typesys import Stores, get_typestore  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from spssn_ros.inference import Segmenter  # noqa: E402
from spssn_ros.labels import CAMVID, LabelSet  # noqa: E402
from spssn_ros.models import load_weights, save_weights  # noqa: E402
from spssn_ros.nodes.messages import image_message  # noqa: E402
from spssn_ros.tools.main import main  # noqa: E402


@pytest.fixture
def animals(tiny_weights: Path, tmp_path: Path) -> Path:
    """The tiny network with classes of its own: no shipped weights know them."""
    model, info = load_weights(tiny_weights)
    names = tuple(f'animal_{i}' for i in range(len(CAMVID)))
    info = dataclasses.replace(info, label_set=LabelSet(names, CAMVID.palette))
    save_weights(tmp_path / 'animals.safetensors', model, info)
    return tmp_path / 'animals.safetensors'


def test_a_bag_of_the_outputs_can_be_scored_later(
    peer: Any, run_node: Any, animals: Path, tmp_path: Path
) -> None:
    node = run_node('segment_node', *ros_args(animals))
    rgb = picture(3)
    labels = peer.listen('/segment_node/label')
    infos = peer.listen('/segment_node/camera_info', CameraInfo)
    publisher, calibration = peer.publisher('image'), peer.publisher('camera_info', CameraInfo)

    def complete() -> bool:
        calibration.publish(CameraInfo(width=96, height=64))
        return len(labels) >= 3 and bool(infos)

    peer.send_until(publisher, camera_image(rgb), complete)
    # A recorder that comes late still gets what the ids mean: it is latched.
    facts = peer.listen('/segment_node/label_info_json', String, latched=True)
    assert peer.spin_until(lambda: facts)
    assert node.stop() == 0

    expected = Segmenter.from_weights(animals)(rgb).labels
    truth = expected.copy()
    truth[:16] = (truth[:16] + 1) % len(CAMVID)
    store = get_typestore(Stores.LATEST)
    bag = tmp_path / 'recorded'
    with Writer(bag, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        topics: list[tuple[str, str, list[Any]]] = [
            ('/segment_node/label', 'sensor_msgs/msg/Image', labels),
            ('/segment_node/camera_info', 'sensor_msgs/msg/CameraInfo', infos),
            ('/segment_node/label_info_json', 'std_msgs/msg/String', facts[:1]),
            ('/truth', 'sensor_msgs/msg/Image', [_truth(label, truth) for label in labels]),
        ]
        for topic, kind, messages in topics:
            connection = writer.add_connection(topic, kind, typestore=store)
            for i, message in enumerate(messages):
                writer.write(connection, 10**9 + i, serialize_message(message))

    scores = tmp_path / 'scores.json'
    arguments = ['--prediction-topic', '/segment_node/label', '--label-topic', '/truth']
    assert main(['evaluate', str(bag), *arguments, '--json', str(scores)]) == 0
    found = json.loads(scores.read_text())
    assert found['classes'][0] == 'animal_0'
    assert found['frames'] == len(labels)
    counts = np.zeros((len(CAMVID), len(CAMVID)), int)
    np.add.at(counts, (truth, expected), len(labels))
    assert found['confusion'] == counts.tolist()


def _truth(label: Image, truth: Any) -> Image:
    return image_message(label.header, truth)
