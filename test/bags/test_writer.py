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
"""Bags appear whole or not at all, and hold what was given."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.interfaces import QosDurability, QosHistory, QosReliability
from rosbags.rosbag2 import Reader

from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.writer import BagWriter, Storage
from spssn_ros.errors import BadImageError, BagError
from spssn_ros.imaging import view

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.fixture(params=list(Storage), ids=lambda storage: storage.value)
def storage(request: pytest.FixtureRequest) -> Storage:
    return request.param


def test_every_kind_of_message(tmp_path: Path, storage: Storage) -> None:
    matrix = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
    jpeg = cv2.imencode('.jpg', GRAY)[1].tobytes()
    with BagWriter(tmp_path / 'a' / 'bag', storage) as bag:
        bag.write_image('/i', 3_000_000_007, 'f', np.dstack([GRAY] * 3)[:, ::2])
        bag.write_compressed('/c', 4, 'g', jpeg)
        bag.write_camera_info('/k', 5, 'h', 4, 3, matrix)
        bag.write_camera_info('/u', 6, 'h', 4, 3, None)
    with BagReader(tmp_path / 'a' / 'bag') as reader:
        messages = {m.topic: m.message for m in reader.messages()}
        assert {name: info.count for name, info in reader.topics.items()} == dict.fromkeys(
            ('/c', '/i', '/k', '/u'), 1
        )
    image = messages['/i']
    assert (image.header.stamp.sec, image.header.stamp.nanosec) == (3, 7)
    assert (image.height, image.width, image.step, image.is_bigendian) == (3, 2, 6, 0)
    assert image.data.tolist() == [v for v in GRAY[:, ::2].flat for _ in range(3)]
    assert messages['/c'].format == 'jpeg'
    assert messages['/c'].data.tobytes() == jpeg
    info = messages['/k']
    assert (info.header.frame_id, info.width, info.height) == ('h', 4, 3)
    assert info.distortion_model == 'plumb_bob'
    assert info.k.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert info.p.tolist() == [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0]
    assert info.r.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert info.d.tolist() == [0] * 5
    # An uncalibrated camera has zero matrices, by the message's own definition.
    assert not any(messages['/u'].k) + any(messages['/u'].p) + any(messages['/u'].r)


def test_sixteen_bits_are_mono16(tmp_path: Path, storage: Storage) -> None:
    wide = np.arange(0, 60000, 5000, dtype=np.uint16).reshape(3, 4)
    with BagWriter(tmp_path / 'bag', storage) as bag:
        bag.write_image('/i', 1, 'f', wide[:, ::2].astype('>u2'))
    with BagReader(tmp_path / 'bag') as reader:
        (message,) = reader.messages()
    image = message.message
    assert (image.encoding, image.width, image.step, image.is_bigendian) == ('mono16', 2, 4, 0)
    np.testing.assert_array_equal(view(image), wide[:, ::2])


def test_what_ros_needs_to_play_it(tmp_path: Path, storage: Storage) -> None:
    with BagWriter(tmp_path / 'bag', storage) as bag:
        bag.write_image('/i', 1, 'f', GRAY)
    assert sorted(p.name for p in (tmp_path / 'bag').iterdir()) == [
        'bag.db3' if storage is Storage.SQLITE3 else 'bag.mcap',
        'metadata.yaml',
    ]
    metadata = (tmp_path / 'bag' / 'metadata.yaml').read_text()
    # Humble reads no later version; the hash is the one that ROS 2 itself gives sensor_msgs/Image.
    assert 'version: 8\n' in metadata
    assert 'RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47' in metadata
    with Reader(tmp_path / 'bag') as reader:
        (connection,) = reader.connections
    (qos,) = connection.ext.offered_qos_profiles
    assert (qos.reliability, qos.durability) == (QosReliability.RELIABLE, QosDurability.VOLATILE)
    assert (qos.history, qos.depth) == (QosHistory.KEEP_LAST, 10)
    assert connection.msgdef.data.startswith('std_msgs/Header header\nuint32 height\n')


def test_a_failure_leaves_nothing(tmp_path: Path, storage: Storage) -> None:
    def fail() -> None:
        with BagWriter(path, storage) as bag:
            bag.write_image('/i', 1, 'f', GRAY)
            assert path.parent.exists()
            assert not path.exists()
            raise RuntimeError('boom')

    (tmp_path / 'mine').mkdir()
    for name in ('bag', 'new/deep/bag', 'mine/deep/bag'):
        path = tmp_path / name
        with pytest.raises(RuntimeError, match='boom'):
            fail()
    # Folders that were there stay, empty or not.
    assert list(tmp_path.rglob('*')) == [tmp_path / 'mine']


def test_an_existing_path_is_kept(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'mine').write_text('precious')
    with (
        pytest.raises(BagError, match='bag exists already; remove it or choose another name'),
        BagWriter(tmp_path / 'bag', storage),
    ):
        pass
    assert [p.read_text() for p in (tmp_path / 'bag').iterdir()] == ['precious']


@pytest.mark.parametrize('stamp', [-1, 2**31 * 10**9, 10**19 - 1])
def test_stamps_that_ros_does_not_have_are_refused(
    tmp_path: Path, storage: Storage, stamp: int
) -> None:
    text = rf'bag: a message of /i has stamp {stamp} ns, but ROS counts from 1970 to 2038; give an'
    with pytest.raises(BagError, match=text), BagWriter(tmp_path / 'bag', storage) as bag:
        bag.write_image('/i', stamp, 'f', GRAY)
    assert list(tmp_path.iterdir()) == []
    last = 2**31 * 10**9 - 1
    with BagWriter(tmp_path / 'bag', storage) as bag:
        bag.write_image('/i', last, 'f', GRAY)
    with BagReader(tmp_path / 'bag') as reader:
        assert [message.stamp_ns for message in reader.messages()] == [last]


def test_a_path_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with (
        pytest.raises(BagError, match=r'cannot write bag .*file/bag: .*(exists|directory); give '),
        BagWriter(tmp_path / 'file' / 'bag'),
    ):
        pass


@pytest.mark.parametrize(
    'image',
    [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2), np.int16), np.zeros(4, np.uint8)],
    ids=str,
)
def test_images_of_other_kinds_are_refused(tmp_path: Path, image: np.ndarray) -> None:
    with (
        pytest.raises(BadImageError, match='uint8 or uint16, not'),
        BagWriter(tmp_path / 'bag') as bag,
    ):
        bag.write_image('/i', 1, 'f', image)


def test_one_topic_holds_one_type(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image('/i', 1, 'f', GRAY)
        with pytest.raises(BagError, match=r'/i holds sensor_msgs/msg/Image, not .*CameraInfo'):
            bag.write_camera_info('/i', 2, 'f', 4, 3, None)


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    with pytest.raises(BagError, match='is not open; use it in a with statement'):
        BagWriter(tmp_path / 'bag').write_image('/i', 1, 'f', GRAY)
