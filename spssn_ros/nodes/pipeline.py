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
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import GpuMemoryError, without_frames
from spssn_ros.imaging import (
    Painter,
    decode_compressed,
    drop_uncertain,
    resize_labels,
    to_rgb,
)
from spssn_ros.inference import Segmentation, Segmenter
from spssn_ros.inference.config import Size
from spssn_ros.models import weights_version
from spssn_ros.nodes.camera import INFO_OUTPUT, Camera
from spssn_ros.nodes.parameters import Settings, Transport

WORK_STAGES = ('decode', 'network', 'post', 'encode', 'publish')
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

    def same_size(self, other: 'Frame') -> bool:
        """Whether another one may go through the network together with this one.

        Of two compressed images it says yes: their sizes show only when they are decoded.
        """
        sizes = [
            (getattr(frame.message, 'width', 0), getattr(frame.message, 'height', 0))
            for frame in (self, other)
        ]
        return sizes[0] == sizes[1]


@dataclass(frozen=True)
class Pipeline:
    """Everything one frame needs, swapped as a whole when a parameter changes.

    Attributes:
        segmenter: the network.
        settings: the parameters in force.
        painter: colours, as the settings ask.
        version: of the weights' file; see `weights_version`.

    """

    segmenter: Segmenter
    settings: Settings
    painter: Painter
    version: tuple[int, ...] = ()

    @classmethod
    def build(
        cls, segmenter: Segmenter, settings: Settings, version: tuple[int, ...] = ()
    ) -> 'Pipeline':
        """Put a network and settings together.

        Raises:
            ConfigError: the settings name a class that the network has not.

        """
        settings.check_classes(segmenter.label_set)
        painter = Painter(segmenter.label_set, settings.overlay_classes, settings.overlay_alpha)
        return cls(segmenter, settings, painter, version)

    def with_settings(self, settings: Settings) -> 'Pipeline':
        """Return the same network under other settings.

        Raises:
            ConfigError: as `build`.

        """
        return Pipeline.build(self.segmenter, settings, self.version)

    def runs(self, settings: Settings) -> bool:
        """Whether the network is the one that the settings ask for, and runs where they ask.

        It is not where the file of its name has changed, nor where a GPU had no memory for it.

        Raises:
            WeightsError: there are no such weights.

        """
        config = replace(self.segmenter.config, input_size=settings.inference.input_size)
        return (
            weights_version(settings.weights) == self.version
            and settings.weights == self.settings.weights
            and config == settings.inference
        )

    @property
    def description(self) -> str:
        """The network and what runs it, for the log."""
        info = self.segmenter.info
        return (
            f'{self.settings.weights}: {info.model}, {len(info.label_set)} classes, '
            f'{self.segmenter.description}'
        )

    def prepare(self, cameras: Iterable[Camera]) -> None:
        """Bring the cameras' topics, and then the network, in line with the settings.

        Raises:
            ConfigError: a topic cannot be made.

        """
        settings = self.settings
        class_names = self.segmenter.label_set.names
        for camera in cameras:
            camera.set_masks(settings.mask_classes or class_names, class_names)
            camera.announce(self.segmenter.info, settings.weights, settings.confidence_threshold)
        self.segmenter.set_input_size(settings.inference.input_size)

    def run(
        self,
        frames: Sequence[tuple[Camera, Frame]],
        passing: Callable[[], AbstractContextManager[bool]],
    ) -> list[bool | Exception]:
        """Segment frames, those of one size at once, and publish what is wanted.

        Where that is the CameraInfo alone, the network does not run.

        Args:
            frames: each with its camera.
            passing: entered to publish a frame; where it gives False, the frame is dropped.

        Returns:
            Of each frame whether anything of it was published, or why it could not be used.

        Raises:
            GpuMemoryError: before anything was published.

        """
        outcomes: list[bool | Exception] = [False] * len(frames)
        by_shape: dict[tuple[int, ...], list[_Job]] = {}
        answered: list[tuple[_Job, Segmentation | Exception | None]] = []
        for number, (camera, frame) in enumerate(frames):
            wanted = camera.outputs()
            if not wanted:
                continue
            try:
                job = _Job(number, camera, frame, wanted, *self._decode(camera, frame))
            except Exception as error:
                outcomes[number] = without_frames(error)
                continue
            if wanted == {INFO_OUTPUT}:
                answered.append((job, None))
            else:
                by_shape.setdefault(job.rgb.shape, []).append(job)
        for jobs in by_shape.values():
            answered += zip(jobs, self._segment(jobs), strict=True)
        for job, result in answered:
            try:
                if isinstance(result, Exception):
                    raise result
                with passing() as may_pass:
                    if may_pass:
                        self._publish(job, result)
                        outcomes[job.number] = True
            except Exception as error:
                outcomes[job.number] = without_frames(error)
        return outcomes

    def _decode(self, camera: Camera, frame: Frame) -> tuple[NDArray[np.uint8], '_StopWatch']:
        clock = _StopWatch()
        camera.statistics.stages.add('wait', (clock.start_s - frame.received_s) * 1e3)
        rgb = self._to_rgb(frame.message)
        camera.statistics.stages.add('decode', clock.lap_ms())
        return rgb, clock

    def _segment(self, jobs: Sequence['_Job']) -> Sequence[Segmentation | Exception]:
        """Segment frames of one size."""
        clock = _StopWatch()
        threshold = self.settings.confidence_threshold
        with_confidence = threshold > 0 or any('confidence' in job.wanted for job in jobs)
        results: Sequence[Segmentation | Exception]
        try:
            results = self.segmenter.batch([job.rgb for job in jobs], with_confidence)
        except GpuMemoryError:
            raise
        except Exception as error:
            if len(jobs) == 1:
                return [error]
            # One by one the frame at fault is found, and costs only itself.
            return [result for job in jobs for result in self._segment([job])]
        network_ms = clock.lap_ms()
        for job in jobs:
            job.camera.statistics.stages.add('network', network_ms)
        return results

    def _publish(self, job: '_Job', result: Segmentation | None) -> None:
        # Until now it waited for the network, and for those that went through it with this one.
        job.clock.lap_ms()
        stages = job.camera.statistics.stages
        job.camera.frame_size = (job.rgb.shape[1], job.rgb.shape[0])
        size = self._output_size(job.camera.frame_size)
        publish_ms = 0.0 if result is None else self._publish_images(job, result, size)
        if INFO_OUTPUT in job.wanted:
            publish_ms += job.camera.publish_info(job.frame.message.header, size)
        stages.add('encode', job.clock.lap_ms() - publish_ms)
        stages.add('publish', publish_ms)
        stages.add('total', (time.monotonic() - job.frame.received_s) * 1e3)

    def _publish_images(self, job: '_Job', result: Segmentation, size: Size) -> float:
        """Publish the images that are wanted; return the middleware's milliseconds."""
        labels, confidence, rgb = result.labels, result.confidence, job.rgb
        threshold = self.settings.confidence_threshold
        if threshold > 0 and confidence is not None:
            labels = drop_uncertain(labels, confidence, threshold)
        labels = resize_labels(labels, size)
        if confidence is not None:
            confidence = resize_labels(confidence, size)
        if 'overlay' in job.wanted and job.camera.frame_size != size:
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        job.camera.statistics.stages.add('post', job.clock.lap_ms())
        return job.camera.publish(
            job.wanted,
            job.frame.message.header,
            rgb,
            labels,
            confidence,
            self.painter,
            self.segmenter.label_set.names,
        )

    def _to_rgb(self, message: Any) -> NDArray[np.uint8]:
        limit = self.settings.max_pixels
        if self.settings.transport is Transport.COMPRESSED:
            return decode_compressed(message.data, message.format, limit)
        return to_rgb(message, limit)

    def _output_size(self, frame: Size) -> Size:
        if self.settings.output_network:
            return self.segmenter.input_size_for(frame)
        return self.settings.output_size or frame


@dataclass(frozen=True)
class _Job:
    """A decoded frame, and what is wanted of it."""

    number: int
    camera: Camera
    frame: Frame
    wanted: frozenset[str]
    rgb: NDArray[np.uint8]
    clock: '_StopWatch'


class _StopWatch:
    def __init__(self) -> None:
        self.start_s = self._lap_s = time.monotonic()

    def lap_ms(self) -> float:
        """Return the milliseconds since the last lap."""
        now = time.monotonic()
        lap_ms = (now - self._lap_s) * 1e3
        self._lap_s = now
        return lap_ms
