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
"""Messages that no camera should send, among good ones, to a running `segment_node`."""

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from harness import (  # noqa: E402
    by_the_node,
    camera_image,
    picture,
    ros_args,
    set_parameter,
    values,
)
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from spssn_ros.imaging import decode_compressed, to_labels, to_rgb  # noqa: E402
from spssn_ros.inference import Segmenter  # noqa: E402

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

HUGE = 2**32 - 1
# With the network's training size of 96x64, all enter the network at that size.
SIZES = [(96, 64), (48, 32), (192, 128)]
Random = np.random.Generator
Change = Callable[[Any, Random], None]


def reliable(topic: str) -> list[str]:
    """Return parameters with which no message is lost on the way to the node."""
    override = f'qos_overrides./{topic}.subscription'
    return [f'{override}.reliability:=reliable', f'{override}.depth:=100']


def assign(**fields: Any) -> Change:
    def change(message: Any, rng: Random) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return change


def cut(message: Any, rng: Random) -> None:
    message.data = message.data[: int(rng.integers(message.step))]


def oversize(message: Any, rng: Random) -> None:
    message.width, message.height, message.step = 400, 300, 400
    message.encoding, message.data = 'mono8', bytes(400 * 300)


BAD_IMAGES: list[Change] = [
    assign(encoding=''),
    assign(encoding='RGB8'),
    assign(encoding='rgb 8'),
    assign(encoding='8UC7'),
    assign(encoding='\n\n' + 'x' * 10_000),
    assign(encoding='nv12', width=97),
    assign(encoding='bayer_rggb8', width=2, height=2),
    assign(width=0),
    assign(height=0),
    assign(width=HUGE),
    assign(height=HUGE),
    assign(width=HUGE, height=HUGE, step=HUGE),
    assign(width=2**31, height=2, step=0),
    assign(step=0),
    assign(step=HUGE),
    assign(step=10),
    assign(data=b''),
    cut,
    oversize,
]


def good_image(rng: Random) -> Image:
    """Return a usable image with a random size, encoding, padding, stamp and byte-order flag."""
    width, height = SIZES[rng.integers(len(SIZES))]
    rgb = picture(int(rng.integers(5)), width, height)
    encoding = str(rng.choice(['rgb8', 'bgr8', 'mono8', 'rgba8']))
    pixels = {
        'rgb8': rgb,
        'bgr8': rgb[..., ::-1],
        'mono8': rgb[..., :1],
        'rgba8': np.dstack([rgb, rgb[..., :1]]),
    }[encoding]
    rows = pixels.reshape(height, -1)
    padded = np.pad(rows, ((0, int(rng.integers(2))), (0, int(rng.integers(9)))))
    message = Image(width=width, height=height, encoding=encoding, step=padded.shape[1])
    message.is_bigendian = int(rng.integers(2))
    message.data = padded.tobytes()
    # Stamps of zero, and such as go back.
    message.header.stamp.sec = int(rng.integers(3))
    return message


def replace_bytes(message: Any, rng: Random) -> None:
    message.data = rng.bytes(len(message.data))


def claim_gigapixels(message: Any, rng: Random) -> None:
    data = bytearray(cv2.imencode('.png', picture())[1].tobytes())
    data[16:24] = (50_000).to_bytes(4, 'big') * 2
    message.data = bytes(data)


def keep_the_head(message: Any, rng: Random) -> None:
    message.data = message.data[: int(rng.integers(30))]


