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
"""Textures and how they are kept: noise that repeats without seams, and reduced copies."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

GLOW_FROM = 240
"""Texture values from here up stand for light of their own (lit windows), not for albedo."""

_LEVELS = 5


class Texture:
    """An RGB picture with alpha, and copies of it reduced along each axis on its own.

    Walls are seen at grazing angles, much denser across than down; picking a copy for each axis
    keeps them free of both flicker and blur.

    Args:
        rgba: (h, w, 4) uint8.

    """

    def __init__(self, rgba: Image) -> None:
        self.height, self.width = rgba.shape[:2]
        self._rgba = rgba
        self._levels: dict[tuple[int, int], Image] = {(0, 0): rgba}
        self._repeats: dict[int, Texture] = {}

    def repeated(self, times: float) -> 'Texture':
        """Return the texture so many times side by side, in steps of an eighth."""
        eighths = max(round(times * 8), 1)
        made = self._repeats.get(eighths)
        if made is None:
            columns = max(self.width * eighths // 8, 1)
            tiled = np.tile(self._rgba, (1, -(-eighths // 8), 1))[:, :columns]
            made = self._repeats[eighths] = Texture(np.ascontiguousarray(tiled))
        return made

    def level(self, texels_across: float, texels_down: float) -> Image:
        """Return the copy to use where a screen pixel spans so many texels, (h', w', 4) uint8."""
        across = min(max(int(np.log2(max(texels_across, 1.0)) + 0.3), 0), _LEVELS)
        down = min(max(int(np.log2(max(texels_down, 1.0)) + 0.3), 0), _LEVELS)
        copy = self._levels.get((across, down))
        if copy is None:
            size = (max(self.width >> across, 1), max(self.height >> down, 1))
            copy = _reduce(self._rgba, size)
            self._levels[across, down] = copy
        return copy


def _reduce(rgba: Image, size: tuple[int, int]) -> Image:
    alpha = rgba[..., 3:].astype(np.float32) / 255
    # Averaging colours weighted by alpha keeps the background's colour out of the edges.
    weighted = np.concatenate([rgba[..., :3] * alpha, alpha], axis=2)
    small = np.asarray(cv2.resize(weighted, size, interpolation=cv2.INTER_AREA), np.float32)
    cover = small[..., 3:]
    color = small[..., :3] / np.maximum(cover, 1e-3)
    # Railings and leaves must not vanish where they get thinner than a pixel.
    kept = np.minimum(cover * 2.4, 1.0)
    return np.rint(np.concatenate([color, kept * 255], axis=2)).astype(np.uint8)


def tileable_noise(
    rng: np.random.Generator, height: int, width: int, cells: int, octaves: int
) -> NDArray[np.float32]:
    """Return smooth noise (height, width), 0..1, that continues across its borders.

    Args:
        rng: source of the numbers.
        height: rows.
        width: columns.
        cells: bumps along a side in the coarsest octave.
        octaves: layers, each twice as fine and half as strong as the one before.

    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        count = min(cells << octave, height, width)
        grid = rng.random((count, count)).astype(np.float32)
        padded = np.pad(grid, 2, mode='wrap')
        scale_x, scale_y = width / count, height / count
        big = cv2.resize(
            padded,
            (round((count + 4) * scale_x), round((count + 4) * scale_y)),
            interpolation=cv2.INTER_CUBIC,
        )
        top, left = round(2 * scale_y), round(2 * scale_x)
        total += big[top : top + height, left : left + width] * 0.5**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)
