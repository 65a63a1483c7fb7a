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
"""Compressed image messages to arrays.

What the bytes are decides, not what the message calls them; damage is told before OpenCV sees it.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import BadImageError
from spssn_ros.imaging.compressed_size import compressed_size
from spssn_ros.imaging.jpeg import decode_jpeg
from spssn_ros.imaging.refusal import MAX_PIXELS, bytes_of, check_size, clip, reason_of
from spssn_ros.png_chunks import PNG_SIGNATURE, pixel_chunks

_PNG_DEPTH = 24
"""Where a PNG file tells the bits of a channel."""


def decode_compressed(
    data: Any, format_name: str, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decode a sensor_msgs/CompressedImage's bytes (JPEG, PNG) to (H, W, 3) uint8 RGB.

    Args:
        data: a buffer of bytes.
        format_name: the message's, for errors alone: what the bytes are decides.
        max_pixels: the most that width x height may be.

    Raises:
        BadImageError: bytes that are neither JPEG nor PNG, are damaged, or hold more than
            `max_pixels`.

    """
    buffer = bytes_of(data)
    described = f'compressed image of format {clip(format_name)!r}, {len(buffer)} bytes,'
    size = compressed_size(buffer)
    if size is None:
        raise BadImageError(
            f'{described} is damaged or of a kind that is not decoded; send jpeg or png'
        )
    check_size(f'{described} {size[0]}x{size[1]}', *size, max_pixels)
    try:
        if bytes(buffer[:2]) == b'\xff\xd8':
            return decode_jpeg(buffer)
        image = _decode_png(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except (ValueError, cv2.error) as error:
        raise BadImageError(f'{described} is damaged ({reason_of(error)})') from error
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def decode_compressed_labels(data: Any, format_name: str) -> NDArray[np.uint8]:
    """Decode a CompressedImage that holds a PNG of labels, pixels as they are stored.

    Returns:
        (H, W) uint8 ids, or (H, W, 3) uint8 RGB for a colour PNG.

    Raises:
        BadImageError: no PNG (JPEG changes labels), damaged, or not of 8 bits.

    """
    buffer = bytes_of(data)
    what = f'compressed label image of format {clip(format_name)!r}, {len(buffer)} bytes'
    if bytes(buffer[:8]) != PNG_SIGNATURE:
        raise BadImageError(f'{what}, is no PNG; labels must be lossless, png or raw')
    size = compressed_size(buffer)
    try:
        if size is None:
            raise ValueError('the file ends too early')
        check_size(f'{what}, {size[0]}x{size[1]}', *size, MAX_PIXELS)
        image = _decode_png(buffer, cv2.IMREAD_UNCHANGED)
        if image.dtype != np.uint8:
            raise ValueError('more than 8 bits a channel')
    except (ValueError, cv2.error) as error:
        raise BadImageError(
            f'{what}, is damaged or not of 8 bits a channel ({reason_of(error)}); send mono8 or '
            'rgb8'
        ) from error
    if image.ndim == 2:
        # Grey of fewer than 8 bits is decoded stretched, its full scale to 255.
        return np.asarray(image // (255 // (2 ** buffer[_PNG_DEPTH] - 1)), np.uint8)
    code = cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGB
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _decode_png(buffer: memoryview, flags: int) -> Any:
    image = cv2.imdecode(np.frombuffer(pixel_chunks(buffer), np.uint8), flags)
    if image is None:
        raise ValueError('its pixels cannot be unpacked')
    return image
