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
"""PNG files."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.files import write_whole


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Return (H, W, 3) uint8 RGB, or (H, W), as the bytes of a PNG file."""
    if picture.ndim == 3:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)
    return cv2.imencode('.png', picture)[1].tobytes()


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) uint8 RGB, or (H, W), as PNG, whole or not at all.

    Raises:
        OSError: the file cannot be written.

    """
    write_whole(path, encode_png(picture), durable=False)
