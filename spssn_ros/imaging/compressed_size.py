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
"""The size of a compressed image, read from its header before any pixel is decoded.

A few kilobytes of PNG can claim gigapixels, and decoders take the memory first. The layouts are
those of ISO/IEC 10918-1 (JPEG, annex B) and of the PNG specification (IHDR, section 11.2.2).
"""

from collections.abc import Iterator

from spssn_ros.png_chunks import PNG_SIGNATURE

_PNG_START = PNG_SIGNATURE + b'\0\0\0\rIHDR'
_JPEG_START = b'\xff\xd8\xff'
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15; C4, C8 and CC mark something else."""
SCAN = 0xDA
"""SOS, behind whose header are pixels."""
# Markers that no segment follows: TEM, RST0 to RST7, SOI; and filling.
_LONE = frozenset((0x01, 0xFF, *range(0xD0, 0xD9)))
# Metadata fill a few segments, colour profiles some dozens; more is an attempt to waste time.
_MAX_SEGMENTS = 4096


def compressed_size(data: memoryview) -> tuple[int, int] | None:
    """Return (width, height) in pixels as the header of a JPEG or PNG has it.

    Args:
        data: the file's bytes.

    Returns:
        None if it is neither, or ends before its size.

    """
    if data[: len(_PNG_START)] == _PNG_START:
        fields = bytes(data[16:24])
        if len(fields) < 8:
            return None
        return int.from_bytes(fields[:4], 'big'), int.from_bytes(fields[4:], 'big')
    if data[: len(_JPEG_START)] == _JPEG_START:
        return _jpeg_size(data)
    return None


def jpeg_segments(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of a JPEG's segments, from the length field on, in order.

    It ends with the scan's header, behind which are pixels, and where there is no segment.
    """
    position = len(_JPEG_START) - 1
    for _ in range(_MAX_SEGMENTS):
        if position + 4 > len(data) or data[position] != 0xFF:
            return
        marker = data[position + 1]
        # 0xFF before a marker is filling.
        position += 1 if marker == 0xFF else 2
        if marker in _LONE:
            continue
        end = position + int.from_bytes(data[position : position + 2], 'big')
        yield marker, position, end
        if marker == SCAN:
            return
        position = end


def _jpeg_size(data: memoryview) -> tuple[int, int] | None:
    for marker, start, _ in jpeg_segments(data):
        if marker in FRAME_HEADERS:
            fields = bytes(data[start + 3 : start + 7])
            if len(fields) < 4:
                return None
            return int.from_bytes(fields[2:], 'big'), int.from_bytes(fields[:2], 'big')
    return None
