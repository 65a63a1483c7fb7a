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
"""Bags of every kind are read; bad ones are explained in one sentence."""

import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability
from rosbags.interfaces import QosTime as Time
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from spssn_ros.bags.labelled import Scene
from spssn_ros.bags.reader import BagReader, TopicInfo
from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.bags.writer import BagWriter
from spssn_ros.errors import BagError

IMAGE, LABEL, INFO = '/camera/image_raw', '/camera/label_truth', '/camera/camera_info'
STRING = 'std_msgs/msg/String'
# What the fixtures hold.
FRAMES, HEIGHT, WIDTH = 8, 240, 320


def data_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in ('.mcap', '.db3'))


def read_all(bag: Path) -> int:
    with BagReader(bag) as reader:
        return sum(1 for _ in reader.messages())


def write_strings(path: Path, storage: StoragePlugin, qos: Qos | None = None, **options) -> None:
    store = get_typestore(Stores.LATEST)
    with Writer(path, version=9, storage_plugin=storage) as bag:
        connection = bag.add_connection(
            '/text',
            options.pop('msgtype', STRING),
            typestore=store,
            offered_qos_profiles=[qos] if qos else [],
            **options,
        )
        for index, text in enumerate(('one', 'two')):
            message = store.types[STRING](data=text)
            bag.write(connection, index, store.serialize_cdr(message, STRING))


@pytest.mark.parametrize('as_file', [False, True], ids=['folder', 'file'])
def test_topics_and_messages(street_bag: Path, scene: Scene, as_file: bool) -> None:
    with BagReader(data_file(street_bag) if as_file else street_bag) as bag:
        assert bag.topics == {
            INFO: TopicInfo('sensor_msgs/msg/CameraInfo', FRAMES, False),
            IMAGE: TopicInfo('sensor_msgs/msg/Image', FRAMES, False),
            LABEL: TopicInfo('sensor_msgs/msg/Image', FRAMES, False),
        }
        messages = list(bag.messages([IMAGE, LABEL]))
        assert [m.topic for m in messages] == [IMAGE, LABEL] * FRAMES
        for index, (image, label) in enumerate(zip(messages[::2], messages[1::2], strict=True)):
            rgb, ids = scene.render(index / 10)
            stamp = 10**18 + index * 10**8
            assert image.stamp_ns == label.stamp_ns == stamp
            assert header_stamp_ns(image.message) == header_stamp_ns(label.message) == stamp
            assert image.message.header.frame_id == 'camera'
            assert (image.message.encoding, image.message.step) == ('rgb8', WIDTH * 3)
            assert (label.message.encoding, label.message.step) == ('mono8', WIDTH)
            assert (image.message.height, image.message.width) == (HEIGHT, WIDTH)
            np.testing.assert_array_equal(image.message.data, rgb.reshape(-1))
            np.testing.assert_array_equal(label.message.data, ids.reshape(-1))
        assert len(list(bag.messages())) == 3 * FRAMES


def test_ros1_bag(ros1_bag: Path, scene: Scene) -> None:
    with BagReader(ros1_bag) as bag:
        assert bag.topics['/image'] == TopicInfo('sensor_msgs/msg/Image', FRAMES, False)
        message = list(bag.messages(['/image']))[3]
        assert message.stamp_ns == 7_000_000_003
        assert header_stamp_ns(message.message) == 5_000_000_003
        np.testing.assert_array_equal(message.message.data, scene.render(0.3)[0].reshape(-1))


def test_serialized_messages_are_ros2_cdr(street_bag: Path, ros1_bag: Path, scene: Scene) -> None:
    store = get_typestore(Stores.ROS2_HUMBLE)
    for path, topics in ((street_bag, (IMAGE, INFO)), (ros1_bag, ('/image', '/camerainfo'))):
        with BagReader(path) as bag:
            image, info = list(bag.serialized_messages(topics))[4:6]
        assert isinstance(image.cdr, bytes)
        decoded = store.deserialize_cdr(image.cdr, 'sensor_msgs/msg/Image')
        np.testing.assert_array_equal(decoded.data, scene.render(0.2)[0].reshape(-1))
        assert decoded.header.frame_id in ('camera', 'old')
        decoded = store.deserialize_cdr(info.cdr, 'sensor_msgs/msg/CameraInfo')
        assert decoded.k.tolist() == [50.0, 0, 160, 0, 60, 120, 0, 0, 1]


