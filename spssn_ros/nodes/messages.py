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
"""Arrays and facts to ROS messages."""

import array
import copy
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from spssn_ros.inference.config import Size
from spssn_ros.labels import UNKNOWN
from spssn_ros.models import WeightsInfo

try:
    from vision_msgs.msg import LabelInfo, VisionClass

    LABEL_INFO_TYPE: type | None = LabelInfo
except ImportError:  # Optional: ~/label_info_json says the same.
    LABEL_INFO_TYPE = None


_MOST = 2**32 - 1  # that a uint32 field holds


def image_message(header: Header, pixels: NDArray[np.uint8]) -> Image:
    """Return `pixels`, (H, W) as mono8 or (H, W, 3) as rgb8, tightly packed, under `header`."""
    pixels = np.ascontiguousarray(pixels)
    message = Image()
    message.header = header
    message.height, message.width = pixels.shape[:2]
    message.encoding = 'mono8' if pixels.ndim == 2 else 'rgb8'
    message.step = pixels.strides[0]
    # Assigning an array.array spares the element-by-element check of any other sequence.
    data = array.array('B')
    data.frombytes(pixels.data.cast('B'))
    message.data = data
    return message


def fits(info: CameraInfo, frame: Size) -> bool:
    """Return whether `info` is of images of that size, (width, height).

    An image is as large as the calibration says, or as its region of interest after binning; an
    info without a size says nothing.
    """
    if not info.width or not info.height:
        return True
    width, height = info.roi.width or info.width, info.roi.height or info.height
    binned = (width // max(1, info.binning_x), height // max(1, info.binning_y))
    return frame in ((info.width, info.height), binned)


def scaled_camera_info(info: CameraInfo, header: Header, frame: Size, size: Size) -> CameraInfo:
    """Return `info` under `header` for a camera image that was resized.

    Focal lengths and centres scale as the pixels do; distortion, rectification and binning stay.
    They are of the sensor's pixels before binning, as is the region of interest.

    Args:
        info: the camera's; where it does not fit the image, it is taken to be of the whole of it.
        header: of the image.
        frame: the image's size, (width, height).
        size: what it was resized to.

    """
    scaled = copy.copy(info)
    scaled.header = header
    if not info.width or not info.height:
        return scaled
    whole = frame if fits(info, frame) else (info.width, info.height)
    if whole == size:
        return scaled
    x, y = size[0] / whole[0], size[1] / whole[1]
    scaled.width, scaled.height = _scaled(info.width, x), _scaled(info.height, y)
    # A pixel's centre lies at its integer coordinate, so that centres shift by half a pixel.
    k, p = info.k.copy(), info.p.copy()
    # Calibrations may hold any numbers, infinite ones among them.
    with np.errstate(over='ignore', invalid='ignore'):
        for matrix, columns in ((k, 3), (p, 4)):
            matrix[:columns] *= x
            matrix[columns : 2 * columns] *= y
            matrix[2] += (x - 1) / 2
            matrix[columns + 2] += (y - 1) / 2
    scaled.k, scaled.p = k, p
    roi = copy.copy(info.roi)
    roi.x_offset, roi.width = _scaled_part(roi.x_offset, roi.width, x, scaled.width)
    roi.y_offset, roi.height = _scaled_part(roi.y_offset, roi.height, y, scaled.height)
    scaled.roi = roi
    return scaled


def _scaled(value: int, factor: float) -> int:
    return min(round(value * factor), _MOST)


def _scaled_part(offset: int, length: int, factor: float, whole: int) -> tuple[int, int]:
    """Return a part of a side, scaled, within the `whole` side that was scaled likewise.

    Rounded by itself each, or of a calibration of another size, it would reach beyond. The length
    may be that of the image, and goes first.
    """
    length = min(_scaled(length, factor), whole)
    return min(_scaled(offset, factor), whole - length), length


def label_info_json(info: WeightsInfo, weights: str, threshold: float) -> String:
    """Return what the ids in a label image mean, as JSON."""
    facts = {
        'classes': info.label_set.entries(),
        'unknown': UNKNOWN,
        'confidence_threshold': threshold,
        'model': info.model,
        'weights': weights,
    }
    return String(data=json.dumps(facts))


def label_info(info: WeightsInfo, header: Header, threshold: float) -> Any:
    """Return the vision_msgs/LabelInfo of the classes; vision_msgs must be importable."""
    classes = [
        VisionClass(class_id=i, class_name=name) for i, name in enumerate(info.label_set.names)
    ]
    return LabelInfo(header=header, class_map=classes, threshold=threshold)
