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
"""Joint augmentation of an image and its labels, by OpenCV."""

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.imaging.degradation import degrade
from spssn_ros.labels import UNKNOWN
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.draw import Augmentation, Shadow, Tone, draw_augmentation

Sample = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def augment(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    config: TrainConfig,
    rng: np.random.Generator,
) -> Sample:
    """Degrade, then scale, rotate, flip and crop both alike in one warp, then change the look.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 class ids, 255 void.
        config: see `draw_augmentation`.
        rng: the only source of chance, so that a sample can be drawn again.

    Returns:
        image (crop height, crop width, 3) and labels (crop height, crop width); labels are 255
        where the sample reaches beyond the image.

    """
    drawn = draw_augmentation(config, (image.shape[1], image.shape[0]), rng)
    return apply_augmentation(image, labels, drawn, config.crop)


def apply_augmentation(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    drawn: Augmentation,
    crop: tuple[int, int],
) -> Sample:
    """Do what was drawn; arguments and result as of `augment`, `crop` is (width, height)."""
    # On the frame, as a camera does it: enlarged with the picture, it weighs what it will in use.
    frame = image if drawn.damage is None else degrade(image, drawn.damage)
    warped = cv2.warpAffine(frame, drawn.matrix, crop, flags=cv2.INTER_LINEAR)
    warped_labels = cv2.warpAffine(
        labels,
        drawn.matrix,
        crop,
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=UNKNOWN,
    )
    picture = np.asarray(warped, np.uint8)
    if drawn.tone is not None:
        picture = apply_tone(picture, drawn.tone)
    if drawn.shadow is not None:
        picture = _cast(picture, drawn.shadow)
    return picture, np.asarray(warped_labels, np.uint8)


def apply_tone(image: NDArray[np.uint8], tone: Tone) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB with its colours changed."""
    toned = cv2.LUT(image, tone.table[None])
    if tone.hue:
        toned = cv2.transform(toned, hue_matrix(tone.hue))
    gray = cv2.cvtColor(toned, cv2.COLOR_RGB2GRAY)
    gray = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
    saturated = cv2.addWeighted(toned, tone.saturation, gray, 1 - tone.saturation, 0)
    return np.asarray(saturated, np.uint8)


def hue_matrix(radians: float) -> NDArray[np.float64]:
    """Return the (3, 3) matrix that turns RGB about the grey axis: grey stays as it is."""
    cos, sin = np.cos(radians), np.sin(radians)
    cross = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turned: NDArray[np.float64] = cos * np.eye(3) + sin * cross + (1 - cos) / 3
    return turned


def shadow_light(shadow: Shadow, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the factor of each pixel's value, (height, width), for a picture of `size`."""
    width, height = size
    diagonal = float(np.hypot(width, height))
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * (shadow.normal[0] / diagonal)
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) * (shadow.normal[1] / diagonal)
    inside = (x[None] + y[:, None]) - (shadow.start + shadow.width / 2)
    # 1 within the band, 0 beyond its soft borders.
    depth = (shadow.width / 2 - np.abs(inside)) / shadow.softness + 0.5
    # Values are about light to the power of 1 / 2.2.
    light = 1 - np.clip(depth, 0, 1) * (1 - shadow.light ** (1 / 2.2))
    return light.astype(np.float32)


def _cast(image: NDArray[np.uint8], shadow: Shadow) -> NDArray[np.uint8]:
    light = shadow_light(shadow, (image.shape[1], image.shape[0]))
    mask = cv2.cvtColor((light * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(image, mask, scale=1 / 255), np.uint8)
