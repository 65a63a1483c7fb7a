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
"""Every kind of PNG is read, and no other; what decides no pixel is left out."""

import itertools
import struct
import zlib

import numpy as np
import pytest

from spssn_ros.errors import BadImageError
from spssn_ros.imaging import decode_compressed
from spssn_ros.png_chunks import pixel_chunks

SIGNATURE = b'\x89PNG\r\n\x1a\n'
# Channels by colour type: gray, RGB, palette, gray and alpha, RGB and alpha.
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
WIDTH, HEIGHT = 16, 3


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(color: int, depth: int, *more: bytes, end: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    """A picture whose samples have every bit set, but alpha's half none; `end` of the header."""
    header = struct.pack('>IIBBBBB', WIDTH, HEIGHT, depth, color, *end)
    row = b'\0' + b'\xff' * (WIDTH * CHANNELS.get(color, 1) * depth // 8)
    # White comes last.
    palette = (
        chunk(b'PLTE', bytes(3 * (2 ** min(depth, 8) - 1)) + b'\xff' * 3) if color == 3 else b''
    )
    rows = chunk(b'IDAT', zlib.compress(row * HEIGHT))
    return b''.join((SIGNATURE, chunk(b'IHDR', header), palette, *more, rows, chunk(b'IEND', b'')))


@pytest.mark.parametrize(
    ('color', 'depth'), [(color, depth) for color in DEPTHS for depth in DEPTHS[color]]
)
def test_every_kind_is_read(color: int, depth: int) -> None:
    rgb = decode_compressed(png(color, depth), 'png')
    np.testing.assert_array_equal(rgb, np.full((HEIGHT, WIDTH, 3), 255))


@pytest.mark.parametrize(
    ('color', 'depth'),
    [
        (color, depth)
        for color, depth in itertools.product(range(8), (0, 1, 2, 3, 4, 8, 15, 16, 17))
        if depth not in DEPTHS.get(color, ())
    ],
)
def test_no_other_kind_is_read(color: int, depth: int) -> None:
    with pytest.raises(BadImageError, match='the header has values that no PNG has'):
        decode_compressed(png(color, depth), 'png')


@pytest.mark.parametrize('end', [(1, 0, 0), (0, 1, 0), (0, 0, 2)], ids=str)
def test_unknown_ways_to_pack_pixels_are_refused(end: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match='the header has values that no PNG has'):
        pixel_chunks(memoryview(png(2, 8, end=end)))
    # Interlaced ones there are.
    data = png(2, 8, end=(0, 0, 1))
    assert pixel_chunks(memoryview(data)) == data


def test_what_decides_no_pixel_is_left_out() -> None:
    transparency = chunk(b'tRNS', b'\0\x01')
    data = png(0, 8, chunk(b'tEXt', b'a\0b'), transparency, chunk(b'iCCP', b''))
    assert pixel_chunks(memoryview(data + b'rubbish')) == png(0, 8, transparency)


def test_so_many_chunks_are_read_and_no_more() -> None:
    # With header, pixels and end.
    most = png(0, 8, chunk(b'tEXt', b'') * (65_536 - 3))
    assert pixel_chunks(memoryview(most)) == png(0, 8)
    with pytest.raises(ValueError, match='it has more than 65536 chunks'):
        pixel_chunks(memoryview(png(0, 8, chunk(b'tEXt', b'') * (65_536 - 2))))


@pytest.mark.parametrize('missing', [1, 4, 12])
def test_a_file_that_ends_too_early(missing: int) -> None:
    with pytest.raises(ValueError, match='the file ends too early'):
        pixel_chunks(memoryview(png(0, 8)[:-missing]))
