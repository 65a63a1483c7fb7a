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
"""Decode JPEGs, and tell which are damaged.

libjpeg writes what it thinks of damaged data to stderr and goes on, and OpenCV lets it. simplejpeg
hands the same library's words to its caller; where it is not installed, OpenCV decodes.
"""

import re

import cv2
import numpy as np
from numpy.typing import NDArray

try:
    from simplejpeg import decode_jpeg as _decode
except ImportError:
    _decode = None

# What webcams and IP cameras do to good pictures: blocks filled up before a restart or the end,
# and a field that no sequential JPEG needs.
_FILLING = re.compile(r'(\d+) extraneous bytes? before marker 0x(d[0-79])')
_MOST_FILLING = 64
# Lost data looks alike from some thirty bytes on.
_MOST_BEFORE_RESTART = 8
_HARMLESS = 'Invalid SOS parameters for sequential JPEG'
_END = b'\xff\xd9'
_LONGEST_TAIL = 4096


def decode_jpeg(data: memoryview) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB, not turned by orientation tags.

    Raises:
        ValueError: damaged, or not of YCbCr or gray; the text says how.

    """
    if _decode is None:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if image is None:
            raise ValueError('OpenCV cannot decode it')
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    try:
        return np.asarray(_decode(data, 'RGB'), np.uint8)
    except ValueError as error:
        if not (_is_harmless(str(error)) and _END in bytes(data[-_LONGEST_TAIL:])):
            raise
    return np.asarray(_decode(data, 'RGB', strict=False), np.uint8)


def _is_harmless(warning: str) -> bool:
    """Whether the picture is what it would be without this.

    libjpeg tells of the first thing only, so the data's end must be looked for besides.
    """
    filling = _FILLING.search(warning)
    if filling is None:
        return _HARMLESS in warning
    most = _MOST_FILLING if filling[2] == 'd9' else _MOST_BEFORE_RESTART
    return int(filling[1]) <= most
