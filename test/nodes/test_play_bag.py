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
"""`play_bag` in its own process, heard over DDS."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

import spssn_ros
from spssn_ros.bags.labelled import FIRST_STAMP_NS, write_street_bag
from spssn_ros.bags.reader import BagReader, TopicInfo
from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.bags.writer import BagWriter, Storage
from spssn_ros.errors import BagError

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402

from spssn_ros.nodes import bag_player  # noqa: E402

IMAGE, LABEL, INFO = '/camera/image_raw', '/camera/label_truth', '/camera/camera_info'
FRAMES, RATE = 10, 25.0
STAMPS = [FIRST_STAMP_NS + index * 40_000_000 for index in range(FRAMES)]
TIMEOUT_S = 120.0


class Counting:
    camera_matrix = np.array([[30.0, 0, 32], [0, 30, 24], [0, 0, 1]])

    def render(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        image = np.full((48, 64, 3), round(time_s * RATE), np.uint8)
        image[5, 7] = (1, 2, 3)
        return image, image[..., 0].copy()


class Listener:
    """Subscribes in the test's process and keeps what arrives."""

    def __init__(self, context: Any) -> None:
        self.node = rclpy.create_node('listener', context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = {}

    def subscribe(self, topic: str, message_class: Any, reliable: bool = True) -> None:
        heard = self.heard.setdefault(topic, [])
        policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=50, reliability=policy)
        self.node.create_subscription(message_class, topic, heard.append, qos)

    def spin_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end, {k: len(v) for k, v in self.heard.items()}
            self.executor.spin_once(timeout_sec=0.05)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.spin_until(lambda: time.monotonic() > end)


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('play') / 'bag'
    write_street_bag(path, Counting(), FRAMES, RATE, Storage.MCAP)
    return path


@pytest.fixture(scope='module')
def environment() -> dict[str, str]:
    return {
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONPATH': os.pathsep.join(
            [str(Path(spssn_ros.__file__).parents[1]), os.environ.get('PYTHONPATH', '')]
        ),
    }


