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

import math
import re

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.imaging.compressed_size import FRAME_HEADERS, SCAN, jpeg_segments

try:
    from simplejpeg import decode_jpeg as _decode
except ImportError:
    _decode = None

# Webcams fill up the last block of a good picture, or the last before a restart.
_FILLING = re.compile(r'(\d+) extraneous bytes? before marker 0x(d[0-79])')
_MOST_BEFORE_END = 64
# Some of them are bytes that the decoder had read ahead. With every restart in its place, what is
# lost besides, if anything, costs the blocks up to the next one.
_MOST_BEFORE_RESTART = 8
_RESTART = re.compile(rb'\xff([\xd0-\xd7])')
_END = b'\xff\xd9'
# IP cameras write 0 where a sequential JPEG has but one value.
_NO_SPECTRUM = 'Invalid SOS parameters for sequential JPEG'
_INTERVAL = 0xDD
_SPECTRUM = b'\x00\x3f\x00'


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
        return _strictly(data)
    except ValueError as error:
        warning = str(error)
        if not _is_filling(warning, data) and _NO_SPECTRUM not in warning:
            raise
    if _NO_SPECTRUM in warning:
        # Not left to libjpeg to overlook, which tells of the first thing only.
        return _strictly(_with_spectrum(data))
    return np.asarray(_decode(data, 'RGB', strict=False), np.uint8)


def _strictly(data: memoryview) -> NDArray[np.uint8]:
    return np.asarray(_decode(data, 'RGB'), np.uint8)


def _is_filling(warning: str, data: memoryview) -> bool:
    """Whether the picture is what it would be without this, which is the first thing amiss."""
    filling = _FILLING.search(warning)
    if filling is None:
        return False
    if filling[2] == 'd9':
        return int(filling[1]) <= _MOST_BEFORE_END
    return int(filling[1]) <= _MOST_BEFORE_RESTART and _is_in_order(data)


def _is_in_order(data: memoryview) -> bool:
    """Whether all restarts, numbered 0 to 7 again and again, and the picture's end are there."""
    scan, end, _ = bytes(data[_scan_start(data) :]).partition(_END)
    numbers = [found[0] & 7 for found in _RESTART.findall(scan)]
    return bool(end) and numbers == [i % 8 for i in range(_restarts(data))]


def _restarts(data: memoryview) -> int:
    """Return how many restarts the headers promise: one between every so many blocks."""
    blocks = interval = 0
    for marker, start, end in jpeg_segments(data):
        if marker == _INTERVAL:
            interval = int.from_bytes(data[start + 2 : start + 4], 'big')
        elif marker in FRAME_HEADERS:
            height, width = (
                int.from_bytes(data[place : place + 2], 'big') for place in (start + 3, start + 5)
            )
            # Of each channel: number, sampling (across and down, four bits each), table.
            samplings = bytes(data[start + 9 : end : 3])
            if len(samplings) < 2:
                # Of a channel alone, a block is 8x8 whatever it says (ITU-T T.81, A.2.2).
                samplings = b'\x11'
            across = 8 * max(sampling >> 4 for sampling in samplings)
            down = 8 * max(sampling & 15 for sampling in samplings)
            if across and down:
                blocks = math.ceil(width / across) * math.ceil(height / down)
    return math.ceil(blocks / interval) - 1 if interval and blocks else 0


def _with_spectrum(data: memoryview) -> memoryview:
    """Return a copy that says that all coefficients are in its one scan, as they are."""
    mended = bytearray(data)
    start = _scan_start(data)
    mended[start - len(_SPECTRUM) : start] = _SPECTRUM
    return memoryview(mended)


def _scan_start(data: memoryview) -> int:
    """Return where the first scan's pixels begin, behind its header."""
    for marker, _, end in jpeg_segments(data):
        if marker == SCAN:
            return end
    return len(data)
