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
"""Checksums in MCAP files, by which readers notice a changed byte in a message."""

import struct
from pathlib import Path
from zlib import crc32

_MAGIC_BYTES = 8
_RECORD = struct.Struct('<BQ')
_CHUNK = 0x06
# First and last stamp, uncompressed size, checksum, length of the compression's name.
_CHUNK_START = struct.Struct('<QQQII')
_CHECKSUM_AT = 24


def add_chunk_checksums(path: Path) -> None:
    """Fill in the checksum of every chunk of an MCAP file that is not compressed, in place.

    MCAP specification, section Chunk: CRC-32 of the uncompressed records, 0 where there is none,
    which is what rosbags writes.

    Raises:
        OSError: the file cannot be read or written.

    """
    size = path.stat().st_size
    with path.open('r+b') as file:
        position = _MAGIC_BYTES
        while position + _RECORD.size <= size - _MAGIC_BYTES:
            file.seek(position)
            kind, length = _RECORD.unpack(file.read(_RECORD.size))
            start = position + _RECORD.size
            if kind == _CHUNK:
                *_, compression = _CHUNK_START.unpack(file.read(_CHUNK_START.size))
                if not compression:
                    (records,) = struct.unpack('<Q', file.read(8))
                    checksum = crc32(file.read(records))
                    file.seek(start + _CHECKSUM_AT)
                    file.write(struct.pack('<I', checksum))
            position = start + length
