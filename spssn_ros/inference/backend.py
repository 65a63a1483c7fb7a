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
"""What a backend is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from spssn_ros.inference.config import Precision, Size


@dataclass(frozen=True)
class Segmentation:
    """The result for one frame.

    Attributes:
        labels: (H, W) uint8 class ids.
        confidence: (H, W) uint8, probability of the winning class x 255; None unless asked for.

    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None = None


class Backend(Protocol):
    """Runs one network."""

    @property
    def precision(self) -> Precision:
        """Precision of the latest frame's arithmetic."""

    @property
    def description(self) -> str:
        """Backend, precision and device, such as 'openvino bfloat16 on cpu'."""

    def segment(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Segmentation:
        """Segment (H, W, 3) uint8 RGB, entering the network at `input_size`.

        The result has `output_size`, (width, height).
        """


@runtime_checkable
class BatchBackend(Backend, Protocol):
    """Runs one network, on several frames at once where that is faster.

    Attributes:
        max_batch: most frames at once; 1 where more gain nothing.
        expected: how many may come at once. For these it prepares, which may take seconds, with
            the first frame of a size instead of when they come.

    """

    max_batch: int
    expected: int

    def segment_batch(
        self,
        frames: Sequence[NDArray[np.uint8]],
        input_size: Size,
        output_size: Size,
        with_confidence: bool,
    ) -> list[Segmentation]:
        """Segment frames of one size, as `segment` does each of them."""


@runtime_checkable
class AheadBackend(Backend, Protocol):
    """Runs one network on a device that takes the next frame while it computes one.

    Attributes:
        max_begun: most frames begun and not yet ended that a stream gains by.

    """

    max_begun: int

    def begin(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Callable[[], Segmentation]:
        """Hand a frame to the device; what is returned waits for the result of `segment`.

        Frames are ended once each, those of one stream in the order in which they were begun.
        """
