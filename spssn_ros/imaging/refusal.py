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
"""What an image message is refused for, of whatever kind it is, and how that is told."""

from typing import Any

from spssn_ros.errors import BadImageError

MAX_PIXELS = 64_000_000
"""Larger images are refused, unless a caller allows them, before memory is taken for them."""


def check_size(described: str, width: int, height: int, max_pixels: int) -> None:
    """Raise BadImageError, which begins with what is `described`, for a size that is refused."""
    if width < 1 or height < 1:
        raise BadImageError(f'{described}: an image needs at least one pixel')
    if width * height > max_pixels:
        raise BadImageError(
            f'{described}: more than the {max_pixels / 1e6:g} megapixels that are allowed; send '
            'smaller images or raise the limit (max_image_megapixels of segment_node)'
        )


def reason_of(error: Exception) -> str:
    """Return what a library says of an image, on one line that is not too long."""
    text = getattr(error, 'err', None) or str(error)
    return clip(' '.join(text.split()), 200)


def bytes_of(data: Any) -> memoryview:
    """Return the bytes of a message's data, without a copy."""
    # A view without items cannot be cast.
    return memoryview(data).cast('B') if len(data) else memoryview(b'')


def clip(text: str, length: int = 40) -> str:
    """Keep a sentence a sentence, whatever a message has for a name."""
    return text if len(text) <= length else f'{text[:length]}...'
