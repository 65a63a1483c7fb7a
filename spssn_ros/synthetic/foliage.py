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
"""Textures of crowns and hedges."""

import math

import cv2
import numpy as np

from spssn_ros.synthetic.randomness import Stream, generator
from spssn_ros.synthetic.textures import Image, Texture, tileable_noise

CROWNS = 7
"""Crown textures in a scene."""

_HUES = ((78, 112, 46), (62, 98, 48), (96, 122, 54), (108, 112, 44), (56, 88, 58))
_AUTUMN = ((168, 116, 44), (150, 84, 40), (140, 128, 52), (96, 112, 48))


def _leaves(
    rgba: Image,
    rng: np.random.Generator,
    center: tuple[float, float],
    radius: tuple[float, float],
    count: int,
    color: tuple[float, ...],
) -> None:
    """Dab leaves over an ellipse, dark ones first and below, light ones last and above."""
    height = rgba.shape[0]
    angle = rng.uniform(0, 2 * math.pi, count)
    reach = np.sqrt(rng.random(count))
    x = center[0] + radius[0] * reach * np.cos(angle)
    y = center[1] + radius[1] * reach * np.sin(angle)
    size = rng.uniform(0.008, 0.024, count) * height
    rise = (center[1] - y) / radius[1]  # -1 at the bottom of the clump, 1 at its top
    order = np.linspace(-0.5, 0.5, count)
    tone = 0.95 + 0.25 * rise + 0.30 * order + rng.normal(0, 0.09, count)
    for i in range(count):
        value = [min(max(channel * tone[i], 0), 225) for channel in color]
        middle = (int(x[i] * 16), int(y[i] * 16))
        cv2.circle(rgba, middle, int(size[i] * 16), (*value, 255), -1, cv2.LINE_8, 4)


def crowns(seed: int, size: int) -> list[Texture]:
    """Return the crowns of trees, `size` rows and columns each, roots towards the bottom."""
    rng = generator(seed, Stream.FOLIAGE)
    hues = _AUTUMN if rng.random() < 0.3 else _HUES
    made = []
    for _ in range(CROWNS):
        hue = np.array(hues[rng.integers(len(hues))]) * rng.uniform(0.85, 1.15)
        rgba = np.zeros((size, size, 4), np.uint8)
        slim = rng.uniform(0.62, 1.0)
        clumps = int(rng.integers(9, 15))
        # Clumps from the outside in and from low to high, as they cover one another.
        for i in range(clumps):
            turn = 2 * math.pi * (i / clumps * 2 + rng.uniform(0, 0.3))
            out = 0.30 * (1 - (i / clumps) ** 2)
            x = size * (0.5 + out * slim * math.cos(turn))
            y = size * (0.5 + out * math.sin(turn) - 0.06 * i / clumps)
            reach = size * rng.uniform(0.13, 0.20)
            tint = hue * rng.uniform(0.9, 1.12)
            _leaves(rgba, rng, (x, y), (reach * slim, reach), 150, tuple(tint))
        made.append(Texture(rgba))
    return made


def hedge(seed: int) -> Texture:
    """Return clipped hedge, 4 m wide and 1 m high, with a ragged upper edge."""
    rng = generator(seed, Stream.FOLIAGE, 1)
    rows, columns = 48, 192
    noise = tileable_noise(rng, rows, columns, 16, 3)
    fall = np.linspace(1.15, 0.65, rows, dtype=np.float32)[:, None]
    rgb = (0.55 + 0.9 * noise)[..., None] * fall[..., None] * np.array([66.0, 92.0, 44.0])
    rgba = np.dstack([np.clip(rgb, 0, 220), np.full((rows, columns), 255.0)]).astype(np.uint8)
    top = (tileable_noise(rng, columns, columns, 24, 2)[0] * 6).astype(int)
    for column, cut in enumerate(top):
        rgba[:cut, column, 3] = 0
    return Texture(rgba)