@pytest.fixture
def listener(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    context = rclpy.Context()
    rclpy.init(context=context)
    listener = Listener(context)
    yield listener
    listener.executor.shutdown()
    listener.node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def play(environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, '-m', 'spssn_ros.nodes.start', 'play_bag', *map(str, arguments)],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    output, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    return output, errors


@pytest.mark.parametrize('reliable', [True, False], ids=['reliable', 'best_effort'])
def test_every_message_arrives_as_recorded(
    bag: Path, play: Callable[..., Any], listener: Listener, reliable: bool
) -> None:
    listener.subscribe(IMAGE, Image, reliable)
    listener.subscribe(LABEL, Image, reliable)
    process = play(bag, '--wait-for-subscribers', TIMEOUT_S, '--start-delay', 0.3)
    # What a best-effort subscriber is sent before it knows the publisher is lost; the player waits
    # for somebody who hears the last topic.
    listener.spin_until(lambda: all(map(listener.node.count_publishers, (IMAGE, LABEL))))
    listener.subscribe(INFO, CameraInfo)
    listener.spin_until(lambda: all(len(h) == FRAMES for h in listener.heard.values()))
    for messages in listener.heard.values():
        assert [header_stamp_ns(message) for message in messages] == STAMPS
        assert {message.header.frame_id for message in messages} == {'camera'}
    for index, image in enumerate(listener.heard[IMAGE]):
        pixels = np.frombuffer(image.data, np.uint8).reshape(48, 64, 3)
        np.testing.assert_array_equal(pixels, Counting().render(index / RATE)[0])
    image, label, info = (listener.heard[t][3] for t in (IMAGE, LABEL, INFO))
    assert (image.height, image.width, image.encoding, image.step) == (48, 64, 'rgb8', 192)
    assert (label.encoding, label.step, label.data[0]) == ('mono8', 64, 3)
    assert info.k.tolist() == [30, 0, 32, 0, 30, 24, 0, 0, 1]
    output, _ = finish(process)
    for topic in (IMAGE, LABEL, INFO):
        line = next(line for line in output.splitlines() if line.startswith(topic))
        assert line.split()[1:3] == [str(FRAMES), 'messages']
        assert float(line.split()[3]) > 0


def test_loop_clock_remapping_and_interrupt(
    bag: Path, play: Callable[..., Any], listener: Listener
) -> None:
    listener.subscribe('/front/image', Image)
    listener.subscribe('/clock', Clock)
    options = ('--loop', '--rate', 4, '--clock', 100, '--topics', IMAGE)
    wait = ('--wait-for-subscribers', TIMEOUT_S)
    process = play(bag, *options, *wait, '--ros-args', '-r', f'{IMAGE}:=/front/image')
    images, clocks = listener.heard['/front/image'], listener.heard['/clock']
    listener.spin_until(lambda: len(images) > 2 * FRAMES)
    process.send_signal(signal.SIGINT)
    output, errors = finish(process)
    listener.spin(0.5)
    stamps, published = [header_stamp_ns(m) for m in images], int(output.split()[1])
    if len(stamps) == published:
        assert stamps == (STAMPS * published)[:published]
    else:
        # To whoever is more than ten messages late, as on a busy machine, the rest is lost.
        assert set(stamps) <= set(STAMPS)
    assert output.split()[0] == '/front/image'
    assert 'Traceback' not in errors
    # 100 ticks a second at four times the speed: 40 ms of recording, also across the pause of one
    # period before the bag starts again.
    times = [m.clock.sec * 10**9 + m.clock.nanosec for m in clocks]
    steps = np.diff(times)
    assert min(times) >= FIRST_STAMP_NS
    assert set(steps % 40_000_000) == {0}
    assert max(times) <= STAMPS[-1] + 40_000_000
    assert (steps < 0).sum() >= 1


def test_a_recorded_clock_gives_way_to_one_that_is_asked_for(
    tmp_path: Path, play: Callable[..., Any]
) -> None:
    path = tmp_path / 'bag'
    store = get_typestore(Stores.LATEST)
    time_type, clock_type = (
        store.types[name] for name in ('builtin_interfaces/msg/Time', 'rosgraph_msgs/msg/Clock')
    )
    with Writer(path, version=8) as writer:
        for topic in ('/clock', '/other'):
            connection = writer.add_connection(topic, clock_type.__msgtype__, typestore=store)
            message = clock_type(clock=time_type(sec=7, nanosec=0))
            writer.write(connection, 10**9, store.serialize_cdr(message, clock_type.__msgtype__))
    for options, topics in (((), {'/clock', '/other'}), (('--clock', 10), {'/other'})):
        output, errors = finish(play(path, *options))
        assert {line.split()[0] for line in output.splitlines()} == topics, errors


def test_sigterm_ends_it_with_status_0(bag: Path, play: Callable[..., Any]) -> None:
    process = play(bag, '--rate', 0.0001)
    for line in process.stderr:
        if 'playing' in line:
            break
    process.send_signal(signal.SIGTERM)
    # The bag would last an hour.
    output, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    assert len(output.splitlines()) == 3


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('{bag}/nope',), r'play_bag: bag {bag}/nope does not exist; check the path'),
        (('{bag}', '--topics', '/x'), r"play_bag: topic '/x' is not in bag {bag}; it has /camera"),
        (('{bag}', '--rate', '0'), 'play_bag: --rate 0 is not positive; 1 is the recorded speed'),
        (('{bag}', '--clock', '-1'), 'play_bag: --clock -1 is no frequency in Hz; give at most'),
        (('{bag}', '--clock', '1e6'), 'play_bag: --clock 1e+06 is no frequency in Hz; give at mo'),
        (('{bag}', '--start-delay', 'inf'), 'play_bag: --start-delay inf is no time; give second'),
        (('{bag}', '--start-delay', '-1'), 'play_bag: --start-delay -1 is no time; give seconds'),
        (
            ('{bag}', '--wait-for-subscribers', 'nan'),
            'play_bag: --wait-for-subscribers nan is no time; give seconds, 0 or more',
        ),
        (
            ('{bag}', '--rate', 'fast'),
            "play_bag: argument --rate: invalid float value: 'fast'; see play_bag --help\n",
        ),
        ((), 'play_bag: the following arguments are required: BAG; see play_bag --help\n'),
        (
            ('{bag}', '--ros-args', '--nope'),
            "play_bag: check the ROS arguments and ROS_* variables: ['--nope']",
        ),
        (
            ('{bag}', '--ros-args', '-r', 'a:='),
            'play_bag: check the ROS arguments and ROS_* variables: Failed to parse ROS',
        ),
        (
            ('{bag}', '--ros-args', '-p', 'use_sim_time:=5'),
            "play_bag: Trying to set parameter 'use_sim_time' to '5' of type 'INTEGER'",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    bag: Path, play: Callable[..., Any], arguments: tuple[str, ...], message: str
) -> None:
    process = play(*(argument.format(bag=bag) for argument in arguments))
    output, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, output) == (2, '')
    assert errors.startswith(message.format(bag=bag))
    assert errors.count('\n') == 1


