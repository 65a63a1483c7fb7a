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
"""PNG files of class ids are read as stored, whatever their kind."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from spssn_ros.datasets.index_png import read_index_png
from spssn_ros.errors import DatasetError

IDS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


def png(ids: np.ndarray, depth: int, color_type: int) -> bytes:
    """Encode ids by hand, independently of any library's idea of palettes."""
    header = struct.pack('>IIBBBBB', ids.shape[1], ids.shape[0], depth, color_type, 0, 0, 0)
    rows = b''
    for row in ids:
        bits = ''.join(f'{value:0{depth}b}' for value in row)
        bits += '0' * (-len(bits) % 8)
        rows += b'\0' + int(bits, 2).to_bytes(len(bits) // 8, 'big')
    # A palette whose colours repeat: ids cannot be found back from the colours.
    palette = chunk(b'PLTE', bytes([9, 9, 9]) * 2**depth) if color_type == 3 else b''
    transparency = chunk(b'tRNS', b'\0' if color_type == 3 else b'\0\1')
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', header)
        + palette
        + transparency
        + chunk(b'IDAT', zlib.compress(rows))
        + chunk(b'IEND', b'')
    )


@pytest.mark.parametrize('color_type', [0, 3], ids=['gray', 'palette'])
@pytest.mark.parametrize('depth', [1, 2, 4, 8])
def test_ids_are_read_as_stored(tmp_path: Path, depth: int, color_type: int) -> None:
    ids = IDS & (2**depth - 1)
    (tmp_path / 'l.png').write_bytes(png(ids, depth, color_type))
    labels = read_index_png(tmp_path / 'l.png')
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, ids)


def test_all_256_values_survive(tmp_path: Path) -> None:
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    cv2.imwrite(str(tmp_path / 'l.png'), ids)
    np.testing.assert_array_equal(read_index_png(tmp_path / 'l.png'), ids)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((2, 2, 3), np.uint8), 'colour type 2, 8 bits'),
        (np.zeros((2, 2, 4), np.uint8), 'colour type 6, 8 bits'),
        (np.zeros((2, 2), np.uint16), 'colour type 0, 16 bits'),
    ],
)
def test_colour_and_16_bit_files_are_refused(
    tmp_path: Path, image: np.ndarray, message: str
) -> None:
    cv2.imwrite(str(tmp_path / 'l.png'), image)
    with pytest.raises(DatasetError, match=rf'l\.png .*{message}'):
        read_index_png(tmp_path / 'l.png')


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r'gone\.png: No such file or directory; check'):
        read_index_png(tmp_path / 'gone.png')
    (tmp_path / 'l.jpg').write_bytes(cv2.imencode('.jpg', IDS)[1].tobytes())
    with pytest.raises(DatasetError, match=r'l\.jpg is not a PNG file'):
        read_index_png(tmp_path / 'l.jpg')
    for color_type in (0, 3):
        data = png(IDS, 8, color_type)
        (tmp_path / 'cut.png').write_bytes(data[:-20])
        with pytest.raises(DatasetError, match=r'cut\.png is damaged'):
            read_index_png(tmp_path / 'cut.png')
