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

# Webcams fill up the last block of a good picture.
_FILLING = re.compile(r'(\d+) extraneous bytes before marker 0xd9')
_MOST_FILLING = 32


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
        filling = _FILLING.search(str(error))
        if filling is None or int(filling[1]) > _MOST_FILLING:
            raise
    return np.asarray(_decode(data, 'RGB', strict=False), np.uint8)
