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
"""Runs a node in a process of its own and talks to it over DDS, for the tests."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from spssn_ros.nodes.messages import image_message

# A busy machine takes half a minute to load and compile even a tiny network.
TIMEOUT_S = 120.0
# Of this process's tests: the conftest above has chosen it.
DOMAIN = int(os.environ['ROS_DOMAIN_ID'])
# Who starts tests by nohup has all processes ignore the last one.
ENDING_SIGNALS = [
    number
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if number != signal.SIGHUP or signal.getsignal(number) is signal.SIG_DFL
]
REPOSITORY = Path(__file__).resolve().parents[2]


def environment(in_process: bool = False) -> dict[str, str]:
    """Return an environment in which only this test process's nodes meet, and use no GPU.

    Nodes within this process get a domain apart: rclpy keeps the lifecycle services of a destroyed
    node until it is garbage, and they would swallow requests meant for another process's node.
    """
    return os.environ | {
        'ROS_DOMAIN_ID': str(DOMAIN + 1 if in_process else DOMAIN),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONPATH': os.pathsep.join([str(REPOSITORY), os.environ.get('PYTHONPATH', '')]),
        'PYTHONUNBUFFERED': '1',
        'CUDA_VISIBLE_DEVICES': '',
    }


class RunningNode:
    """A node module in a process; its output is kept."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, '-m', 'spssn_ros.nodes.start', module, *arguments]
        self.process = subprocess.Popen(
            command,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A process group, so that what it leaves behind can be told.
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return ''.join(self.lines)

    def says(self, text: str) -> bool:
        """Wait until the node has said so: its lines come later than its messages may."""
        end = time.monotonic() + TIMEOUT_S
        while text not in self.output:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal, unless the process has ended; return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        try:
            status = self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(TIMEOUT_S)
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)


def by_the_node(text: str) -> str:
    """Leave out what Fast DDS says of shared memory that it has to share with other processes.

    It opens some files whatever the domain is, and complains where another one is just at it.
    """
    lines = text.splitlines(keepends=True)
    return ''.join(line for line in lines if 'RTPS_TRANSPORT_SHM' not in line)


def run_script(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script that starts nodes; none of them outlives a test that is given up."""
    process = subprocess.Popen(
        [sys.executable, str(script), *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(process.args, process.returncode, output)


class Peer:
    """The test's own node: publishes images and keeps what it hears."""

    def __init__(self) -> None:
        os.environ.update(
            {k: v for k, v in environment().items() if k.startswith('ROS_') and v is not None}
        )
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node('peer', context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = {}
        self.clients: dict[str, Any] = {}

    def close(self) -> None:
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def listen(self, topic: str, kind: Any = Image, latched: bool = False) -> list[Any]:
        heard = self.heard.setdefault(topic, [])
        qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
        if latched:
            qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def publisher(self, topic: str, kind: Any = Image) -> Any:
        return self.node.create_publisher(kind, topic, 10)

    def spin_until(self, condition: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> bool:
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                return False
            self.executor.spin_once(timeout_sec=0.02)
        return True

    def spin(self, seconds: float) -> None:
        self.spin_until(lambda: False, seconds)

    def call(self, kind: Any, service: str, request: Any) -> Any:
        # One for all calls: a server under load gives no answer to a client that it knows not yet.
        if service not in self.clients:
            self.clients[service] = self.node.create_client(kind, service)
        client = self.clients[service]
        assert self.spin_until(client.service_is_ready), f'{service} is not there'
        future = client.call_async(request)
        assert self.spin_until(future.done), f'{service} did not answer'
        return future.result()

    def until_taken(self, node: str, publishers: Iterable[Any], most: int) -> None:
        """Wait until a node has taken what was published: at most so many messages of a topic.

        To have them acknowledged is not enough: that only means that they wait for the node.
        """
        for publisher in publishers:
            assert publisher.wait_for_all_acked(Duration(seconds=TIMEOUT_S))
        for _ in range(most + 1):
            # Before an executor answers, it takes what comes first: one message of each topic.
            self.call(GetParameters, f'{node}/get_parameters', GetParameters.Request())

    def send_until(
        self, publisher: Any, message: Any, condition: Callable[[], Any], period_s: float = 0.2
    ) -> None:
        """Publish again and again, stamps counting up, until the condition holds."""
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end, {k: len(v) for k, v in self.heard.items()}
            message.header.stamp.nanosec += 1
            publisher.publish(message)
            self.spin_until(condition, period_s)


def ros_args(weights: Path, *more: str) -> list[str]:
    """Return the command line that gives these weights and further parameters."""
    parameters = [f'weights:={weights}', *more]
    return ['--ros-args', *(word for p in parameters for word in ('-p', p))]


def set_parameter(peer: Peer, name: str, value: object) -> Any:
    if isinstance(value, float):
        typed = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    elif isinstance(value, list):
        typed = ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=value)
    else:
        typed = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=str(value))
    request = SetParameters.Request(parameters=[Parameter(name=name, value=typed)])
    return peer.call(SetParameters, '/segment_node/set_parameters', request).results[0]


def values(array: DiagnosticArray, camera: int = 0) -> dict[str, str]:
    """Return a camera's diagnostics by key."""
    return {pair.key: pair.value for pair in array.status[camera].values}


def picture(seed: int = 0, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Return a smooth random (height, width, 3) uint8 RGB picture."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


def camera_image(rgb: NDArray[np.uint8], sec: int = 5, frame_id: str = 'front_camera') -> Image:
    """Return an rgb8 message."""
    message = image_message(Image().header, rgb)
    message.header.stamp.sec = sec
    message.header.frame_id = frame_id
    return message
