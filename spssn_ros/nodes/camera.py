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
"""One camera of `segment_node`: its subscriptions, its publishers, its counts."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from spssn_ros.imaging import Painter, class_mask
from spssn_ros.inference.config import Size
from spssn_ros.models import WeightsInfo
from spssn_ros.nodes import qos
from spssn_ros.nodes.camera_statistics import CameraStatistics
from spssn_ros.nodes.demand import Demand, SubscriptionEventCallbacks
from spssn_ros.nodes.messages import (
    LABEL_INFO_TYPE,
    fits,
    image_message,
    label_info,
    label_info_json,
    scaled_camera_info,
)
from spssn_ros.nodes.parameters import Transport
from spssn_ros.runtime import Causes

IMAGE_OUTPUTS = ('label', 'color', 'overlay', 'confidence')
INFO_OUTPUT = 'camera_info'


class Camera:
    """One camera's topics.

    Args:
        node: the node that owns them.
        name: '' for the single nameless camera, else the prefix of its topics.
        transport: raw or compressed images.
        on_image: called with (camera, message) for every frame.
        on_mismatch: called with a topic on which the QoS of somebody does not match.

    Attributes:
        name: as given.
        remappable: the camera topic's name before remapping.
        info_remappable: likewise of the CameraInfo that comes and, under ~/, of that which goes.

    """

    def __init__(
        self,
        node: LifecycleNode,
        name: str,
        transport: Transport,
        on_image: Callable[['Camera', Any], None],
        on_mismatch: Callable[[str], None],
    ) -> None:
        self.name = name
        self.statistics = CameraStatistics()
        self.causes = Causes()
        self.info: CameraInfo | None = None
        # Of the latest frame, (width, height).
        self.frame_size: Size = (0, 0)
        self.next_frame_at = float('-inf')
        self._node = node
        self._prefix = f'{name}/' if name else ''
        compressed = transport is Transport.COMPRESSED
        self.remappable = f'{self._prefix}image' + ('/compressed' if compressed else '')
        self.subscription = qos.subscription(
            node,
            CompressedImage if compressed else Image,
            self.remappable,
            lambda message: on_image(self, message),
            qos.INPUT,
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=lambda event: on_mismatch(self.topic),
                use_default_callbacks=False,
            ),
        )
        self.info_remappable = f'{self._prefix}camera_info'
        self._info_subscription = qos.subscription(
            node, CameraInfo, self.info_remappable, self._on_info, qos.INPUT
        )
        self._demand = Demand(node, on_mismatch)
        self._images = {output: self._publisher(Image, output) for output in IMAGE_OUTPUTS}
        self._masks: dict[str, Publisher] = {}
        self._mask_topics: dict[str, str] = {}
        self._info_out = self._publisher(CameraInfo, INFO_OUTPUT)
        self._latched: list[Publisher] = []
        self._sending_s = 0.0

    @property
    def topic(self) -> str:
        """The camera topic's full name."""
        return str(self.subscription.topic_name)

    @property
    def info_topic(self) -> str:
        """The full name of the topic from which CameraInfo comes."""
        return str(self._info_subscription.topic_name)

    def announce(self, info: WeightsInfo, weights: str, threshold: float) -> None:
        """Publish, latched, what the label ids mean."""
        if not self._latched:
            kinds = [(String, 'label_info_json')]
            if LABEL_INFO_TYPE is not None:
                kinds.append((LABEL_INFO_TYPE, 'label_info'))
            self._latched = [
                qos.publisher(self._node, kind, f'~/{self._prefix}{topic}', qos.LATCHED)
                for kind, topic in kinds
            ]
        self._latched[0].publish(label_info_json(info, weights, threshold))
        if len(self._latched) > 1:
            header = Header(stamp=self._node.get_clock().now().to_msg())
            self._latched[1].publish(label_info(info, header, threshold))

    def set_masks(self, names: Iterable[str], class_names: Sequence[str]) -> None:
        """Have one mask topic for each of the classes named, out of all classes."""
        topics = mask_topics(class_names)
        wanted = {name: topics[name] for name in names}
        for name in [
            name for name, topic in self._mask_topics.items() if wanted.get(name) != topic
        ]:
            del self._masks[name], self._mask_topics[name]
            self._node.destroy_publisher(self._demand.forget(f'mask/{name}'))
        for name, topic in wanted.items():
            if name not in self._masks:
                self._masks[name] = self._publisher(Image, f'mask/{name}', f'mask/{topic}')
                self._mask_topics[name] = topic

    def wanted(self) -> frozenset[str]:
        """Return the outputs somebody subscribes to: label, ..., camera_info, mask/<class>."""
        return self._demand.wanted()

    def outputs(self) -> frozenset[str]:
        """Return the outputs to make of a frame: the wanted ones that there is something for."""
        wanted = self.wanted()
        return wanted if self.info is not None else wanted - {INFO_OUTPUT}

    def look_for_mismatches(self) -> None:
        """Find subscribers whose QoS does not match; to be called about once a second."""
        self._demand.look()

    def publish(
        self,
        wanted: frozenset[str],
        header: Header,
        rgb: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        confidence: NDArray[np.uint8] | None,
        painter: Painter,
        class_names: tuple[str, ...],
    ) -> float:
        """Compute and publish the wanted images, all under the camera image's header.

        Args:
            wanted: as `outputs` returned.
            header: of the camera image, unchanged.
            rgb: (H, W, 3) uint8, the camera image at the outputs' size.
            labels: (H, W) uint8.
            confidence: (H, W) uint8, or None.
            painter: looks colours up.
            class_names: by class id.

        Returns:
            How long the middleware took them, in milliseconds.

        """
        start_s = self._sending_s
        # The label goes first: whatever else is wanted, a planner waits for it.
        if 'label' in wanted:
            self._send(self._images['label'], image_message(header, labels))
        if 'confidence' in wanted and confidence is not None:
            self._send(self._images['confidence'], image_message(header, confidence))
        for output in wanted:
            publisher = self._masks.get(output.removeprefix('mask/'))
            if output.startswith('mask/') and publisher is not None:
                mask = class_mask(labels, class_names.index(output.removeprefix('mask/')))
                self._send(publisher, image_message(header, mask))
        if 'color' in wanted:
            self._send(self._images['color'], image_message(header, painter.color(labels)))
        if 'overlay' in wanted:
            overlay = painter.overlay(rgb, labels)
            self._send(self._images['overlay'], image_message(header, overlay))
        return (self._sending_s - start_s) * 1e3

    def publish_info(self, header: Header, size: Size) -> float:
        """Pass the CameraInfo on, under the camera image's header.

        Args:
            header: of the camera image, unchanged.
            size: (width, height) of the outputs.

        Returns:
            How long the middleware took it, in milliseconds.

        """
        assert self.info is not None
        start_s = self._sending_s
        self._check_info(self.info)
        self._send(self._info_out, scaled_camera_info(self.info, header, self.frame_size, size))
        return (self._sending_s - start_s) * 1e3

    def _send(self, publisher: Publisher, message: Any) -> None:
        start_s = time.monotonic()
        publisher.publish(message)
        self._sending_s += time.monotonic() - start_s

    def due(self, max_rate: float) -> bool:
        """Whether a frame that comes now is within `max_rate`, and if so, count it."""
        now = time.monotonic()
        if max_rate <= 0:
            return True
        period_s = 1 / max_rate
        # Never more than a period from now: the rate may have been raised since.
        frame_at = self.next_frame_at = min(self.next_frame_at, now + period_s)
        # A tenth of a period's grace: a camera at just this rate jitters around it.
        if now < frame_at - 0.1 * period_s:
            return False
        # In step with the frames before, unless they have paused.
        self.next_frame_at = (frame_at if now < frame_at + period_s else now) + period_s
        return True

    def _check_info(self, info: CameraInfo) -> None:
        if fits(info, self.frame_size):
            return
        topic = self.info_topic
        width, height = self.frame_size
        text = (
            f'{topic} is of images of {info.width}x{info.height}, binning {info.binning_x}x'
            f'{info.binning_y}, region {info.roi.width}x{info.roi.height}, but those on '
            f'{self.topic} have {width}x{height}; it is relayed as if of the whole image. '
            'Calibrate the camera at the size it sends'
        )
        if self.causes.due(text):
            self._node.get_logger().warning(text)

    def _on_info(self, message: CameraInfo) -> None:
        self.info = message

    def _publisher(self, kind: type, output: str, topic: str = '') -> Publisher:
        def create(events: Any) -> Publisher:
            name = f'~/{self._prefix}{topic or output}'
            return qos.publisher(self._node, kind, name, qos.OUTPUT, event_callbacks=events)

        # There is a mask a class, too many to have the executor watch each.
        return self._demand.create(output, not topic, create)


def mask_topics(class_names: Sequence[str]) -> dict[str, str]:
    """Return the last part of every class's mask topic.

    That is the class's name with what ROS forbids as _; its id ends it where nothing else is left
    of it, as of a name in Chinese, or where another class would have the same.
    """
    topics = [_allowed(name) for name in class_names]
    return {
        name: topic
        if topic.strip('_') and topics.count(topic) == 1
        else f'{topic.rstrip("_")}_{number}'
        for number, (name, topic) in enumerate(zip(class_names, topics, strict=True))
    }


def _allowed(class_name: str) -> str:
    topic = ''.join(c if c.isascii() and (c.isalnum() or c == '_') else '_' for c in class_name)
    return f'_{topic}' if topic[:1].isdigit() else topic
