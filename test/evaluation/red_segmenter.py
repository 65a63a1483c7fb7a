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
"""A stand-in for a network, whose predictions the images themselves say."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from spssn_ros.inference import Segmentation


class RedSegmenter:
    """Takes a pixel's red value for its class; keeps the frames that it has seen."""

    description = 'red'

    def __init__(self) -> None:
        self.frames: list[np.ndarray] = []

    def __call__(self, rgb: np.ndarray, with_confidence: bool = False) -> Segmentation:
        self.frames.append(rgb)
        return Segmentation(rgb[..., 0])

    def stream(
        self,
        items: Iterable[Any],
        picture: Callable[[Any], np.ndarray],
        with_confidence: bool = False,
    ) -> Iterator[tuple[Any, Segmentation]]:
        for item in items:
            yield item, self(picture(item), with_confidence)
