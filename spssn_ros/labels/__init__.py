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
"""Class names, palettes and dataset label mappings."""

from spssn_ros.labels.conversions import (
    camvid_color_labels,
    camvid_index_labels,
    cityscapes_ids,
    color_labels,
    ids_beyond,
    label_colors,
)
from spssn_ros.labels.known_classes import (
    CAMVID,
    CAMVID_32,
    CAMVID_VOID,
    CITYSCAPES,
    CITYSCAPES_IDS,
)
from spssn_ros.labels.label_set import UNKNOWN, VOID_COLOR, Color, LabelSet

__all__ = [
    'CAMVID',
    'CAMVID_32',
    'CAMVID_VOID',
    'CITYSCAPES',
    'CITYSCAPES_IDS',
    'UNKNOWN',
    'VOID_COLOR',
    'Color',
    'LabelSet',
    'camvid_color_labels',
    'camvid_index_labels',
    'cityscapes_ids',
    'color_labels',
    'ids_beyond',
    'label_colors',
]
