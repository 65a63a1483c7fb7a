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
"""Decode image files, without a word of the decoders' own about the damaged ones."""

import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.png_chunks import ORIENTATION, PNG_SIGNATURE, pixel_chunks


def decode_image_file(data: bytes, flags: int) -> NDArray[Any] | None:
    """Return the pixels as OpenCV gives them; None where it cannot decode them.

    It cannot where the data are damaged, of a kind it does not know, or claim too many pixels.

    Args:
        data: the file's content.
        flags: of `cv2.imdecode`.

    """
    if data.startswith(PNG_SIGNATURE):
        try:
            # libpng says what it thinks on stderr, and nothing keeps it from that.
            data = pixel_chunks(memoryview(data), also=(ORIENTATION,))
        except ValueError:
            return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:
        # Of a size beyond its limits OpenCV does not return None, as of other damage.
        return None


def silence_decoders() -> None:
    """Keep OpenCV, and FFmpeg within it, from writing to this process's stderr.

    A command tells of what cannot be decoded in a sentence of its own.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    # AV_LOG_QUIET; read when the first video is opened.
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
