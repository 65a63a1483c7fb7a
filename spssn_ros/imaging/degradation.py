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
"""What spoils camera images: blur, noise, darkness, over-exposure, JPEG, low resolution.

Lengths are for pictures 480 pixels wide and grow with the width.
"""

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]


class Degradation(str, Enum):
    """One way in which an image can be worse than those a network was trained on."""

    BLUR = 'blur'
    MOTION_BLUR = 'motion_blur'
    NOISE = 'noise'
    DARK = 'dark'
    OVEREXPOSED = 'overexposed'
    JPEG = 'jpeg'
    LOW_RESOLUTION = 'low_resolution'


@dataclass(frozen=True)
class _Range:
    """A degradation's quantity: mild, strong, and as robustness is measured."""

    mild: float
    strong: float
    fixed: float


_RANGES = {
    # Standard deviation of the Gaussian in pixels, at a width of 480.
    Degradation.BLUR: _Range(0.5, 3.0, 2.0),
    # Length of the path in pixels, at a width of 480.
    Degradation.MOTION_BLUR: _Range(3.0, 15.0, 9.0),
    # Standard deviation in grey levels.
    Degradation.NOISE: _Range(4.0, 30.0, 20.0),
    # Part of the light that is left; see `darken`.
    Degradation.DARK: _Range(0.6, 0.1, 0.25),
    # Factor of the exposure.
    Degradation.OVEREXPOSED: _Range(1.3, 4.0, 2.5),
    # JPEG quality.
    Degradation.JPEG: _Range(60.0, 20.0, 30.0),
    # Factor by which the picture is reduced and enlarged again.
    Degradation.LOW_RESOLUTION: _Range(1.5, 3.0, 2.0),
}


@dataclass(frozen=True)
class Damage:
    """One degradation, drawn.

    Attributes:
        kind: what happens.
        amount: how much of it, in the unit of its kind.
        angle: direction of motion blur in radians.
        seed: of the noise.

    """

    kind: Degradation
    amount: float
    angle: float = 0.0
    seed: int = 0


def fixed_damage(kind: Degradation, seed: int = 0) -> Damage:
    """Return the degradation at the severity at which robustness is measured."""
    return Damage(kind, _RANGES[kind].fixed, seed=seed)


def draw_damage(rng: np.random.Generator) -> Damage:
    """Draw one degradation, all kinds alike, anywhere from mild to strong."""
    kind = list(Degradation)[rng.integers(len(Degradation))]
    limits = _RANGES[kind]
    amount = limits.mild + rng.random() * (limits.strong - limits.mild)
    angle, seed = rng.uniform(0, np.pi), rng.integers(2**31)
    return Damage(kind, float(amount), float(angle), int(seed))


def degrade(image: Rgb, damage: Damage) -> Rgb:
    """Return an image of the same size, degraded; the same arguments give the same pixels.

    Args:
        image: (H, W, 3) uint8 RGB.
        damage: what happens to it.

    """
    amount, unit = damage.amount, image.shape[1] / 480
    if damage.kind is Degradation.BLUR:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), amount * unit), np.uint8)
    if damage.kind is Degradation.MOTION_BLUR:
        kernel = motion_kernel(amount * unit, damage.angle)
        return np.asarray(cv2.filter2D(image, -1, kernel), np.uint8)
    if damage.kind is Degradation.NOISE:
        return _add_noise(image, amount, damage.seed)
    if damage.kind is Degradation.DARK:
        dark = cv2.LUT(image, tone_table(damage))
        return _add_noise(np.asarray(dark, np.uint8), sensor_noise(amount), damage.seed)
    if damage.kind is Degradation.OVEREXPOSED:
        return np.asarray(cv2.LUT(image, tone_table(damage)), np.uint8)
    if damage.kind is Degradation.JPEG:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, round(amount)])
        decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
    size = image.shape[1], image.shape[0]
    small = max(1, round(size[0] / amount)), max(1, round(size[1] / amount))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def tone_table(damage: Damage) -> Rgb:
    """Return the (256,) uint8 look-up table of darkness or over-exposure.

    Both change linear light, whose relation to the stored values is about a power of 2.2. In the
    dark the shadows go first: cameras clip what is near black.
    """
    light = np.linspace(0, 1, 256) ** 2.2 * damage.amount
    if damage.kind is Degradation.DARK:
        light = np.maximum(0, light - 0.004) / (1 - 0.004)
    return np.rint(255 * np.minimum(1, light) ** (1 / 2.2)).astype(np.uint8)


def sensor_noise(light: float) -> float:
    """Return the noise, in grey levels, of a camera that has this part of the usual light."""
    return 2.5 / float(np.sqrt(light))


def motion_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """Return a kernel, of odd sides, sum 1, that smears along a line of `length` pixels."""
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    reach = (length - 1) / 2
    for step in np.linspace(-reach, reach, 4 * side):
        x, y = side // 2 + step * np.cos(angle), side // 2 + step * np.sin(angle)
        # Each point of the line is shared by the four pixels around it.
        for column in (int(x), int(x) + 1):
            for row in (int(y), int(y) + 1):
                weight = max(0.0, 1 - abs(x - column)) * max(0.0, 1 - abs(y - row))
                if weight:
                    kernel[row, column] += weight
    return kernel / kernel.sum()


def _add_noise(image: Rgb, sigma: float, seed: int) -> Rgb:
    noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
    noise *= sigma
    noise += image
    return np.rint(noise, out=noise).clip(0, 255, out=noise).astype(np.uint8)
