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
"""Between image messages, arrays and pictures."""

from spssn_ros.imaging.compressed import decode_compressed, decode_compressed_labels
from spssn_ros.imaging.image_codec import ENCODINGS, ImageFields, to_labels, to_rgb, view
from spssn_ros.imaging.overlay import Painter, class_mask, drop_uncertain, resize_labels
from spssn_ros.imaging.png import encode_png, write_png
from spssn_ros.imaging.refusal import MAX_PIXELS

__all__ = [
    'ENCODINGS',
    'MAX_PIXELS',
    'ImageFields',
    'Painter',
    'class_mask',
    'decode_compressed',
    'decode_compressed_labels',
    'drop_uncertain',
    'encode_png',
    'resize_labels',
    'to_labels',
    'to_rgb',
    'view',
    'write_png',
]