def damage_the_middle(message: Any, rng: Random) -> None:
    data = bytearray(message.data)
    if data[:2] == b'\xff\xd8':
        # Without simplejpeg only a cut one is known to be damaged.
        data[-2:-2] = rng.bytes(300).replace(b'\xff', b'\0')
        data = data if simplejpeg is not None else data[: len(data) // 2]
    else:
        data[len(data) // 2] ^= int(rng.integers(1, 256))
    message.data = bytes(data)


BAD_FILES: list[Change] = [
    damage_the_middle,
    assign(data=b''),
    assign(data=b'\xff\xd8\xff'),
    assign(data=b'\x89PNG\r\n\x1a\n', format='\n' * 5000),
    replace_bytes,
    claim_gigapixels,
    keep_the_head,
]


def good_file(rng: Random) -> CompressedImage:
    """Return a JPEG or PNG, whatever its format field says."""
    width, height = SIZES[rng.integers(len(SIZES))]
    suffix = str(rng.choice(['.jpg', '.png']))
    message = CompressedImage(format=str(rng.choice(['', 'jpeg', 'bgr8; png compressed '])))
    rgb = picture(int(rng.integers(5)), width, height)
    message.data = cv2.imencode(suffix, rgb[..., ::-1])[1].tobytes()
    return message


def hostile_info(rng: Random) -> CameraInfo:
    info = CameraInfo()
    info.width, info.height = (int(rng.choice([0, 1, 96, 640, HUGE])) for _ in range(2))
    info.k[0] = rng.choice([0.0, 1e308, np.nan, -np.inf])
    info.roi.x_offset = info.roi.width = int(rng.choice([0, 5, HUGE]))
    return info


@pytest.mark.parametrize(
    ('transport', 'topic', 'kind', 'good', 'read', 'bad', 'rounds', 'causes'),
    [
        ('raw', 'image', Image, good_image, to_rgb, BAD_IMAGES, 170, 7),
        (
            'compressed',
            'image/compressed',
            CompressedImage,
            good_file,
            lambda message: decode_compressed(message.data, message.format),
            BAD_FILES,
            90,
            4,
        ),
    ],
    ids=['raw', 'compressed'],
)
def test_good_frames_among_a_thousand_bad_ones_are_answered_and_the_bad_counted(
    peer: Any,
    run_node: Any,
    tiny_weights: Path,
    transport: str,
    topic: str,
    kind: Any,
    good: Callable[[Random], Any],
    read: Callable[[Any], Any],
    bad: list[Change],
    rounds: int,
    causes: int,
) -> None:
    options = ['diagnostics_period:=0.2', 'max_image_megapixels:=0.1', f'transport:={transport}']
    node = run_node('segment_node', *ros_args(tiny_weights, *options, *reliable(topic)))
    labels = peer.listen('/segment_node/label')
    infos = peer.listen('/segment_node/camera_info', CameraInfo)
    diagnostics = peer.listen('/diagnostics', DiagnosticArray)
    publisher = peer.publisher(topic, kind)
    info_publisher = peer.publisher('camera_info', CameraInfo)
    rng = np.random.default_rng(8)
    first = good(rng)
    peer.send_until(publisher, first, lambda: labels, 1.0)

    def count(key: str) -> int:
        return int(values(diagnostics[-1])[key]) if diagnostics else 0

    def all_done() -> bool:
        return 0 < count('received') == sum(map(count, ('answered', 'dropped', 'rejected')))

    # Whatever was sent while the node was compiling.
    peer.until_taken('/segment_node', [publisher], first.header.stamp.nanosec)
    diagnostics.clear()
    assert peer.spin_until(all_done)
    before = {key: count(key) for key in ('received', 'answered', 'dropped', 'rejected')}

    def new(key: str) -> int:
        return count(key) - before[key]

    segmenter = Segmenter.from_weights(tiny_weights)
    sent_bad, start = 0, time.monotonic()

    def send_bad() -> None:
        nonlocal sent_bad
        message = good(rng)
        bad[sent_bad % len(bad)](message, rng)
        publisher.publish(message)
        sent_bad += 1

    # Each kind is looked at once; later ones may be replaced by a newer one before their turn.
    for _ in bad:
        send_bad()
        assert peer.spin_until(lambda: new('rejected') == sent_bad)
    for number in range(rounds):
        for _ in range(int(rng.integers(1, 8))):
            send_bad()
            peer.spin(0.01)
        info_publisher.publish(hostile_info(rng))
        message = good(rng)
        message.header.frame_id = f'frame {number}'
        publisher.publish(message)
        assert peer.spin_until(
            lambda: labels and labels[-1].header == message.header  # noqa: B023
        ), (number, node.output[-2000:])
        answer = labels.pop()
        labels.clear()
        rgb = read(message)
        np.testing.assert_array_equal(to_labels(answer), segmenter(rgb).labels)

    assert peer.spin_until(lambda: new('answered') == rounds)
    assert peer.spin_until(lambda: new('received') == rounds + sent_bad)
    assert new('rejected') + new('dropped') == sent_bad
    assert infos
    minutes = 1 + (time.monotonic() - start) // 60
    told = Counter(
        re.sub(r"'.*?'|\d+", '', line.partition('so far): ')[2])
        for line in node.lines
        if 'frame rejected' in line
    )
    assert len(told) >= causes, told
    assert max(told.values()) <= minutes, 'each cause once, and again after a minute at most'
    unfit = [line for line in node.lines if 'camera_info is of images of' in line]
    assert 1 <= len(unfit) <= minutes
    # Nothing but the log: libraries keep what they think of damaged files to themselves.
    lines = by_the_node(node.output).splitlines()
    assert not [line for line in lines if not re.match(r'\[(INFO|WARN|ERROR)\]', line)]
    assert max(len(line) for line in node.lines) < 1000
    assert 'Traceback' not in node.output
    assert node.process.poll() is None


def test_the_size_limit_is_live(peer: Any, run_node: Any, tiny_weights: Path) -> None:
    node = run_node('segment_node', *ros_args(tiny_weights))
    labels = peer.listen('/segment_node/label')
    publisher = peer.publisher('image')
    message = camera_image(picture())
    peer.send_until(publisher, message, lambda: labels)
    assert set_parameter(peer, 'max_image_megapixels', 0.006).successful
    sentence = "image 96x64 'rgb8': more than the 0.006 megapixels that are allowed"
    peer.send_until(publisher, message, lambda: sentence in node.output)
    assert set_parameter(peer, 'max_image_megapixels', 0.0062).successful
    labels.clear()
    peer.send_until(publisher, message, lambda: labels)