@pytest.mark.parametrize('fraction', [0.02, 0.3, 0.5, 0.8, 0.99])
def test_a_bag_that_was_cut_off(
    street_bag: Path, cut: Callable[[Path, float], Path], fraction: float
) -> None:
    damaged = cut(street_bag, fraction)
    reindex = rf'try `ros2 bag reindex {damaged}`'
    with pytest.raises(BagError, match=rf'{damaged} cannot be read, .*cut off.* {reindex}'):
        read_all(damaged)
    with pytest.raises(BagError, match=reindex):
        read_all(data_file(damaged))


@pytest.mark.parametrize('fraction', [0.0, 0.3, 0.9])
def test_a_ros1_bag_that_was_cut_off(
    ros1_bag: Path, cut: Callable[[Path, float], Path], fraction: float
) -> None:
    with pytest.raises(BagError, match=r'old\.bag cannot be read, .*`rosbag reindex'):
        read_all(cut(ros1_bag, fraction))


def test_damage_that_shows_only_while_reading(street_bag: Path, tmp_path: Path) -> None:
    bag = tmp_path / 'bag'
    shutil.copytree(street_bag, bag)
    if (file := data_file(bag)).suffix == '.mcap':
        data = file.read_bytes()
        # The first message's record, by its stamp: its string length is made enormous.
        at = data.index((10**18).to_bytes(8, 'little') * 2) + 16 + 4 + 8
        file.write_bytes(data[:at] + b'\xff\xff\xff\x7f' + data[at + 4 :])
    else:
        with sqlite3.connect(file) as database:
            database.execute('UPDATE messages SET data = substr(data, 1, 100) WHERE id = 4')
        database.close()
    with BagReader(bag) as reader, pytest.raises(BagError, match='may be damaged or cut off'):
        list(reader.messages([IMAGE]))


def test_fewer_messages_than_promised(street_bag: Path, tmp_path: Path) -> None:
    bag = tmp_path / 'bag'
    shutil.copytree(street_bag, bag)
    metadata = (bag / 'metadata.yaml').read_text()
    (bag / 'metadata.yaml').write_text(metadata.replace('message_count: 8', 'message_count: 9'))
    with BagReader(bag) as reader:
        iterator = reader.messages([LABEL])
        assert sum(1 for _ in zip(range(FRAMES), iterator, strict=False)) == FRAMES
        with pytest.raises(BagError, match=f'it promises 9 messages of {LABEL} and holds 8'):
            next(iterator)


@pytest.mark.parametrize(
    'metadata', ['', 'a: b', '- : : ]', 'rosbag2_bagfile_information: {version: 99}', '\xff\0']
)
def test_damaged_metadata(street_bag: Path, tmp_path: Path, metadata: str) -> None:
    bag = tmp_path / 'bag'
    shutil.copytree(street_bag, bag)
    (bag / 'metadata.yaml').write_text(metadata, 'latin-1')
    with pytest.raises(BagError, match=rf'^bag {bag} cannot be read.*reindex') as caught:
        read_all(bag)
    assert '\n' not in str(caught.value)


def test_what_is_no_bag(street_bag: Path, tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r'bag .*/nowhere does not exist; check the path'):
        read_all(tmp_path / 'nowhere')
    with pytest.raises(BagError, match=rf'folder {tmp_path} is no ROS 2 bag'):
        read_all(tmp_path)
    (tmp_path / 'a.txt').write_text('text')
    with pytest.raises(BagError, match=r'a\.txt is no bag; give a ROS 2 bag folder'):
        read_all(tmp_path / 'a.txt')
    for name in ('a.mcap', 'a.db3', 'a.bag'):
        (tmp_path / name).write_text('text')
        with pytest.raises(BagError, match=rf'{name} cannot be read'):
            read_all(tmp_path / name)
    bag = tmp_path / 'killed'
    shutil.copytree(street_bag, bag)
    (bag / 'metadata.yaml').unlink()
    with pytest.raises(BagError, match=rf'no metadata.*ros2 bag reindex {bag}`.*{data_file(bag)}'):
        read_all(bag)


