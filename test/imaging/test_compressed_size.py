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
"""Sizes are read from the headers of JPEGs and PNGs, whatever stands before them."""

import struct

import pytest

from spssn_ros.imaging.compressed_size import compressed_size

PNG = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + struct.pack('>II', 70_000, 3)
# A frame header is followed by its length, the precision, the height and the width.
FRAME = struct.pack('>HBHH', 17, 8, 300, 40_000)
FRAME_MARKERS = [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF]
# Tables, arithmetic coding, application data, comments, and the first and last of all.
SEGMENT_MARKERS = [0xC4, 0xC8, 0xCC, 0xDB, 0xDD, 0xE0, 0xEF, 0xFE, 0x02, 0xBF, 0xD9]
LONE_MARKERS = [0x01, *range(0xD0, 0xD9)]


def size_of(data: bytes) -> tuple[int, int] | None:
    return compressed_size(memoryview(data))


def test_a_png_has_its_size_in_the_first_chunk() -> None:
    assert size_of(PNG) == size_of(PNG + b'more') == (70_000, 3)
    assert size_of(PNG[:-1]) is None
    assert size_of(PNG.replace(b'IHDR', b'IDAT')) is None


@pytest.mark.parametrize('marker', FRAME_MARKERS)
def test_every_kind_of_jpeg_has_its_size_in_the_frame_header(marker: int) -> None:
    data = b'\xff\xd8\xff' + bytes([marker]) + FRAME
    assert size_of(data) == size_of(data + b'more') == (40_000, 300)
    assert size_of(data[:-1]) is None
    # Not found where no marker stands.
    assert size_of(b'\xff\xd8\xff\xe0\0\x02\xfe' + bytes([marker]) + FRAME) is None


@pytest.mark.parametrize('marker', SEGMENT_MARKERS)
def test_segments_are_passed_over_by_their_length(marker: int) -> None:
    # The content looks like a frame header of another size.
    content = b'\xff\xc0' + struct.pack('>HBHH', 17, 8, 1, 1)
    segment = b'\xff' + bytes([marker]) + struct.pack('>H', 2 + len(content)) + content
    assert size_of(b'\xff\xd8' + 2 * segment + b'\xff\xc2' + FRAME) == (40_000, 300)


@pytest.mark.parametrize('marker', LONE_MARKERS)
def test_lone_markers_and_filling_have_no_length(marker: int) -> None:
    lone = b'\xff' + bytes([marker])
    assert size_of(b'\xff\xd8' + 3 * lone + b'\xff\xff\xff\xff\xc0' + FRAME) == (40_000, 300)


def test_other_data_have_no_size() -> None:
    for data in (b'', b'\xff\xd8', b'\xff\xd8\xff', b'\xff\xd8\0\xc0' + FRAME, b'GIF89a' + FRAME):
        assert size_of(data) is None


def test_thousands_of_segments_are_looked_through_and_no_more() -> None:
    # The frame header counts as one.
    for count, expected in ((4095, (40_000, 300)), (4096, None)):
        assert size_of(b'\xff\xd8' + count * b'\xff\xe0\0\x02' + b'\xff\xc0' + FRAME) == expected
