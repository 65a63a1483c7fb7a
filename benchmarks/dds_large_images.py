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
"""Do camera images arrive? A publisher and a subscriber process, with and without the profile.

    python benchmarks/dds_large_images.py [--size 2048x1024] [--frames 100] [--rate 30]

Prints how many best-effort bgr8 images arrived and how long each took from before the publisher
fills its message to the subscriber's callback.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import Any

from spssn_ros.nodes.dds import USER_VARIABLES, large_image_environment

DISCOVERY_TIMEOUT_S = 15.0
# The subscriber gives up when nothing has come for so long after the first wait.
SILENCE_S = 3.0
TOPIC = 'dds_benchmark/image'


def publish(width: int, height: int, frames: int, rate_hz: float) -> dict[str, Any]:
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node('dds_benchmark_publisher')
    publisher = node.create_publisher(Image, TOPIC, qos_profile_sensor_data)
    deadline = time.monotonic() + DISCOVERY_TIMEOUT_S
    while publisher.get_subscription_count() == 0:
        if time.monotonic() > deadline:
            raise SystemExit(f'no subscriber found within {DISCOVERY_TIMEOUT_S:.0f} s')
        time.sleep(0.05)
    time.sleep(0.5)  # the subscriber may find this side a little later
    pixels = memoryview(bytes(width * height * 3))
    start = time.monotonic()
    for index in range(frames):
        time.sleep(max(0.0, start + index / rate_hz - time.monotonic()))
        message = Image(height=height, width=width, encoding='bgr8', step=3 * width)
        message.header.frame_id = str(time.monotonic_ns())
        data = array('B')
        data.frombytes(pixels)
        message.data = data
        publisher.publish(message)
    time.sleep(1.0)  # the last image is still on its way
    rclpy.shutdown()
    return {'published': frames, 'seconds': time.monotonic() - start - 1.0}


def subscribe(width: int, height: int, frames: int) -> dict[str, Any]:
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image

    latencies_ms: list[float] = []

    def receive(message: Any) -> None:
        latencies_ms.append((time.monotonic_ns() - int(message.header.frame_id)) / 1e6)
        if (message.width, message.height, len(message.data)) != (
            width,
            height,
            3 * width * height,
        ):
            raise SystemExit(f'received a {message.width}x{message.height} image, not whole')

    rclpy.init()
    node = rclpy.create_node('dds_benchmark_subscriber')
    node.create_subscription(Image, TOPIC, receive, qos_profile_sensor_data)
    deadline = time.monotonic() + DISCOVERY_TIMEOUT_S
    while len(latencies_ms) < frames and time.monotonic() < deadline:
        before = len(latencies_ms)
        rclpy.spin_once(node, timeout_sec=0.2)
        if len(latencies_ms) > before:
            deadline = time.monotonic() + SILENCE_S
        elif node.count_publishers(TOPIC) == 0 and latencies_ms:
            break
    rclpy.shutdown()
    return {'received': len(latencies_ms), 'latencies_ms': sorted(latencies_ms)}


def measure(variables: dict[str, str], arguments: argparse.Namespace) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if key not in USER_VARIABLES}
    environment |= {
        'ROS_DOMAIN_ID': str(arguments.domain),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        **variables,
    }
    command = [sys.executable, __file__, '--size', arguments.size, '--frames']
    command += [str(arguments.frames), '--rate', str(arguments.rate), '--role']
    children = [
        subprocess.Popen([*command, role], env=environment, stdout=subprocess.PIPE, text=True)
        for role in ('subscribe', 'publish')
    ]
    result: dict[str, Any] = {}
    for child in children:
        output, _ = child.communicate(timeout=60 + 2 * arguments.frames / arguments.rate)
        if child.returncode:
            raise SystemExit(f'{child.args!r} ended with {child.returncode}')
        result |= json.loads(output)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--size', default='2048x1024', metavar='WxH', help='image size')
    parser.add_argument('--frames', type=int, default=100)
    parser.add_argument('--rate', type=float, default=30.0, help='images per second')
    parser.add_argument('--domain', type=int, default=87, help='ROS_DOMAIN_ID to use')
    parser.add_argument('--profile', type=Path, help='profile to compare (default: the shipped)')
    parser.add_argument('--role', choices=('publish', 'subscribe'), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    width, height = (int(value) for value in arguments.size.split('x'))
    if arguments.role == 'publish':
        print(json.dumps(publish(width, height, arguments.frames, arguments.rate)))
        return
    if arguments.role == 'subscribe':
        print(json.dumps(subscribe(width, height, arguments.frames)))
        return

    print(f'{arguments.frames} {arguments.size} bgr8 images, {arguments.rate:g} Hz, best effort')
    print(f'{"Fast DDS set-up":<24}{"published":>10}{"received":>10}{"p50 ms":>10}{"p99 ms":>10}')
    setups = {
        'default': {},
        'large-image profile': large_image_environment(arguments.profile, {}),
    }
    for name, variables in setups.items():
        result = measure(variables, arguments)
        latencies = result['latencies_ms']
        quantiles = [
            f'{latencies[min(len(latencies) - 1, int(share * len(latencies)))]:.1f}'
            if latencies
            else '-'
            for share in (0.5, 0.99)
        ]
        counts = f'{result["published"]:>10}{result["received"]:>10}'
        print(f'{name:<24}{counts}{quantiles[0]:>10}{quantiles[1]:>10}', flush=True)


if __name__ == '__main__':
    main()
