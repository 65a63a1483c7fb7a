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
"""Upsampling and argmax class by class, by OpenCV: where numba is not installed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.inference.config import Size


def upsample_planes(
    logits: NDArray[np.float32], size: Size, with_confidence: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return labels, and on demand the winners' softmax probability x 255.

    Args:
        logits: (C, h, w) float32.
        size: (width, height) of the results, which are (H, W) uint8.
        with_confidence: whether the second result is wanted; None otherwise.

    """
    # Classes are upsampled one at a time against a running maximum.
    planes = np.ascontiguousarray(logits)
    labels, best = _winners(planes, size)
    if not with_confidence:
        return labels, None
    total = np.zeros_like(best)
    for plane in planes:
        cv2.add(total, cv2.exp(_upsample(plane, size) - best), dst=total)
    return labels, np.rint(255 / total).astype(np.uint8)


def _winners(
    logits: NDArray[np.float32], size: Size
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    labels = np.zeros(size[::-1], np.uint8)
    best = _upsample(logits[0], size)
    wins = np.empty(labels.shape, np.bool_)
    for class_id, plane in enumerate(logits[1:], start=1):
        upsampled = _upsample(plane, size)
        np.greater(upsampled, best, out=wins)
        np.copyto(labels, np.uint8(class_id), where=wins)
        np.maximum(best, upsampled, out=best)
    return labels, best


def _upsample(plane: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    # OpenCV's INTER_LINEAR has half-pixel centres and clamps at the edge, as
    # torch's interpolate(align_corners=False) does, by which the networks are trained.
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.float32)
