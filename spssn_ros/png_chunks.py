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
"""Check a PNG before it is decoded.

libpng, as OpenCV calls it, writes a line to stderr for every damaged file and for much that is odd
about additions nobody asked for. The layout is that of the PNG specification, section 5.
"""

import zlib
from collections.abc import Collection

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
ORIENTATION = b'eXIf'
"""The chunk that may tell how the picture is turned to be shown."""

# What decides the pixels: the rest is text, colour profiles, animation.
_PIXELS = frozenset((b'IHDR', b'PLTE', b'tRNS', b'IDAT', b'IEND'))
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# At 8 kB each, as most encoders write them, half a gigabyte.
_MAX_CHUNKS = 65_536


def pixel_chunks(data: memoryview, also: Collection[bytes] = ()) -> bytes:
    """Return the PNG without the chunks that do not decide its pixels.

    Args:
        data: the file.
        also: further kinds of chunks to keep.

    Raises:
        ValueError: a chunk is cut, unknown to a decoder, or does not fit its checksum; the text
            says which.

    """
    kept = [PNG_SIGNATURE]
    position, kind = len(PNG_SIGNATURE), b''
    for _ in range(_MAX_CHUNKS):
        length = int.from_bytes(data[position : position + 4], 'big')
        kind = bytes(data[position + 4 : position + 8])
        end = position + 12 + length
        if end > len(data):
            raise ValueError('the file ends too early')
        chunk = data[position:end]
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], 'big'):
            raise ValueError(f'chunk {kind!r} does not fit its checksum')
        if kind == b'IHDR':
            depth, color, compression, filters, interlace = chunk[16:21]
            if depth not in _DEPTHS.get(color, ()) or compression or filters or interlace > 1:
                raise ValueError('the header has values that no PNG has')
        if kind in _PIXELS or kind in also:
            kept.append(bytes(chunk))
        # An upper-case letter marks what a decoder must know.
        elif kind[:1].isupper():
            raise ValueError(f'chunk {kind!r} is unknown')
        if kind == b'IEND':
            return b''.join(kept)
        position = end
    raise ValueError(f'it has more than {_MAX_CHUNKS} chunks')
