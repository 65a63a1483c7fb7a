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
"""`segment_node` in its own process, driven over DDS."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from harness import (  # noqa: E402
    ENDING_SIGNALS,
    TIMEOUT_S,
    camera_image,
    picture,
    ros_args,
    set_parameter,
    values,
)
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from spssn_ros.imaging import Painter, to_labels, to_rgb  # noqa: E402
from spssn_ros.inference import Segmenter  # noqa: E402
from spssn_ros.labels import CAMVID, UNKNOWN  # noqa: E402


def test_every_output_carries_the_header_and_the_offline_result(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    run_node('segment_node', *ros_args(tiny_weights))
    outputs = ('label', 'color', 'overlay', 'confidence', 'mask/road', 'mask/sky')
    heard = {output: peer.listen(f'/segment_node/{output}') for output in outputs}
    info = peer.listen('/segment_node/camera_info', CameraInfo)
    rgb = picture(3, 101, 67)
    message = camera_image(rgb)
    info_publisher = peer.publisher('camera_info', CameraInfo)
    calibration = CameraInfo(width=101, height=67)
    calibration.k[0] = 80.0

    def complete() -> bool:
        info_publisher.publish(calibration)
        return bool(all(heard.values()) and info)

    peer.send_until(peer.publisher('image'), message, complete)

    expected = Segmenter.from_weights(tiny_weights)(rgb, with_confidence=True)
    assert len(np.unique(expected.labels)) > 2, 'the picture must show several classes'
    painter = Painter(CAMVID)
    pictures = {
        'label': expected.labels,
        'color': CAMVID.color_table()[expected.labels],
        'overlay': painter.overlay(rgb, expected.labels),
        'confidence': expected.confidence,
        'mask/road': (expected.labels == CAMVID.index('road')) * np.uint8(255),
        'mask/sky': (expected.labels == CAMVID.index('sky')) * np.uint8(255),
    }
    for output, wanted in pictures.items():
        answer = heard[output][0]
        assert answer.header.frame_id == 'front_camera', output
        assert answer.header.stamp.sec == 5, output
        assert 0 < answer.header.stamp.nanosec <= message.header.stamp.nanosec, output
        assert (answer.width, answer.height) == (101, 67), output
        channels = 3 if wanted.ndim == 3 else 1
        assert answer.encoding == ('rgb8' if channels == 3 else 'mono8'), output
        assert answer.step == 101 * channels, output
        decoded = to_rgb(answer) if channels == 3 else to_labels(answer)
        np.testing.assert_array_equal(decoded, wanted, err_msg=output)
    assert info[0].header.frame_id == 'front_camera'
    assert (info[0].width, info[0].k[0]) == (101, 80.0)


def test_label_info_is_latched_and_names_the_classes(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    run_node('segment_node', *ros_args(tiny_weights))
    heard = peer.listen('/segment_node/label_info_json', String, latched=True)
    assert peer.spin_until(lambda: heard)
    facts = json.loads(heard[0].data)
    assert [c['name'] for c in facts['classes']] == list(CAMVID.names)
    assert facts['classes'][3] == {'id': 3, 'name': 'road', 'color': [128, 64, 128]}
    assert facts['unknown'] == UNKNOWN


def test_nothing_is_computed_while_nobody_subscribes(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights, 'diagnostics_period:=0.2'))
    diagnostics = peer.listen('/diagnostics', DiagnosticArray)
    publisher = peer.publisher('image')
    message = camera_image(picture())
    peer.send_until(
        publisher,
        message,
        lambda: any(float(values(d)['fps_in']) > 0 for d in diagnostics),
    )
    peer.send_until(publisher, message, lambda: 'idle: ' in node.output)
    assert values(diagnostics[-1])['answered'] == '0'
    labels = peer.listen('/segment_node/label')
    peer.send_until(publisher, message, lambda: labels)


def test_diagnostics_tell_every_stage(peer: Any, run_node: Any, tiny_weights: Path) -> None:
    run_node('segment_node', *ros_args(tiny_weights, 'diagnostics_period:=0.2'))
    diagnostics = peer.listen('/diagnostics', DiagnosticArray)
    overlays = peer.listen('/segment_node/overlay')
    peer.send_until(peer.publisher('image'), camera_image(picture()), lambda: len(overlays) > 2)
    diagnostics.clear()

    def settled() -> bool:
        # In the middle of a frame some of its stages are counted, others are not yet.
        facts = values(diagnostics[-1]) if diagnostics else {'received': '0'}
        return 0 < int(facts['received']) == int(facts['answered']) + int(facts['dropped'])

    assert peer.spin_until(settled)
    found = values(diagnostics[-1])
    stages = ('wait', 'decode', 'network', 'post', 'encode', 'publish', 'total')
    times = {stage: float(found[f'{stage}_ms_p50']) for stage in stages}
    assert all(float(found[f'{s}_ms_p95']) >= times[s] for s in stages)
    assert 0 < times['network'] <= times['total']
    assert min(times.values()) >= 0


def test_a_bad_frame_is_rejected_and_the_next_one_answered(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights, 'diagnostics_period:=0.2'))
    labels = peer.listen('/segment_node/label')
    diagnostics = peer.listen('/diagnostics', DiagnosticArray)
    publisher = peer.publisher('image')
    good, strange, short = (camera_image(picture()) for _ in range(3))
    strange.encoding = 'rgb7'
    short.height += 10
    peer.send_until(publisher, good, lambda: labels)
    for count, bad in enumerate((strange, short, short), 1):
        publisher.publish(bad)
        told = str(count)
        assert peer.spin_until(
            lambda: diagnostics and values(diagnostics[-1])['rejected'] == told  # noqa: B023
        )
    # The same cause again is counted, not logged.
    assert node.says("image 96x64 'rgb7': unsupported encoding")
    assert node.says('18432 bytes of data')
    assert node.output.count('frame rejected') == 2
    assert (
        '18432 bytes of data, but 74 rows of step 288 are 21312'
        in (values(diagnostics[-1])['last_error'])
    )
    labels.clear()
    peer.send_until(publisher, good, lambda: labels)
    assert node.process.poll() is None


def test_lifecycle_without_autostart(peer: Any, run_node: Any, tiny_weights: Path) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights, 'autostart:=false'))
    labels = peer.listen('/segment_node/label')
    publisher = peer.publisher('image')
    message = camera_image(picture())

    def change(transition: int) -> str:
        request = ChangeState.Request()
        request.transition.id = transition
        assert peer.call(ChangeState, '/segment_node/change_state', request).success
        state = peer.call(GetState, '/segment_node/get_state', GetState.Request())
        return str(state.current_state.label)

    def answered_within_a_second() -> bool:
        # Those of frames sent before may come late.
        message.header.stamp.sec += 1
        for _ in range(10):
            publisher.publish(message)
            peer.spin(0.1)
        return any(label.header.stamp.sec == message.header.stamp.sec for label in labels)

    configure, cleanup, activate, deactivate = 1, 2, 3, 4
    assert change(configure) == 'inactive'
    assert not answered_within_a_second()
    assert change(activate) == 'active'
    peer.send_until(publisher, message, lambda: labels)
    assert change(deactivate) == 'inactive'
    assert node.says('inactive: images are not answered')
    assert not answered_within_a_second()
    assert change(cleanup) == 'unconfigured'
    assert change(configure) == 'inactive'
    assert change(activate) == 'active'
    labels.clear()
    peer.send_until(publisher, message, lambda: labels)
    assert node.output.count('unconfigured; waiting for a lifecycle manager') == 2
    active_shutdown = 7
    assert change(active_shutdown) == 'finalized'
    assert node.says('shut down: images are not answered; only a restart changes that')
    assert not answered_within_a_second()


def test_empty_lists_at_the_start_are_told_as_what_they_mean(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    names = ['mask_classes', 'overlay_classes', 'cameras']
    node = run_node('segment_node', *ros_args(tiny_weights, *(f'{name}:=[]' for name in names)))
    assert node.says('active: segmenting /image')
    # rclpy answers nothing at all where one of them has no value.
    request = GetParameters.Request(names=[*names, 'overlay_alpha'])
    answer = peer.call(GetParameters, '/segment_node/get_parameters', request)
    assert [list(v.string_array_value) for v in answer.values[:3]] == [['all'], ['all'], ['']]
    assert answer.values[3].double_value == 0.5
    assert set_parameter(peer, 'mask_classes', ['road']).successful
    assert set_parameter(peer, 'mask_classes', []).successful


def test_live_parameters_and_refusals(peer: Any, run_node: Any, tiny_weights: Path) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights))
    labels = peer.listen('/segment_node/label')
    publisher = peer.publisher('image')
    message = camera_image(picture())
    peer.send_until(publisher, message, lambda: labels)

    refused = set_parameter(peer, 'output_size', '10by10')
    assert not refused.successful
    assert "output_size is '10by10'" in refused.reason
    refused = set_parameter(peer, 'mask_classes', ['road', 'dragon'])
    assert not refused.successful
    assert "mask_classes names 'dragon'; the classes of" in refused.reason
    refused = set_parameter(peer, 'weights', '/nowhere.safetensors')
    assert not refused.successful
    assert "no weights file '/nowhere.safetensors'" in refused.reason
    assert not set_parameter(peer, 'overlay_alpha', 1.5).successful

    assert set_parameter(peer, 'output_size', '48x32').successful
    peer.send_until(publisher, message, lambda: labels[-1].width == 48)
    assert node.says("output_size: 'input' -> '48x32'")
    assert (labels[-1].height, labels[-1].step) == (32, 48)
    assert set_parameter(peer, 'output_size', '5x3').successful
    peer.send_until(publisher, message, lambda: labels[-1].width == 5)
    assert (labels[-1].height, labels[-1].step) == (3, 5)
    assert set_parameter(peer, 'output_size', 'network').successful
    assert set_parameter(peer, 'input_size', '72x40').successful
    peer.send_until(publisher, message, lambda: (labels[-1].width, labels[-1].height) == (72, 40))
    assert set_parameter(peer, 'input_size', 'auto').successful
    assert set_parameter(peer, 'output_size', 'input').successful
    assert set_parameter(peer, 'confidence_threshold', 1.0).successful
    peer.send_until(
        publisher,
        message,
        lambda: labels[-1].width == 96 and UNKNOWN in to_labels(labels[-1]),
    )
    assert set_parameter(peer, 'confidence_threshold', 0.0).successful

    assert set_parameter(peer, 'mask_classes', ['sky']).successful
    topics = dict(peer.node.get_topic_names_and_types())
    assert peer.spin_until(
        lambda: '/segment_node/mask/road' not in dict(peer.node.get_topic_names_and_types())
    ), topics
    masks = peer.listen('/segment_node/mask/sky')
    peer.send_until(publisher, message, lambda: masks)

    overlays = peer.listen('/segment_node/overlay')
    assert set_parameter(peer, 'overlay_alpha', 1.0).successful
    assert set_parameter(peer, 'overlay_classes', ['sky', 'road']).successful
    # An overlay of a frame sent before may come late.
    before = message.header.stamp.nanosec
    peer.send_until(
        publisher,
        message,
        lambda: overlays and overlays[-1].header.stamp.nanosec > before,
    )
    expected = Segmenter.from_weights(tiny_weights)(picture()).labels
    painter = Painter(CAMVID, ('sky', 'road'), 1.0)
    np.testing.assert_array_equal(to_rgb(overlays[-1]), painter.overlay(picture(), expected))

    diagnostics = peer.listen('/diagnostics', DiagnosticArray)
    assert set_parameter(peer, 'diagnostics_period', 0.1).successful

    def every_tenth_of_a_second() -> bool:
        stamps = [d.header.stamp.sec + d.header.stamp.nanosec / 1e9 for d in diagnostics]
        # Before, five of them took four seconds; the machine may be busy at times.
        return any(b - a < 2 for a, b in zip(stamps, stamps[4:], strict=False))

    assert peer.spin_until(every_tenth_of_a_second)
    assert set_parameter(peer, 'max_rate', 2.0).successful
    labels.clear()
    start_s = time.monotonic()
    for _ in range(30):
        publisher.publish(message)
        peer.spin(0.1)
    assert peer.spin_until(lambda: labels)
    # Two a second, one more at the start, and one that was under way.
    assert len(labels) <= 2 * (time.monotonic() - start_s) + 2


def test_a_swap_of_weights_keeps_the_subscription(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights))
    labels = peer.listen('/segment_node/label')
    publisher = peer.publisher('image')
    message = camera_image(picture())
    peer.send_until(publisher, message, lambda: labels)
    copy = tmp_path / 'second.safetensors'
    copy.write_bytes(tiny_weights.read_bytes())
    assert set_parameter(peer, 'weights', copy).successful
    assert peer.spin_until(lambda: 'second.safetensors: spssn' in node.output)
    labels.clear()
    peer.send_until(publisher, message, lambda: labels)


def test_two_cameras_share_the_node(peer: Any, run_node: Any, tiny_weights: Path) -> None:
    run_node('segment_node', *ros_args(tiny_weights, 'cameras:=[front, rear]'))
    for name, seed in (('front', 1), ('rear', 2)):
        labels = peer.listen(f'/segment_node/{name}/label')
        rgb = picture(seed)
        message = camera_image(rgb, frame_id=name)
        peer.send_until(peer.publisher(f'{name}/image'), message, lambda heard=labels: heard)
        assert labels[0].header.frame_id == name
        expected = Segmenter.from_weights(tiny_weights)(rgb).labels
        np.testing.assert_array_equal(to_labels(labels[0]), expected)


def test_a_flooding_camera_starves_nobody_and_is_counted_apart(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    names = ['flood', 'left', 'rear', 'right']
    run_node('segment_node', *ros_args(tiny_weights, f'cameras:=[{", ".join(names)}]'))
    diagnostics = peer.listen('/diagnostics', DiagnosticArray)
    labels = {name: peer.listen(f'/segment_node/{name}/label') for name in names}
    publishers = {name: peer.publisher(f'{name}/image') for name in names}
    messages = {
        name: camera_image(picture(seed), frame_id=name) for seed, name in enumerate(names)
    }
    for name in names:
        peer.send_until(publishers[name], messages[name], lambda n=name: labels[n])

    def counts(camera: int) -> dict[str, int]:
        facts = values(diagnostics[-1], camera)
        return {key: int(facts[key]) for key in ('received', 'answered', 'dropped')}

    def settled() -> bool:
        if not diagnostics:
            return False
        found = [counts(camera) for camera in range(4)]
        return all(
            f['answered'] > 0 and f['received'] == f['answered'] + f['dropped'] for f in found
        )

    assert peer.spin_until(settled)
    before = counts(1)
    sent: dict[str, list[int]] = {name: [] for name in names}

    def send(name: str) -> None:
        messages[name].header.stamp.nanosec += 1
        sent[name].append(messages[name].header.stamp.nanosec)
        publishers[name].publish(messages[name])

    def answered(name: str) -> list[int]:
        """Return the stamps of answers to what was sent since."""
        stamps = [label.header.stamp.nanosec for label in labels[name]]
        return [stamp for stamp in stamps if sent[name] and stamp >= sent[name][0]]

    quiet = names[1:]
    for number in range(1, 21):
        for name in quiet:
            send(name)
        end = time.monotonic() + TIMEOUT_S
        # All the while the flood goes on, a frame a turn of the node's or more.
        while not all(len(answered(name)) >= number for name in names):
            assert time.monotonic() < end, {name: len(answered(name)) for name in names}
            send('flood')
            peer.spin(0.008)
    for name in quiet:
        assert answered(name) == sent[name]
    assert len(set(answered('flood'))) == len(answered('flood'))
    for seed, name in enumerate(names):
        expected = Segmenter.from_weights(tiny_weights)(picture(seed)).labels
        np.testing.assert_array_equal(to_labels(labels[name][-1]), expected)
        assert {label.header.frame_id for label in labels[name]} == {name}

    diagnostics.clear()
    assert peer.spin_until(lambda: settled() and counts(1)['received'] == before['received'] + 20)
    assert [status.name for status in diagnostics[-1].status] == [
        f'/segment_node: {name}' for name in names
    ]
    assert [status.hardware_id for status in diagnostics[-1].status] == [
        f'/{name}/image' for name in names
    ]
    assert counts(1)['dropped'] == before['dropped']
    facts = values(diagnostics[-1], 1)
    assert (facts['device'], facts['backend']) == ('cpu', 'openvino')
    assert facts['precision'] in ('bfloat16', 'float32')


def test_outputs_take_qos_overrides(peer: Any, run_node: Any, tiny_weights: Path) -> None:
    override = 'qos_overrides./segment_node/label.publisher.durability:=transient_local'
    run_node('segment_node', *ros_args(tiny_weights, override))
    labels = peer.listen('/segment_node/label')
    peer.send_until(peer.publisher('image'), camera_image(picture()), lambda: labels)
    late = peer.listen('/segment_node/label', latched=True)
    late.clear()
    assert peer.spin_until(lambda: late), 'the last label was not kept for a late subscriber'


def test_facts_and_camera_info_take_qos_overrides(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    facts, info = '/segment_node/label_info_json', '/camera_info'
    run_node(
        'segment_node',
        *ros_args(
            tiny_weights,
            f'qos_overrides.{facts}.publisher.durability:=volatile',
            f'qos_overrides.{info}.subscription.reliability:=reliable',
        ),
    )
    assert peer.spin_until(lambda: peer.node.count_publishers(facts))
    assert peer.spin_until(lambda: peer.node.count_subscribers(info))
    (publisher,) = peer.node.get_publishers_info_by_topic(facts)
    assert publisher.qos_profile.durability is DurabilityPolicy.VOLATILE
    (subscription,) = peer.node.get_subscriptions_info_by_topic(info)
    assert subscription.qos_profile.reliability is ReliabilityPolicy.RELIABLE


def test_a_qos_override_is_of_its_topic_alone(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    latched = 'publisher.durability:=transient_local'
    run_node(
        'segment_node',
        *ros_args(
            tiny_weights,
            'cameras:=[front, rear]',
            'qos_overrides./front/image.subscription.reliability:=reliable',
            f'qos_overrides./segment_node/front/label.{latched}',
            'qos_overrides./segment_node/front/label_info_json.publisher.durability:=volatile',
        ),
    )
    outputs = [f'{c}/{o}' for c in ('front', 'rear') for o in ('label', 'color', 'mask/sky')]
    outputs += ['front/label_info_json', 'rear/label_info_json']
    topics = [f'/segment_node/{output}' for output in outputs]
    assert peer.spin_until(lambda: all(map(peer.node.count_publishers, topics)))

    def profile(found: Any) -> Any:
        (one,) = found
        return one.qos_profile

    offered = {
        output: profile(peer.node.get_publishers_info_by_topic(topic)).durability
        for output, topic in zip(outputs, topics, strict=True)
    }
    kept = {o for o, durability in offered.items() if durability is not DurabilityPolicy.VOLATILE}
    assert kept == {'front/label', 'rear/label_info_json'}
    inputs = [
        f'/{camera}/{name}' for camera in ('front', 'rear') for name in ('image', 'camera_info')
    ]
    assert peer.spin_until(lambda: all(map(peer.node.count_subscribers, inputs)))
    requested = {
        topic: profile(peer.node.get_subscriptions_info_by_topic(topic)).reliability
        for topic in inputs
    }
    asked = {t for t, r in requested.items() if r is ReliabilityPolicy.RELIABLE}
    assert asked == {'/front/image'}


def test_compressed_transport(peer: Any, run_node: Any, tiny_weights: Path) -> None:
    run_node('segment_node', *ros_args(tiny_weights, 'transport:=compressed'))
    labels = peer.listen('/segment_node/label')
    rgb = picture(4)
    message = CompressedImage(format='png')
    message.data = cv2.imencode('.png', rgb[..., ::-1])[1].tobytes()
    peer.send_until(peer.publisher('image/compressed', CompressedImage), message, lambda: labels)
    expected = Segmenter.from_weights(tiny_weights)(rgb).labels
    np.testing.assert_array_equal(to_labels(labels[0]), expected)


@pytest.mark.parametrize('number', ENDING_SIGNALS)
def test_signals_end_it_with_status_0(
    peer: Any, run_node: Any, tiny_weights: Path, number: int
) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights))
    labels = peer.listen('/segment_node/label')
    peer.send_until(peer.publisher('image'), camera_image(picture()), lambda: labels)
    assert node.stop(number) == 0
    assert 'Traceback' not in node.output


def test_a_signal_ends_it_in_the_middle_of_a_frame(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    # At this size a frame takes about a second, so that the signal comes in the middle of one.
    node = run_node(
        'segment_node', *ros_args(tiny_weights, 'input_size:=4096x2048', 'backend:=torch')
    )
    labels = peer.listen('/segment_node/label')
    publisher = peer.publisher('image')
    message = camera_image(picture())
    peer.send_until(publisher, message, lambda: labels, 0.05)
    for _ in range(5):
        publisher.publish(message)
        peer.spin(0.05)
    assert node.stop(signal.SIGINT) == 0
    assert 'Traceback' not in node.output


@pytest.mark.parametrize(
    ('parameter', 'sentence'),
    [
        ('weights:=/nowhere.safetensors', "no weights file '/nowhere.safetensors'; give the path"),
        ('transport:=pigeon', "transport is 'pigeon'; give raw or compressed"),
        ('input_size:=huge', "input_size is 'huge'; give auto, native or WIDTHxHEIGHT"),
        ('overlay_alpha:=7.0', 'Min: 0.0, Max: 1.0, value: 7.0; give a value such as 0.5'),
        ('max_rate:=5', "'INTEGER', expecting type 'DOUBLE'; give a value such as 0.0"),
        ('output_size:=64', "expecting type 'STRING'; give a value such as 'input'"),
        (
            'qos_overrides./image.subscription.reliability:=wrong',
            '/image cannot be had with its qos_overrides: Unexpected QoS override for policy',
        ),
        (
            'qos_overrides./segment_node/mask/road.publisher.reliability:=wrong',
            '/segment_node/mask/road cannot be had with its qos_overrides: Unexpected QoS',
        ),
        (
            'qos_overrides./segment_node/label.publisher.depth:=99999999999',
            '/segment_node/label cannot be had with its qos_overrides: ',
        ),
    ],
)
def test_a_bad_parameter_at_the_start_ends_it_with_one_line(
    run_node: Any, tiny_weights: Path, parameter: str, sentence: str
) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights, parameter))
    assert node.wait() == 2
    assert sentence in node.output
    assert 'Traceback' not in node.output


def test_waiting_for_a_publisher_is_said_once(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights))
    assert peer.spin_until(lambda: 'nobody publishes /image' in node.output)
    peer.spin(2.5)
    assert node.output.count('nobody publishes /image') == 1
