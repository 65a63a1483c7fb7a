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
"""Read PNG files whose pixels are class ids, exactly as they are stored.

OpenCV alone is not enough: it replaces the ids of a palette PNG by the palette's colours, and
stretches ids of less than 8 bits to the range 0..255.
"""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import DatasetError
from spssn_ros.files import explain, read_plain
from spssn_ros.image_file import decode_image_file
from spssn_ros.png_chunks import PNG_SIGNATURE

_GRAY, _RGB, _PALETTE, _RGBA = 0, 2, 3, 6


def is_color_png(path: Path) -> bool:
    """Say whether a file is a PNG of RGB or RGBA pixels; False too for what is no PNG."""
    try:
        with path.open('rb') as file:
            head = file.read(26)
    except OSError:
        return False
    return head.startswith(PNG_SIGNATURE) and len(head) == 26 and head[25] in (_RGB, _RGBA)


def read_index_png(path: Path) -> NDArray[np.uint8]:
    """Return the stored ids of a grey or palette PNG, (H, W) uint8.

    Raises:
        DatasetError: the file is missing, no PNG, damaged, in colour, or of 16 bits.

    """
    try:
        data = read_plain(path)
    except OSError as error:
        raise DatasetError(f'cannot read label image {path}: {explain(error)}') from error
    if not data.startswith(PNG_SIGNATURE) or len(data) < 26:
        raise DatasetError(f'label image {path} is not a PNG file; labels must be lossless')
    depth, color_type = data[24], data[25]
    if color_type not in (_GRAY, _PALETTE) or depth > 8:
        raise DatasetError(
            f'label image {path} does not hold one 8-bit class id a pixel (PNG colour type '
            f'{color_type}, {depth} bits); save it as grey or palette PNG'
        )
    labels = decode_image_file(_as_plain_gray(data), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.ndim != 2:
        raise DatasetError(f'label image {path} is damaged; fetch or write it again')
    # Grey of fewer than 8 bits is decoded stretched, its full scale to 255.
    return (labels // (255 // (2**depth - 1))).astype(np.uint8, copy=False)


def _as_plain_gray(data: bytes) -> bytes:
    """Declare the ids of a PNG to be grey values without transparency, which decoders keep."""
    out = bytearray(PNG_SIGNATURE)
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from('>I', data, position)
        end = position + 12 + length
        kind = data[position + 4 : position + 8]
        if kind == b'IHDR':
            body = kind + data[position + 8 : position + 17] + bytes([_GRAY])
            body += data[position + 18 : end - 4]
            out += struct.pack('>I', length) + body + struct.pack('>I', zlib.crc32(body))
        elif kind in (b'IDAT', b'IEND'):
            out += data[position:end]
        position = end
    return bytes(out)
