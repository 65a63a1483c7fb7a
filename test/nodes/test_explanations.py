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
"""What `segment_node` says when it is silent, and when it is slow."""

import time
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import TIMEOUT_S, camera_image, picture, ros_args, set_parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from spssn_ros.nodes.explain import SILENT_S  # noqa: E402

BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
TRANSIENT_LOCAL = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


def test_every_cause_of_silence_is_said_once(peer: Any, run_node: Any, tiny_weights: Path) -> None:
    elsewhere = peer.publisher('other/image')
    node = run_node(
        'segment_node',
        *ros_args(tiny_weights, 'qos_overrides./image.subscription.reliability:=reliable'),
    )

    def says(text: str) -> bool:
        return bool(peer.spin_until(lambda: text in node.output))

    assert says('nobody publishes /image (images are on /other/image (Image))')

    wrong_type = peer.publisher('image', CompressedImage)
    assert says(
        '/image is published as sensor_msgs/msg/CompressedImage, but the node reads '
        'sensor_msgs/msg/Image; remap to another topic, or set transport'
    )
    peer.node.destroy_publisher(wrong_type)

    # From now on there is always a publisher: on a slow machine a gap would be told as one.
    best_effort = peer.node.create_publisher(Image, 'image', BEST_EFFORT)
    assert says(
        'incompatible QoS on /image: /peer offers best effort, volatile, but /segment_node '
        'requests reliable, volatile, so that no message passes'
    )
    # Neither of these is what is amiss, or to be mended, now.
    peer.spin(SILENT_S + 3)
    assert 'no image has come' not in node.output
    assert 'idle: ' not in node.output
    publisher = peer.publisher('image')
    peer.node.destroy_publisher(best_effort)

    strict = peer.node.create_subscription(
        Image, '/segment_node/label', lambda message: None, TRANSIENT_LOCAL
    )
    assert says(
        'incompatible QoS on /segment_node/label: /segment_node offers reliable, volatile, but '
        '/peer requests reliable, transient local'
    )
    peer.node.destroy_subscription(strict)
    strict = peer.node.create_subscription(
        Image, '/segment_node/mask/road', lambda message: None, TRANSIENT_LOCAL
    )
    assert says('incompatible QoS on /segment_node/mask/road: /segment_node offers reliable, ')
    peer.node.destroy_subscription(strict)

    assert says('/image is published, but no image has come for 5 s: is the camera running?')

    message = camera_image(picture(), sec=0)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        publisher.publish(message)
        peer.spin(0.1)
        if 'idle: ' in node.output and 'have no stamp' in node.output:
            break
    assert 'idle: /image is published, but nobody subscribes to an output' in node.output
    assert '/image: the images have no stamp (header.stamp is zero)' in node.output
    for text in ('nobody publishes', 'is published as', 'incompatible QoS on /image', 'no stamp'):
        assert node.output.count(text) == 1, text
    peer.node.destroy_publisher(elsewhere)


def test_a_camera_info_that_does_not_come_is_told(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    node = run_node(
        'segment_node',
        *ros_args(tiny_weights, 'cameras:=[front,rear]'),
        '-r',
        'front/camera_info:=/eye/info',
    )
    infos = {
        name: peer.listen(f'/segment_node/{name}/camera_info', CameraInfo)
        for name in ('front', 'rear')
    }
    cameras = [peer.publisher(f'{name}/image') for name in infos]
    known = peer.publisher('rear/camera_info', CameraInfo)
    message = camera_image(picture())
    deadline = time.monotonic() + TIMEOUT_S
    while 'no CameraInfo' not in node.output and time.monotonic() < deadline:
        for camera in cameras:
            camera.publish(message)
        known.publish(CameraInfo())
        peer.spin(0.1)
    assert (
        '~/front/camera_info has a subscriber, but nothing to send: no CameraInfo has come on '
        '/eye/info; remap (--ros-args -r front/camera_info:=/your/camera_info)'
    ) in node.output
    assert node.output.count('no CameraInfo') == 1
    assert infos['rear']
    assert not infos['front']


def test_drops_are_told_with_their_share_and_cause(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    # A frame of this size takes much longer than the time between two of them.
    node = run_node(
        'segment_node', *ros_args(tiny_weights, 'input_size:=native', 'backend:=torch')
    )
    peer.listen('/segment_node/overlay')
    publisher = peer.publisher('image')
    message = camera_image(picture(0, 960, 720))
    peer.send_until(publisher, message, lambda: '% of the frames' in node.output, 0.01)
    line = next(line for line in node.lines if '% of the frames' in line)
    assert 'are replaced by newer ones before their turn, because a frame takes' in line
    assert 'set max_rate, or give a smaller input_size or lighter weights' in line


def test_an_absent_gpu_is_told_and_the_cpu_taken(
    peer: Any, run_node: Any, tiny_weights: Path
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip('this machine has a CUDA GPU')
    node = run_node('segment_node', *ros_args(tiny_weights, 'device:=cuda'))
    labels = peer.listen('/segment_node/label')
    peer.send_until(peer.publisher('image'), camera_image(picture()), lambda: labels)
    assert node.says("device is 'cuda' but torch sees no CUDA GPU")
    assert node.says('running on the CPU instead')
    for alpha in (0.1, 0.2, 0.3):
        assert set_parameter(peer, 'overlay_alpha', alpha).successful
    assert peer.spin_until(lambda: 'overlay_alpha: 0.2 -> 0.3' in node.output)
    assert node.output.count('torch sees no CUDA GPU') == 1


@pytest.mark.parametrize(
    ('parameters', 'remapping'),
    [
        (['transport:=compressed'], 'image/compressed'),
        (['cameras:=[front]'], 'front/image'),
    ],
)
def test_the_hint_to_remap_names_what_is_subscribed(
    peer: Any, run_node: Any, tiny_weights: Path, parameters: list[str], remapping: str
) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights, *parameters))
    hint = (
        f'nobody publishes /{remapping}; start the camera, or remap (--ros-args -r {remapping}:='
    )
    assert peer.spin_until(lambda: hint in node.output), node.output
