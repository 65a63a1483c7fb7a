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
"""Image files are decoded, or found damaged, without a word on stderr."""

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from spssn_ros.image_file import decode_image_file, silence_decoders

LOGGING = cv2.utils.logging
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    level = LOGGING.getLogLevel()
    silence_decoders()
    yield
    LOGGING.setLogLevel(level)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, PICTURE)[1].tobytes()


def with_chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    png = encoded('.png')
    chunk = struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize('length', [0, 10, 100, 1000])
@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.tiff', '.webp'])
def test_cut_files(suffix: str, length: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert decode_image_file(encoded(suffix)[:length], cv2.IMREAD_COLOR) is None
    assert capfd.readouterr().err == ''


@pytest.mark.parametrize('suffix', ['.png', '.ppm'])
def test_a_size_beyond_what_opencv_takes(suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = b'P6 100000 100000 255 ' + bytes(100)
    if suffix == '.png':
        header = b'IHDR' + struct.pack('>II', 100_000, 100_000) + encoded('.png')[24:29]
        data = encoded('.png')
        data = data[:12] + header + struct.pack('>I', zlib.crc32(header)) + data[33:]
    assert decode_image_file(data, cv2.IMREAD_COLOR) is None
    assert capfd.readouterr().err == ''


def test_a_png_with_wrong_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded('.png'))
    data[len(data) // 2] ^= 255
    assert decode_image_file(bytes(data), cv2.IMREAD_COLOR) is None
    assert capfd.readouterr().err == ''


def test_a_colour_profile_that_libpng_dislikes(capfd: pytest.CaptureFixture[str]) -> None:
    image = decode_image_file(with_chunk(b'iCCP', b'sRGB\0\0junk'), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(image, PICTURE)
    assert capfd.readouterr().err == ''


def test_a_png_is_turned_as_its_file_says() -> None:
    quarter = b'MM\0*\0\0\0\x08' + struct.pack('>HHHIHHI', 1, 0x112, 3, 1, 6, 0, 0)
    image = decode_image_file(with_chunk(b'eXIf', quarter), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(image, np.rot90(PICTURE, -1))