def test_a_topic_that_is_not_there(street_bag: Path) -> None:
    with BagReader(street_bag) as bag:
        bag.require(IMAGE, LABEL)
        with pytest.raises(BagError) as caught:
            bag.require(IMAGE, '/nope')
        assert str(caught.value) == (
            f"topic '/nope' is not in bag {street_bag}; it has {INFO} "
            f'(sensor_msgs/msg/CameraInfo), {IMAGE} (sensor_msgs/msg/Image), {LABEL} '
            '(sensor_msgs/msg/Image)'
        )
        with pytest.raises(BagError, match="topic '/nope' is not in bag"):
            next(bag.messages(['/nope']))


def test_a_closed_reader_says_so(street_bag: Path) -> None:
    with pytest.raises(BagError, match='is not open; use it in a with statement'):
        _ = BagReader(street_bag).topics


def test_a_header_is_needed_for_a_header_stamp() -> None:
    with pytest.raises(BagError, match='SimpleNamespace have no header'):
        header_stamp_ns(SimpleNamespace(data=''))


@pytest.mark.parametrize('storage', list(StoragePlugin))
def test_idl_definitions(tmp_path: Path, storage: StoragePlugin) -> None:
    line = '=' * 80 + '\n'
    definition = (
        f'{line}IDL: std_msgs/msg/String\n'
        'module std_msgs { module msg { struct String { string data; }; }; };\n'
    )
    write_strings(tmp_path / 'bag', storage, msgdef=definition, rihs01='RIHS01_0')
    with BagReader(tmp_path / 'bag') as bag:
        assert [m.message.data for m in bag.messages()] == ['one', 'two']


def test_a_bag_without_definitions_as_humble_records(tmp_path: Path) -> None:
    write_strings(tmp_path / 'bag', StoragePlugin.SQLITE3)
    with sqlite3.connect(data_file(tmp_path / 'bag')) as database:
        database.execute('DROP TABLE schema')
        database.execute('DROP TABLE message_definitions')
    database.close()
    with BagReader(tmp_path / 'bag') as bag:
        assert [m.message.data for m in bag.messages(['/text'])] == ['one', 'two']


@pytest.mark.parametrize('encoding', ['', 'unknown'])
def test_a_definition_that_the_recorder_did_not_find(tmp_path: Path, encoding: str) -> None:
    write_strings(tmp_path / 'bag', StoragePlugin.SQLITE3)
    with sqlite3.connect(data_file(tmp_path / 'bag')) as database:
        database.execute(
            "INSERT INTO message_definitions VALUES (NULL, 'a/msg/B', ?, '', '')", (encoding,)
        )
        database.execute("INSERT INTO topics VALUES (NULL, '/b', 'a/msg/B', 'cdr', '', '')")
    database.close()
    for path in (tmp_path / 'bag', data_file(tmp_path / 'bag')):
        with BagReader(path) as bag:
            assert [m.message.data for m in bag.messages(['/text'])] == ['one', 'two']


def test_an_undefined_type_harms_only_its_own_topic(tmp_path: Path) -> None:
    write_strings(
        tmp_path / 'bag', StoragePlugin.MCAP, msgtype='a/msg/B', msgdef='!', rihs01='RIHS01_0'
    )
    with BagReader(tmp_path / 'bag') as bag:
        assert bag.topics == {'/text': TopicInfo('a/msg/B', 2, False)}
        with pytest.raises(BagError, match='cannot be read'):
            next(bag.messages())
        assert len(list(bag.serialized_messages())) == 2


def test_latched_topics_are_told(tmp_path: Path) -> None:
    qos = Qos(
        QosHistory.KEEP_LAST,
        1,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL,
        Time(0, 0),
        Time(0, 0),
        QosLiveliness.AUTOMATIC,
        Time(0, 0),
        False,
    )
    write_strings(tmp_path / 'bag', StoragePlugin.MCAP, qos)
    with BagReader(tmp_path / 'bag') as bag:
        assert bag.topics == {'/text': TopicInfo(STRING, 2, True)}


