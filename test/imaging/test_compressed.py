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
"""Compressed images become the RGB or the labels that they hold, and damaged ones are refused."""

import zlib
from array import array

import cv2
import numpy as np
import pytest

from spssn_ros.errors import BadImageError
from spssn_ros.imaging import decode_compressed, decode_compressed_labels

HEIGHT, WIDTH = 6, 8
RGB = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
ALPHA = np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH, 1), np.uint8)
GRAY = RGB[..., 0]
GRAY16 = np.random.default_rng(5).integers(0, 2**16, (HEIGHT, WIDTH), np.uint16)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_compressed_images(suffix: str) -> None:
    smooth = cv2.resize(RGB, (64, 48), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(suffix, smooth[..., ::-1])[1]
    tolerance = 0 if suffix == '.png' else 25
    for container in (data.tobytes(), array('B', data.tobytes()), data):
        rgb = decode_compressed(container, 'rgb8; jpeg compressed bgr8')
        assert np.abs(rgb.astype(int) - smooth).max() <= tolerance
        assert rgb.dtype == np.uint8


def test_a_compressed_gray_image_becomes_rgb() -> None:
    data = cv2.imencode('.png', GRAY)[1].tobytes()
    np.testing.assert_array_equal(
        decode_compressed(data, 'png'), np.repeat(GRAY[..., None], 3, axis=2)
    )


def test_the_camera_s_orientation_tag_does_not_turn_the_frame() -> None:
    # A raw topic of the same camera would not be turned either.
    smooth = cv2.resize(RGB, (32, 48), interpolation=cv2.INTER_LINEAR)
    jpeg = cv2.imencode('.jpg', smooth[..., ::-1])[1].tobytes()
    # An EXIF segment whose only entry is orientation 6, a quarter turn.
    tiff = b'MM\0*\0\0\0\x08' + b'\0\x01' + b'\x01\x12\0\x03\0\0\0\x01\0\x06\0\0' + b'\0' * 4
    exif = b'Exif\0\0' + tiff
    tagged = jpeg[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(tagged, np.uint8), cv2.IMREAD_COLOR).shape == (32, 48, 3)
    np.testing.assert_array_equal(
        decode_compressed(tagged, 'jpeg'), decode_compressed(jpeg, 'jpeg')
    )


@pytest.mark.parametrize('content', [b'', b'no image', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'])
def test_damaged_compressed_images(content: bytes) -> None:
    text = f"^compressed image of format 'jpeg', {len(content)} bytes, is damaged or of a kind"
    with pytest.raises(BadImageError, match=text):
        decode_compressed(content, 'jpeg')


@pytest.mark.parametrize(
    ('stored', 'expected'),
    [
        (GRAY, GRAY),
        (RGB[..., ::-1], RGB),
        (np.dstack([RGB[..., ::-1], ALPHA]), RGB),
    ],
    ids=['gray', 'color', 'with alpha'],
)
def test_compressed_labels_are_as_they_were_stored(
    stored: np.ndarray, expected: np.ndarray
) -> None:
    data = cv2.imencode('.png', np.ascontiguousarray(stored))[1].tobytes()
    np.testing.assert_array_equal(decode_compressed_labels(data, 'png'), expected)


def small_png(ids: np.ndarray, depth: int, color_type: int) -> bytes:
    """Encode ids of a few bits by hand, with a palette of (1, 2, 3), (2, 3, 4) ... if any."""
    rows = b''
    for row in ids:
        bits = ''.join(f'{value:0{depth}b}' for value in row)
        bits += '0' * (-len(bits) % 8)
        rows += b'\0' + int(bits, 2).to_bytes(len(bits) // 8, 'big')
    sides = ids.shape[1].to_bytes(4, 'big') + ids.shape[0].to_bytes(4, 'big')
    chunks = [(b'IHDR', sides + bytes([depth, color_type, 0, 0, 0]))]
    if color_type == 3:
        chunks.append((b'PLTE', bytes((k + c) % 256 for k in range(2**depth) for c in (1, 2, 3))))
    chunks += [(b'IDAT', zlib.compress(rows)), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        len(body).to_bytes(4, 'big') + kind + body + zlib.crc32(kind + body).to_bytes(4, 'big')
        for kind, body in chunks
    )


@pytest.mark.parametrize('depth', [1, 2, 4, 8])
def test_compressed_labels_of_a_few_bits_are_the_stored_ids(depth: int) -> None:
    ids = np.arange(2 * 17, dtype=np.uint8).reshape(2, 17) & (2**depth - 1)
    labels = decode_compressed_labels(small_png(ids, depth, 0), 'png')
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, ids)
    # Those of a palette are its colours, whatever their bits.
    colors = decode_compressed_labels(small_png(ids, depth, 3), 'png')
    np.testing.assert_array_equal(colors, ids[..., None] + np.array([1, 2, 3]))


@pytest.mark.parametrize(
    ('data', 'text'),
    [
        (
            cv2.imencode('.jpg', GRAY)[1].tobytes(),
            'is no PNG; labels must be lossless, png or raw',
        ),
        (b'', "^compressed label image of format 'x', 0 bytes, is no PNG"),
        (cv2.imencode('.png', GRAY16)[1].tobytes(), 'is damaged or not of 8 bits a channel'),
        (cv2.imencode('.png', GRAY)[1].tobytes()[:30], 'is damaged or not of 8 bits a channel'),
    ],
    ids=['jpeg', 'empty', '16 bits', 'cut'],
)
def test_compressed_labels_that_cannot_be_used(data: bytes, text: str) -> None:
    with pytest.raises(BadImageError, match=text):
        decode_compressed_labels(data, 'x')
