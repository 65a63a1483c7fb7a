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
"""Image messages to arrays.

Reads only the fields `height, width, encoding, step, is_bigendian, data`, which a node's messages
and a bag reader's both have. Encodings are those of sensor_msgs/image_encodings.hpp; row padding
and big-endian data are honoured, as ROS 2's cv_bridge does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import BadImageError, one_line
from spssn_ros.imaging.refusal import MAX_PIXELS, bytes_of, check_size, clip, reason_of

Raw = NDArray[Any]
Rgb = NDArray[np.uint8]


class ImageFields(Protocol):
    """What is read of a sensor_msgs/Image; `data` is anything with a buffer of bytes."""

    height: int
    width: int
    encoding: str
    step: int
    is_bigendian: int
    data: Any


@dataclass(frozen=True)
class _Format:
    """Layout of an encoding: channels a pixel, bytes a channel, and the way to RGB."""

    channels: int
    depth: int
    to_rgb: Callable[[Raw], Any]


def _cv(code: int) -> Callable[[Raw], Any]:
    return lambda raw: cv2.cvtColor(raw, code)


def _mono16(raw: Raw) -> Any:
    return cv2.cvtColor((raw >> 8).astype(np.uint8), cv2.COLOR_GRAY2RGB)


# OpenCV names a Bayer pattern by its second row's first two cells (columns two and three), ROS by
# the first row's: rggb8 is OpenCV's BayerBG.
_FORMATS = {
    'rgb8': _Format(3, 1, lambda raw: raw),
    'bgr8': _Format(3, 1, _cv(cv2.COLOR_BGR2RGB)),
    '8UC3': _Format(3, 1, _cv(cv2.COLOR_BGR2RGB)),
    'rgba8': _Format(4, 1, _cv(cv2.COLOR_RGBA2RGB)),
    'bgra8': _Format(4, 1, _cv(cv2.COLOR_BGRA2RGB)),
    '8UC4': _Format(4, 1, _cv(cv2.COLOR_BGRA2RGB)),
    'mono8': _Format(1, 1, _cv(cv2.COLOR_GRAY2RGB)),
    '8UC1': _Format(1, 1, _cv(cv2.COLOR_GRAY2RGB)),
    'mono16': _Format(1, 2, _mono16),
    '16UC1': _Format(1, 2, _mono16),
    'bayer_rggb8': _Format(1, 1, _cv(cv2.COLOR_BayerBG2RGB)),
    'bayer_bggr8': _Format(1, 1, _cv(cv2.COLOR_BayerRG2RGB)),
    'bayer_gbrg8': _Format(1, 1, _cv(cv2.COLOR_BayerGR2RGB)),
    'bayer_grbg8': _Format(1, 1, _cv(cv2.COLOR_BayerGB2RGB)),
    'yuv422': _Format(2, 1, _cv(cv2.COLOR_YUV2RGB_UYVY)),
    'uyvy': _Format(2, 1, _cv(cv2.COLOR_YUV2RGB_UYVY)),
    'yuv422_yuy2': _Format(2, 1, _cv(cv2.COLOR_YUV2RGB_YUY2)),
    'yuyv': _Format(2, 1, _cv(cv2.COLOR_YUV2RGB_YUY2)),
}

ENCODINGS: tuple[str, ...] = (*_FORMATS, 'nv12')
"""The encodings read here; `to_rgb` asks cv_bridge for any other."""


def view(message: ImageFields, max_pixels: int = MAX_PIXELS) -> Raw:
    """Return the message's pixels as they lie, without a copy.

    Args:
        message: of any encoding of `ENCODINGS`.
        max_pixels: the most that width x height may be.

    Returns:
        (H, W) for one channel, else (H, W, channels); uint8, or uint16 in the message's byte
        order. nv12 gives (H * 3 / 2, W) uint8. Rows may be padded, hence not contiguous.

    Raises:
        BadImageError: unknown encoding, no pixels, more than `max_pixels`, a step shorter than a
            row, or too little data.

    """
    encoding, height, width = message.encoding, int(message.height), int(message.width)
    check_size(_describe(message), width, height, max_pixels)
    if encoding == 'nv12':
        if height % 2 or width % 2:
            raise BadImageError(f'{_describe(message)}: nv12 needs even sides')
        # The header's height is the picture's; half as many rows of chroma lie below it.
        return _rows(message, height * 3 // 2, width, _Format(1, 1, lambda raw: raw))
    if encoding not in _FORMATS:
        raise BadImageError(
            f'{_describe(message)}: unsupported encoding; use one of {", ".join(ENCODINGS)}'
        )
    if _FORMATS[encoding].channels == 2 and width % 2:
        raise BadImageError(f'{_describe(message)}: {encoding} needs an even width')
    return _rows(message, height, width, _FORMATS[encoding])


def to_rgb(message: ImageFields, max_pixels: int = MAX_PIXELS) -> Rgb:
    """Return the message as (H, W, 3) uint8 RGB; rgb8 is a view of the message's data.

    Args:
        message: of any encoding of `ENCODINGS`, or one that cv_bridge knows.
        max_pixels: the most that width x height may be.

    Raises:
        BadImageError: as `view`, or sides that the encoding does not allow.

    """
    encoding = message.encoding
    if encoding not in ENCODINGS:
        return _by_cv_bridge(message, max_pixels)
    raw = view(message, max_pixels)
    if encoding.startswith('bayer') and min(raw.shape) < 3:
        # OpenCV makes them black.
        raise BadImageError(f'{_describe(message)}: a Bayer image needs at least 3x3 pixels')
    try:
        if encoding == 'nv12':
            return np.asarray(cv2.cvtColor(raw, cv2.COLOR_YUV2RGB_NV12), np.uint8)
        return np.asarray(_FORMATS[encoding].to_rgb(raw), np.uint8)
    except cv2.error as error:
        raise BadImageError(
            f'{_describe(message)}: cannot be converted ({reason_of(error)})'
        ) from error


def to_labels(message: ImageFields) -> NDArray[np.uint8]:
    """Return a label image, (H, W) uint8 class ids; encoding mono8 or 8UC1.

    Raises:
        BadImageError: another encoding, or as `view`.

    """
    if message.encoding not in ('mono8', '8UC1'):
        raise BadImageError(f'{_describe(message)}: a label image must be mono8 class ids')
    return np.asarray(view(message), np.uint8)


def _rows(message: ImageFields, rows: int, width: int, form: _Format) -> Raw:
    step = int(message.step)
    row_bytes = width * form.channels * form.depth
    if step < row_bytes:
        raise BadImageError(
            f'{_describe(message)}: step {step} is shorter than a row of {row_bytes} bytes'
        )
    buffer = bytes_of(message.data)
    if len(buffer) < rows * step:
        raise BadImageError(
            f'{_describe(message)}: {len(buffer)} bytes of data, but {rows} rows of step {step} '
            f'are {rows * step}'
        )
    dtype: np.dtype[Any] = np.dtype(np.uint8)
    if form.depth == 2:
        dtype = np.dtype('>u2' if message.is_bigendian else '<u2')
    shape: tuple[int, ...] = (rows, width)
    strides: tuple[int, ...] = (step, form.channels * form.depth)
    if form.channels > 1:
        shape, strides = (*shape, form.channels), (*strides, form.depth)
    return np.ndarray(shape, dtype, buffer, strides=strides)


def _by_cv_bridge(message: ImageFields, max_pixels: int) -> Rgb:
    """Let cv_bridge convert an encoding that is not known here."""
    check_size(_describe(message), int(message.width), int(message.height), max_pixels)
    try:
        from cv_bridge import CvBridge
    except ImportError as missing:
        raise BadImageError(
            f'{_describe(message)}: unsupported encoding; use one of {", ".join(ENCODINGS)}'
        ) from missing
    try:
        rgb = np.asarray(CvBridge().imgmsg_to_cv2(message, 'rgb8'), np.uint8)
    # cv_bridge raises whatever its parts do: CvBridgeError, KeyError, TypeError, cv2.error.
    except Exception as error:
        reason = clip(one_line(error) or type(error).__name__, 200)
        raise BadImageError(
            f'{_describe(message)}: unsupported encoding, by cv_bridge too ({reason}); use one '
            f'of {", ".join(ENCODINGS)}'
        ) from error
    if rgb.shape != (message.height, message.width, 3):
        raise BadImageError(f'{_describe(message)}: cv_bridge made {rgb.shape} of it')
    return rgb


def _describe(message: ImageFields) -> str:
    return f'image {message.width}x{message.height} {clip(message.encoding)!r}'
