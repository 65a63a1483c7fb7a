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
"""Chance in augmentation: what is done to one sample, drawn once, whatever then does it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spssn_ros.imaging.degradation import Damage, draw_damage
from spssn_ros.training.config import TrainConfig


@dataclass(frozen=True)
class Tone:
    """Change of colours.

    Attributes:
        table: (256, 3) uint8, the new value of each old one, for red, green and blue.
        saturation: factor of what differs from grey.
        hue: turn about the grey axis, in radians.

    """

    table: NDArray[np.uint8]
    saturation: float
    hue: float


@dataclass(frozen=True)
class Shadow:
    """A dark band across the picture, with soft borders.

    Attributes:
        normal: (x, y) unit vector across the band.
        start: where the band begins along the normal from the picture's centre, as part of the
            picture's diagonal.
        width: of the band, and `softness` of each border, likewise.
        light: part of the light that is left in it.

    """

    normal: tuple[float, float]
    start: float
    width: float
    softness: float
    light: float


@dataclass(frozen=True)
class Augmentation:
    """What is done to one sample.

    Attributes:
        matrix: (2, 3) float64, maps the frame's pixel coordinates to the crop's; pixel centres
            are whole numbers, as OpenCV has it.
        tone: change of the crop's colours, if any.
        shadow: cast on the crop, if any.
        damage: degradation of the frame, before all else, if any.

    """

    matrix: NDArray[np.float64]
    tone: Tone | None = None
    shadow: Shadow | None = None
    damage: Damage | None = None


def draw_augmentation(
    config: TrainConfig, size: tuple[int, int], rng: np.random.Generator
) -> Augmentation:
    """Draw what is done to a frame.

    Args:
        config: crop, scale, rotate_degrees, color, hue, dusk, shadows, degrade.
        size: (width, height) of the frame in pixels.
        rng: the only source of chance, so that a sample can be drawn again.

    """
    matrix = _draw_matrix(config, size, rng)
    tone = draw_tone(config, rng) if config.color or config.hue or config.dusk else None
    shadow = _draw_shadow(rng) if config.shadows and rng.random() < config.shadows else None
    damage = draw_damage(rng) if config.degrade and rng.random() < config.degrade else None
    return Augmentation(matrix, tone, shadow, damage)


def _draw_matrix(
    config: TrainConfig, size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    width, height = config.crop
    low, high = config.scale
    # Scale 1 is the whole frame at the size of the crop.
    fit = max(width / size[0], height / size[1])
    scale = fit * float(np.exp(rng.uniform(np.log(low), np.log(high))))
    angle = np.deg2rad(rng.uniform(-config.rotate_degrees, config.rotate_degrees))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    # The crop's centre looks at a point drawn so that the crop stays inside where it can.
    margin = np.array([width, height]) / (2 * scale)
    frame = np.array(size, np.float64)
    slack = np.abs(frame / 2 - margin)
    centre = frame / 2 + rng.uniform(-1, 1, 2) * slack
    # OpenCV counts from the centre of the first pixel, half a pixel inside the image.
    matrix[:, 2] = np.array([width, height]) / 2 - 0.5 - matrix[:, :2] @ (centre - 0.5)
    return matrix


def draw_tone(config: TrainConfig, rng: np.random.Generator) -> Tone:
    """Draw brightness, contrast, gamma, white balance and saturation, each about color strong.

    Then hue, and low light with probability `dusk`.
    """
    strength = config.color
    gamma = np.exp(rng.uniform(-strength, strength))
    contrast = np.exp(rng.uniform(-strength, strength))
    brightness = rng.uniform(-strength, strength) * 0.5
    balance = np.exp(rng.uniform(-strength, strength, 3) * 0.3)
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * balance
    levels = (levels - 0.5) * contrast + 0.5 + brightness
    saturation = np.exp(rng.uniform(-strength, strength))
    hue = np.deg2rad(rng.uniform(-config.hue, config.hue)) if config.hue else 0.0
    if config.dusk and rng.random() < config.dusk:
        levels = _dim(levels, rng)
    table = np.clip(levels * 255, 0, 255).astype(np.uint8)
    return Tone(table, float(saturation), float(hue))


def _dim(levels: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Take most of the light away, and tint what is left warm (a low sun) or cold (a clear sky).

    Light is about the stored value to the power of 2.2.
    """
    light = np.exp(rng.uniform(np.log(0.2), np.log(0.7)))
    warmth = rng.uniform(-0.4, 0.4)
    tint = np.exp(np.array([warmth, 0.0, -warmth]))
    dimmed: NDArray[np.float64] = (np.clip(levels, 0, 1) ** 2.2 * light * tint) ** (1 / 2.2)
    return dimmed


def _draw_shadow(rng: np.random.Generator) -> Shadow:
    angle = rng.uniform(0, 2 * np.pi)
    return Shadow(
        normal=(float(np.cos(angle)), float(np.sin(angle))),
        start=float(rng.uniform(-0.5, 0.4)),
        width=float(rng.uniform(0.1, 0.6)),
        softness=float(np.exp(rng.uniform(np.log(0.005), np.log(0.1)))),
        light=float(rng.uniform(0.3, 0.7)),
    )
