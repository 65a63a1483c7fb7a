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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.imaging import to_labels
from spssn_ros.labels import CAMVID, CAMVID_VOID, UNKNOWN, LabelSet


def truth_labels(message: Any, label_set: LabelSet) -> NDArray[np.uint8]:
    """Return the truth in an Image message, (H, W) uint8 class ids, 255 void.

    Raises:
        BadImageError: it is no mono8 image, or cannot be decoded.

    """
    labels = to_labels(message)
    if label_set.names == CAMVID.names:
        # Bags made elsewhere keep CamVid's own void id.
        labels = np.where(labels == CAMVID_VOID, np.uint8(UNKNOWN), labels)
    return labels
