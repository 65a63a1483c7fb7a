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
"""Bags for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.typesys import Stores, get_typestore

from spssn_ros.bags.labelled import write_street_bag
from spssn_ros.bags.writer import Storage

FRAMES = 8
HEIGHT, WIDTH = 240, 320


class Noise:
    """A scene whose every frame differs, and does not compress."""

    camera_matrix = np.array([[50.0, 0, 160], [0, 60, 120], [0, 0, 1]])

    def render(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(round(time_s * 1000))
        image = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        return image, (image[..., 0] % 12).astype(np.uint8)


@pytest.fixture(scope='session')
def scene() -> Noise:
    return Noise()


@pytest.fixture(scope='session', params=list(Storage), ids=lambda storage: storage.value)
def street_bag(
    request: pytest.FixtureRequest, scene: Noise, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp('bags') / request.param.value
    assert write_street_bag(path, scene, FRAMES, 10.0, request.param) == FRAMES
    return path


@pytest.fixture(scope='session')
def ros1_bag(scene: Noise, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('ros1') / 'old.bag'
    store = get_typestore(Stores.ROS1_NOETIC)
    types = store.types
    with Rosbag1Writer(path) as bag:
        connections = {
            name: bag.add_connection(f'/{name.lower()}', f'{kind}/msg/{name}', typestore=store)
            for kind, name in (('sensor_msgs', 'Image'), ('sensor_msgs', 'CameraInfo'))
        }
        for index in range(FRAMES):
            image, _ = scene.render(index / 10)
            stamp = types['builtin_interfaces/msg/Time'](sec=5, nanosec=index)
            header = types['std_msgs/msg/Header'](seq=index, stamp=stamp, frame_id='old')
            fields = {'header': header, 'height': HEIGHT, 'width': WIDTH}
            messages = {
                'Image': types['sensor_msgs/msg/Image'](
                    **fields,
                    encoding='rgb8',
                    is_bigendian=0,
                    step=WIDTH * 3,
                    data=image.reshape(-1),
                ),
                'CameraInfo': types['sensor_msgs/msg/CameraInfo'](
                    **fields,
                    distortion_model='plumb_bob',
                    D=np.zeros(5),
                    K=scene.camera_matrix.reshape(-1),
                    R=np.eye(3).reshape(-1),
                    P=np.zeros(12),
                    binning_x=0,
                    binning_y=0,
                    roi=types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False),
                ),
            }
            for name, message in messages.items():
                data = store.serialize_ros1(message, f'sensor_msgs/msg/{name}')
                bag.write(connections[name], 7_000_000_000 + index, data)
    return path


@pytest.fixture
def cut(tmp_path: Path) -> Callable[[Path, float], Path]:
    """Return a function that copies a bag with its data file cut off at a fraction."""

    def copy(bag: Path, fraction: float) -> Path:
        target = tmp_path / f'cut_{fraction}' / bag.name
        target.parent.mkdir()
        if bag.is_file():
            target.write_bytes(bag.read_bytes()[: int(bag.stat().st_size * fraction)])
            return target
        target.mkdir()
        for file in bag.iterdir():
            share = 1.0 if file.suffix == '.yaml' else fraction
            data = file.read_bytes()
            (target / file.name).write_bytes(data[: int(len(data) * share)])
        return target

    return copy