def test_ros1_types_of_ones_own(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS1_NOETIC)
    definition = 'std_msgs/Header header\nuint32 number\n'
    store.register(get_types_from_msg(definition, 'my_msgs/msg/Own'))
    # A name that ROS 2 gives other fields.
    renamed = {
        'std_msgs/msg/String': get_types_from_msg('uint8 a\nuint64 b', 'x/msg/Y')['x/msg/Y']
    }
    other = get_typestore(Stores.EMPTY)
    other.register(renamed)
    types = store.types
    with Rosbag1Writer(tmp_path / 'own.bag') as bag:
        own = bag.add_connection('/own', 'my_msgs/msg/Own', typestore=store)
        stamp = types['builtin_interfaces/msg/Time'](sec=1, nanosec=2)
        header = types['std_msgs/msg/Header'](seq=3, stamp=stamp, frame_id='f')
        message = types['my_msgs/msg/Own'](header=header, number=77)
        bag.write(own, 1, store.serialize_ros1(message, 'my_msgs/msg/Own'))
        text = bag.add_connection('/text', STRING, typestore=other)
        data = other.serialize_ros1(other.types[STRING](a=1, b=2), STRING)
        bag.write(text, 2, data)
    ros2 = get_typestore(Stores.ROS2_HUMBLE)
    ros2.register(get_types_from_msg(definition, 'my_msgs/msg/Own'))
    with BagReader(tmp_path / 'own.bag') as reader:
        assert [m.message.header.seq for m in reader.messages(['/own'])] == [3]
        (message,) = reader.serialized_messages(['/own'])
        decoded = ros2.deserialize_cdr(message.cdr, 'my_msgs/msg/Own')
        assert (header_stamp_ns(decoded), decoded.header.frame_id) == (1_000_000_002, 'f')
        assert decoded.number == 77
        with pytest.raises(
            BagError, match=r'std_msgs/msg/String in bag .* do not fit the ROS 2 t'
        ):
            list(reader.serialized_messages(['/text']))


def test_header_stamps_are_read_without_decoding(street_bag: Path, ros1_bag: Path) -> None:
    with BagReader(street_bag) as bag:
        assert list(bag.header_stamps(IMAGE)) == [10**18 + i * 10**8 for i in range(FRAMES)]
    with BagReader(ros1_bag) as bag:
        assert list(bag.header_stamps('/image')) == [5 * 10**9 + i for i in range(FRAMES)]


@pytest.mark.parametrize(('flag', 'order'), [(1, '<'), (0, '>')])
def test_header_stamps_of_either_byte_order(tmp_path: Path, flag: int, order: str) -> None:
    store = get_typestore(Stores.LATEST)
    with Writer(tmp_path / 'bag', version=8) as bag:
        connection = bag.add_connection('/i', 'sensor_msgs/msg/Image', typestore=store)
        bag.write(connection, 1, struct.pack(f'{order}4BiI', 0, flag, 0, 0, 7, 123))
        bag.write(connection, 2, b'short')
    with BagReader(tmp_path / 'bag') as reader:
        stamps = reader.header_stamps('/i')
        assert next(stamps) == 7_000_000_123
        with pytest.raises(BagError, match='cannot be read, it may be damaged'):
            next(stamps)


def test_a_message_is_read_again_by_its_stamps(street_bag: Path) -> None:
    with BagReader(street_bag) as bag:
        messages = list(bag.messages([IMAGE]))
        for wanted in (messages[5], messages[0]):
            stamp_ns = header_stamp_ns(wanted.message)
            found = bag.message_at(IMAGE, wanted.stamp_ns, stamp_ns)
            assert (found.topic, found.stamp_ns) == (IMAGE, wanted.stamp_ns)
            np.testing.assert_array_equal(found.message.data, wanted.message.data)
        with pytest.raises(BagError, match='changed while it was read'):
            bag.message_at(IMAGE, messages[0].stamp_ns, 5)


def test_the_list_of_topics_is_made_as_often_for_one_as_for_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    topics = BagReader.topics.fget
    assert topics is not None
    monkeypatch.setattr(
        BagReader, 'topics', property(lambda self: made.append(self.path) or topics(self))
    )
    for count in (1, 20):
        with BagWriter(tmp_path / f'{count}') as bag:
            for number in range(count):
                bag.write_image(f'/topic{number}', 1, 'camera', np.zeros((1, 1), np.uint8))
        with BagReader(tmp_path / f'{count}') as reader:
            assert len(list(reader.messages())) == count
    assert made.count(tmp_path / '20') == made.count(tmp_path / '1')
