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
"""Truth as bags and topics carry it."""

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import BadImageError, ConfigError, DatasetError
from spssn_ros.imaging import decode_compressed_labels, to_labels, to_rgb
from spssn_ros.labels import (
    CAMVID,
    CAMVID_VOID,
    CITYSCAPES,
    UNKNOWN,
    LabelSet,
    camvid_color_labels,
    cityscapes_ids,
    color_labels,
)

_OTHER_COLORS = (
    'of truth in other colours list the classes in a file, NAME R G B a line, which '
    '`spssn convert bag --classes FILE` takes, and make a bag of ids of its folder by '
    '`spssn convert folder`'
)
_GREY = 'its channels are alike, as if they were class ids, which must be mono8'

_COLOR_ENCODINGS = ('rgb8', 'bgr8', 'rgba8', 'bgra8', '8UC3', '8UC4')


class TruthFormat(Enum):
    """How a truth image says the class of a pixel."""

    AUTO = 'auto'
    """By its encoding: mono8 is ids; colour is CamVid's 32 colours where the classes and their
    palette are CamVid's, else the palette of the classes, black void."""
    IDS = 'ids'
    """mono8: one class id, 255 void (CamVid's 11, too)."""
    CAMVID_COLORS = 'camvid-colors'
    """Colour: one of CamVid's 32 RGB colours, grouped to its 11 classes."""
    CITYSCAPES_IDS = 'cityscapes-ids'
    """mono8: Cityscapes' labelIds 0..33 (255 for -1), of which 19 are classes."""

    def check(self, label_set: LabelSet) -> None:
        """Check that such truth has these classes.

        Raises:
            ConfigError: it has others.

        """
        own = {TruthFormat.CAMVID_COLORS: CAMVID, TruthFormat.CITYSCAPES_IDS: CITYSCAPES}.get(self)
        if own is not None and label_set.names != own.names:
            raise ConfigError(
                f'truth {self.value!r} tells the classes {", ".join(own.names)}, but those '
                f'scored are {", ".join(label_set.names)}; take weights of these classes'
            )


def truth_labels(
    message: Any, label_set: LabelSet, truth: TruthFormat = TruthFormat.AUTO
) -> NDArray[np.uint8]:
    """Return the truth in an Image or (PNG) CompressedImage, (H, W) uint8 class ids, 255 void.

    Raises:
        BadImageError: it is not of that format, or cannot be decoded.

    """
    try:
        pixels = _pixels(message)
    except BadImageError as error:
        # The frame is named by its image, which may be in order.
        raise BadImageError(f'truth: {error}') from error
    is_color = pixels.ndim == 3
    try:
        if is_color and truth in (TruthFormat.AUTO, TruthFormat.CAMVID_COLORS):
            if truth is TruthFormat.CAMVID_COLORS or label_set == CAMVID:
                return camvid_color_labels(pixels)
            return color_labels(pixels, label_set)
        if is_color or truth is TruthFormat.CAMVID_COLORS:
            found, wanted = ('colours', 'mono8') if is_color else ('mono8', 'rgb8 or bgr8')
            raise BadImageError(
                f"the truth is {found}, but truth {truth.value!r} is {wanted}; take truth 'auto'"
            )
        if truth is TruthFormat.CITYSCAPES_IDS:
            return cityscapes_ids(pixels)
    except ConfigError as error:
        raise BadImageError(f'truth: {error}') from error
    except DatasetError as error:
        remedy = ''
        if is_color:
            is_grey = (pixels == pixels[..., :1]).all()
            remedy = f'; {_GREY if is_grey else _OTHER_COLORS}'
        raise BadImageError(f'truth: {error}{remedy}') from error
    if label_set.names == CAMVID.names:
        # Bags made elsewhere keep CamVid's own void id.
        return np.where(pixels == CAMVID_VOID, np.uint8(UNKNOWN), pixels)
    return pixels


def recorded_labels(message: Any) -> NDArray[np.uint8]:
    """Return the labels in an Image or (PNG) CompressedImage, (H, W) uint8 ids, 255 unknown.

    Raises:
        BadImageError: it is not mono8, or cannot be decoded.

    """
    if hasattr(message, 'encoding'):
        return to_labels(message)
    pixels = decode_compressed_labels(message.data, message.format)
    if pixels.ndim != 2:
        raise BadImageError('the recorded labels are colours; a label image must be mono8 ids')
    return pixels


def _pixels(message: Any) -> NDArray[np.uint8]:
    """Return (H, W) ids or (H, W, 3) RGB colours."""
    if not hasattr(message, 'encoding'):
        return decode_compressed_labels(message.data, message.format)
    return to_rgb(message) if message.encoding in _COLOR_ENCODINGS else to_labels(message)