def test_a_bag_cut_off_is_one_line_and_status_2(
    bag: Path, play: Callable[..., Any], tmp_path: Path
) -> None:
    cut = tmp_path / 'cut.mcap'
    data = (bag / 'bag.mcap').read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    process = play(cut)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 2
    assert errors.startswith(f'play_bag: bag {cut} cannot be read, it may be damaged or cut off')
    assert errors.count('\n') == 1


class FakeNode:
    """Stands for a node and for time: notes what is published when, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 500.0
        self.published: list[tuple[float, str, Any]] = []
        self.qos: dict[str, QoSProfile] = {}
        self.warnings: list[str] = []
        self.subscribed_from = 0.0
        self.stop_at = float('inf')
        self.stop = bag_player.StopFlag()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        if self.now >= self.stop_at:
            self.stop.set()

    def create_publisher(self, message_class: type, topic: str, qos: Any) -> Any:
        self.qos[topic] = qos
        return SimpleNamespace(
            topic_name=topic,
            publish=lambda message: self.published.append((self.now - 500, topic, message)),
            get_subscription_count=lambda: int(self.now >= self.subscribed_from),
        )

    def get_logger(self) -> Any:
        return SimpleNamespace(warning=self.warnings.append)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    node = FakeNode()
    monkeypatch.setattr(bag_player, 'time', node)
    return node


def make_player(
    fake: FakeNode, bag: Path, topics: dict[str, TopicInfo], rate: float, clock_hz: float = 0
) -> bag_player.BagPlayer:
    return bag_player.BagPlayer(fake, bag, topics, rate, clock_hz, fake.stop)


IMAGES = {IMAGE: TopicInfo('sensor_msgs/msg/Image', FRAMES, False)}


@pytest.mark.parametrize('rate', [0.5, 1.0, 3.0])
def test_messages_are_published_when_they_are_due(fake: FakeNode, bag: Path, rate: float) -> None:
    player = make_player(fake, bag, IMAGES, rate)
    player.play(loop=False)
    times = [time for time, _, _ in fake.published]
    assert times == pytest.approx([index / RATE / rate for index in range(FRAMES)])
    with BagReader(bag) as reader:
        recorded = [message.cdr for message in reader.serialized_messages([IMAGE])]
    assert [message for _, _, message in fake.published] == recorded
    assert player.report() == f'{IMAGE}      10 messages  {RATE * rate:8.2f} Hz'


def test_the_loop_pauses_one_period(fake: FakeNode, bag: Path) -> None:
    fake.stop_at = 500 + 24.5 / RATE
    make_player(fake, bag, IMAGES, 1.0).play(loop=True)
    times = [time for time, _, _ in fake.published]
    assert times == pytest.approx([index / RATE for index in range(25)])


def test_a_loop_over_topics_without_a_message_ends(fake: FakeNode, tmp_path: Path) -> None:
    with Writer(tmp_path / 'empty', version=8, storage_plugin=StoragePlugin.MCAP) as bag:
        types = get_typestore(Stores.LATEST)
        bag.add_connection(IMAGE, 'sensor_msgs/msg/Image', typestore=types)
    player = make_player(fake, tmp_path / 'empty', IMAGES, 1.0, clock_hz=50)
    player.play(loop=True)
    assert fake.published == []
    assert player.report() == f'{IMAGE}       0 messages'


def test_the_clock_tells_the_time_of_the_recording(fake: FakeNode, bag: Path) -> None:
    make_player(fake, bag, IMAGES, 2.0, clock_hz=50).play(loop=False)
    ticks = [(time, m.clock) for time, topic, m in fake.published if topic == '/clock']
    assert len(ticks) == 10  # 0, 20, ... 180 ms: the last image is published at 180 ms
    for index, (moment, clock) in enumerate(ticks):
        assert moment == pytest.approx(index / 50)
        told_ns = clock.sec * 10**9 + clock.nanosec - FIRST_STAMP_NS
        assert told_ns == pytest.approx(index * 40_000_000, abs=1000)


def test_a_stamp_that_lies_far_ahead_is_told(fake: FakeNode, tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for stamp_s in (1, 2, 10_000):
            bag.write_image(IMAGE, stamp_s * 10**9, 'f', np.zeros((2, 2), np.uint8))
    make_player(fake, tmp_path / 'bag', IMAGES, 2.0).play(loop=False)
    assert [round(moment, 1) for moment, _, _ in fake.published] == [0, 0.5, 4999.5]
    assert fake.warnings == ['by its stamp the next message is due in 4999 s; Ctrl-C ends playing']


def test_types_that_are_not_installed_are_skipped(fake: FakeNode, bag: Path) -> None:
    unknown = {
        '/a': TopicInfo('no_such_package/msg/Thing', 1, False),
        '/b': TopicInfo('sensor_msgs/msg/NoSuchType', 1, False),
        '/c/_service_event': TopicInfo('std_srvs/srv/Trigger_Event', 1, False),
    }
    with pytest.raises(BagError, match='has no topic that can be published here'):
        make_player(fake, bag, unknown, 1.0)
    assert fake.warnings == [
        '/a is skipped: message package no_such_package with type Thing is not installed',
        '/b is skipped: message package sensor_msgs with type NoSuchType is not installed',
        '/c/_service_event is skipped: its type std_srvs/srv/Trigger_Event is no message',
    ]
    make_player(fake, bag, {**unknown, **IMAGES}, 1.0).play(loop=False)
    assert len(fake.published) == FRAMES


def test_late_subscribers_get_latched_topics(fake: FakeNode, bag: Path) -> None:
    latched = {'/info': TopicInfo('sensor_msgs/msg/CameraInfo', 1, True)}
    make_player(fake, bag, {**IMAGES, **latched}, 1.0)
    assert fake.qos['/info'].durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert fake.qos[IMAGE].durability == DurabilityPolicy.VOLATILE
    for qos in fake.qos.values():
        assert (qos.reliability, qos.depth) == (ReliabilityPolicy.RELIABLE, 10)


def test_waiting_for_subscribers(fake: FakeNode, bag: Path) -> None:
    player = make_player(fake, bag, IMAGES, 1.0)
    fake.subscribed_from = 503.0
    player.wait_for_subscribers(10.0)
    # Found at 503 s, and a moment more for the subscriber to find the player.
    assert fake.now == pytest.approx(506, abs=0.1)
    assert fake.warnings == []
    fake.subscribed_from = 600.0
    player.wait_for_subscribers(10.0)
    assert fake.now == pytest.approx(516, abs=0.2)
    assert fake.warnings == [f'nobody subscribes to {IMAGE} after 10 s; playing']
