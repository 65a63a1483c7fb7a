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
"""A frame's way through the node: message, array, labels, outputs."""

import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.imaging import (
    Painter,
    decode_compressed,
    drop_uncertain,
    resize_labels,
    to_rgb,
)
from spssn_ros.inference import Segmenter
from spssn_ros.inference.config import Size
from spssn_ros.nodes.camera import Camera
from spssn_ros.nodes.parameters import Settings, Transport

WORK_STAGES = ('decode', 'network', 'publish')
"""What the inference thread does with a frame, one after the other; timed by these names."""


@dataclass(frozen=True)
class Frame:
    """A camera message on its way.

    Attributes:
        message: sensor_msgs Image or CompressedImage.
        received_s: monotonic time of its arrival.

    """

    message: Any
    received_s: float


@dataclass(frozen=True)
class Pipeline:
    """Everything one frame needs, swapped as a whole when a parameter changes.

    Attributes:
        segmenter: the network.
        settings: the parameters in force.
        painter: colours, as the settings ask.

    """

    segmenter: Segmenter
    settings: Settings
    painter: Painter

    @classmethod
    def build(cls, segmenter: Segmenter, settings: Settings) -> 'Pipeline':
        """Put a network and settings together.

        Raises:
            ConfigError: the settings name a class that the network has not.

        """
        settings.check_classes(segmenter.label_set)
        painter = Painter(segmenter.label_set, settings.overlay_classes, settings.overlay_alpha)
        return cls(segmenter, settings, painter)

    def mask_names(self) -> tuple[str, ...]:
        """The classes that get a mask topic."""
        return self.settings.mask_classes or self.segmenter.label_set.names

    def run(self, camera: Camera, frame: Frame) -> bool:
        """Segment a frame and publish what is wanted; return False if nobody wanted anything.

        Raises:
            BadImageError: the frame cannot be used.

        """
        wanted = camera.wanted()
        if not wanted:
            return False
        stages = camera.statistics.stages
        clock = _StopWatch()
        stages.add('wait', (clock.start_s - frame.received_s) * 1e3)
        rgb = self._decode(frame.message)
        camera.frame_size = (rgb.shape[1], rgb.shape[0])
        stages.add('decode', clock.lap_ms())
        threshold = self.settings.confidence_threshold
        result = self.segmenter(rgb, 'confidence' in wanted or threshold > 0)
        stages.add('network', clock.lap_ms())
        labels, confidence = result.labels, result.confidence
        if threshold > 0 and confidence is not None:
            labels = drop_uncertain(labels, confidence, threshold)
        size = self._output_size(camera.frame_size)
        labels = resize_labels(labels, size)
        if confidence is not None:
            confidence = resize_labels(confidence, size)
        if 'overlay' in wanted and camera.frame_size != size:
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        camera.publish(
            wanted,
            frame.message.header,
            rgb,
            labels,
            confidence,
            self.painter,
            self.segmenter.label_set.names,
        )
        stages.add('publish', clock.lap_ms())
        stages.add('total', (time.monotonic() - frame.received_s) * 1e3)
        return True

    def _decode(self, message: Any) -> NDArray[np.uint8]:
        limit = self.settings.max_pixels
        if self.settings.transport is Transport.COMPRESSED:
            return decode_compressed(message.data, message.format, limit)
        return to_rgb(message, limit)

    def _output_size(self, frame: Size) -> Size:
        if self.settings.output_network:
            return self.segmenter.input_size_for(frame)
        return self.settings.output_size or frame


class _StopWatch:
    def __init__(self) -> None:
        self.start_s = self._lap_s = time.monotonic()

    def lap_ms(self) -> float:
        """Return the milliseconds since the last lap."""
        now = time.monotonic()
        lap_ms = (now - self._lap_s) * 1e3
        self._lap_s = now
        return lap_ms
