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
"""Joint augmentation of an image and its labels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.labels import UNKNOWN
from spssn_ros.training.config import TrainConfig

Sample = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def augment(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    config: TrainConfig,
    rng: np.random.Generator,
) -> Sample:
    """Scale, rotate, flip and crop both alike in one warp, then jitter the image's colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 class ids, 255 void.
        config: crop, scale, rotate_degrees, color.
        rng: the only source of chance, so that a sample can be drawn again.

    Returns:
        image (crop height, crop width, 3) and labels (crop height, crop width); labels are 255
        where the sample reaches beyond the image.

    """
    width, height = config.crop
    low, high = config.scale
    # Scale 1 is the whole frame at the size of the crop.
    fit = max(width / image.shape[1], height / image.shape[0])
    scale = fit * float(np.exp(rng.uniform(np.log(low), np.log(high))))
    angle = np.deg2rad(rng.uniform(-config.rotate_degrees, config.rotate_degrees))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    # The crop's centre looks at a point drawn so that the crop stays inside where it can.
    margin = np.array([width, height]) / (2 * scale)
    size = np.array([image.shape[1], image.shape[0]], np.float64)
    slack = np.abs(size / 2 - margin)
    centre = size / 2 + rng.uniform(-1, 1, 2) * slack
    # OpenCV counts from the centre of the first pixel, half a pixel inside the image.
    matrix[:, 2] = np.array([width, height]) / 2 - 0.5 - matrix[:, :2] @ (centre - 0.5)
    warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    warped_labels = cv2.warpAffine(
        labels,
        matrix,
        (width, height),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=UNKNOWN,
    )
    if config.color > 0:
        warped = jitter_color(np.asarray(warped, np.uint8), config.color, rng)
    return np.asarray(warped, np.uint8), np.asarray(warped_labels, np.uint8)


def jitter_color(
    image: NDArray[np.uint8], strength: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change brightness, contrast, gamma, white balance and saturation, each by about strength.

    Args:
        image: (H, W, 3) uint8 RGB.
        strength: 0 changes nothing; 0.3 is moderate.
        rng: source of chance.

    Returns:
        a new image of the same shape.

    """
    gamma = np.exp(rng.uniform(-strength, strength))
    contrast = np.exp(rng.uniform(-strength, strength))
    brightness = rng.uniform(-strength, strength) * 0.5
    balance = np.exp(rng.uniform(-strength, strength, 3) * 0.3)
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * balance
    levels = (levels - 0.5) * contrast + 0.5 + brightness
    table = np.clip(levels * 255, 0, 255).astype(np.uint8)
    toned = cv2.LUT(image, table[None])
    saturation = np.exp(rng.uniform(-strength, strength))
    gray = cv2.cvtColor(toned, cv2.COLOR_RGB2GRAY)
    gray = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(toned, saturation, gray, 1 - saturation, 0), np.uint8)
