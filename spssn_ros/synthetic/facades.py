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
"""Textures of house fronts: walls, windows, doors and shops."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spssn_ros.synthetic.randomness import Stream, generator
from spssn_ros.synthetic.textures import Image, Texture, tileable_noise

FACADES = 16
"""House fronts in a scene."""

_WALLS = (
    (158, 92, 72), (140, 78, 64), (176, 116, 84), (196, 164, 116),  # bricks
    (214, 204, 182), (222, 214, 204), (202, 178, 150), (186, 196, 200), (216, 190, 160),
    (170, 168, 162), (150, 160, 170), (205, 160, 140),
)  # fmt: skip
_BRICKS = 4  # so many of the walls above are of brick
_FRAMES = ((232, 232, 228), (70, 62, 56), (120, 96, 72), (225, 220, 205))
_DOORS = ((40, 62, 88), (112, 36, 34), (36, 78, 56), (60, 48, 42), (190, 170, 60), (28, 28, 32))
_AWNINGS = ((168, 40, 44), (38, 82, 128), (40, 104, 72), (214, 168, 56), (96, 52, 104))
_GLASS = ((58, 72, 88), (72, 88, 102), (46, 56, 66), (90, 104, 116))
_LIT = (252, 250, 247)


@dataclass(frozen=True)
class Facade:
    """A house front.

    Attributes:
        texture: its picture.
        width_m: its breadth.
        height_m: its height up to the eaves.
        wall: (3,) albedo of the bare wall, for the sides of the house.
        pitched: whether a sloping roof sits on it.

    """

    texture: Texture
    width_m: float
    height_m: float
    wall: tuple[float, ...]
    pitched: bool


class _Front:
    """A facade being drawn, addressed in metres from its lower left corner."""

    def __init__(self, width_m: float, height_m: float, texels_per_m: float) -> None:
        self.scale = texels_per_m
        shape = (round(height_m * texels_per_m), round(width_m * texels_per_m), 3)
        self.rgb: Image = np.zeros(shape, np.uint8)

    def box(self, x: float, y: float, width: float, height: float, color: ArrayLike) -> None:
        """Fill a rectangle whose lower left corner is (x, y)."""
        rows = self.rgb.shape[0]
        left, right = round(x * self.scale), round((x + width) * self.scale)
        top, bottom = rows - round((y + height) * self.scale), rows - round(y * self.scale)
        self.rgb[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = np.asarray(color)


def _shade(color: tuple[float, ...], factor: float) -> NDArray[np.float64]:
    return np.clip(np.array(color) * factor, 0, 236)


def _wall(front: _Front, rng: np.random.Generator, color: tuple[float, ...], brick: bool) -> None:
    rows, columns = front.rgb.shape[:2]
    stain = tileable_noise(rng, rows, columns, 3, 4)
    grain = rng.normal(0, 0.025, (rows, columns)).astype(np.float32)
    tone = 0.88 + 0.2 * stain + grain
    if brick:
        course = max(round(0.16 * front.scale), 3)
        tone[::course] *= 0.86
        for i, top in enumerate(range(0, rows, course)):
            tone[top : top + course, (i % 2) * course :: 2 * course] *= 0.9
    front.rgb[:] = np.clip(tone[..., None] * np.array(color, np.float32), 0, 236)


def _window(
    front: _Front,
    rng: np.random.Generator,
    x: float,
    y: float,
    size: tuple[float, float],
    frame: tuple[float, ...],
    lit: bool,
) -> None:
    width, height = size
    front.box(x - 0.12, y - 0.14, width + 0.24, 0.14, _shade(frame, 0.92))
    front.box(x - 0.08, y, width + 0.16, height + 0.14, _shade(frame, 1.0))
    glass = _LIT if lit else _GLASS[rng.integers(len(_GLASS))]
    front.box(x, y, width, height, glass)
    if not lit:
        # The sky's reflection in the upper part, curtains in some.
        front.box(x, y + height * 0.55, width, height * 0.45, _shade(glass, 1.3))
        if rng.random() < 0.4:
            front.box(x, y, width * 0.22, height, (186, 180, 168))
            front.box(x + width * 0.78, y, width * 0.22, height, (186, 180, 168))
    bar = 0.06
    front.box(x + width / 2 - bar / 2, y, bar, height, frame)
    if rng.random() < 0.7:
        front.box(x, y + height * 0.6, width, bar, frame)


def _ground_floor(
    front: _Front, rng: np.random.Generator, bays: int, bay_m: float, lit_windows: float
) -> None:
    """Draw a shop in some houses, a door beside windows in the others."""
    width = bays * bay_m
    if rng.random() < 0.4:
        color = _AWNINGS[rng.integers(len(_AWNINGS))]
        front.box(0.15, 0, width - 0.3, 2.9, _shade(color, 0.55))
        door = int(rng.integers(bays))
        for bay in range(bays):
            glass = _LIT if rng.random() < lit_windows * 1.6 else (66, 78, 88)
            low = 0.1 if bay == door else 0.6
            front.box(bay * bay_m + 0.3, low, bay_m - 0.6, 2.3 - low, glass)
            if glass is not _LIT:
                front.box(bay * bay_m + 0.3, 1.5, bay_m - 0.6, 0.8, (96, 108, 116))
            if bay == door:
                front.box((bay + 0.5) * bay_m - 0.05, 0, 0.1, 2.3, _shade(color, 0.5))
        front.box(0.15, 2.45, width - 0.3, 0.6, color)
        if rng.random() < 0.5:
            for stripe in np.arange(0.15, width - 0.4, 0.8).tolist():
                front.box(stripe, 2.45, 0.4, 0.6, (226, 222, 212))
        return
    frame = _FRAMES[rng.integers(len(_FRAMES))]
    door = int(rng.integers(bays))
    front.box(0, 0, width, 0.45, _shade((120, 112, 104), 0.9))
    for bay in range(bays):
        middle = (bay + 0.5) * bay_m
        if bay == door:
            front.box(middle - 0.62, 0, 1.24, 2.6, _shade(frame, 0.95))
            front.box(middle - 0.5, 0, 1.0, 2.1, _DOORS[rng.integers(len(_DOORS))])
            front.box(middle - 0.5, 2.15, 1.0, 0.35, (84, 98, 110))
            front.box(middle + 0.3, 1.0, 0.1, 0.1, (200, 180, 90))
        else:
            _window(front, rng, middle - 0.6, 0.9, (1.2, 1.5), frame, rng.random() < lit_windows)


def _make(rng: np.random.Generator, texels_per_m: float, tall: bool, lit: float) -> Facade:
    bays = int(rng.integers(2, 5))
    bay_m = float(rng.uniform(2.5, 3.5))
    floors = int(rng.integers(3, 7) if tall else rng.integers(2, 4))
    floor_m = float(rng.uniform(2.9, 3.3))
    width_m, height_m = bays * bay_m, floors * floor_m + 0.6
    kind = int(rng.integers(len(_WALLS)))
    wall = tuple(float(c) for c in np.array(_WALLS[kind]) * rng.uniform(0.88, 1.06))
    front = _Front(width_m, height_m, texels_per_m)
    _wall(front, rng, wall, kind < _BRICKS)
    _ground_floor(front, rng, bays, bay_m, lit)
    frame = _FRAMES[rng.integers(len(_FRAMES))]
    band = floors > 3 and rng.random() < 0.3  # an office: windows from side to side
    pane = (bay_m - 0.3, 1.8) if band else (float(rng.uniform(0.9, 1.5)), 1.55)
    for floor in range(1, floors):
        base = floor * floor_m
        for bay in range(bays):
            left = (bay + 0.5) * bay_m - pane[0] / 2
            _window(front, rng, left, base + 0.75, pane, frame, rng.random() < lit)
        if not band and rng.random() < 0.4:
            front.box(0, base - 0.1, width_m, 0.16, _shade(wall, 0.82))
    # Eaves, and a dark seam on both sides that tells neighbours apart.
    front.box(0, height_m - 0.45, width_m, 0.45, _shade(wall, 1.12))
    front.box(0, height_m - 0.5, width_m, 0.07, _shade(wall, 0.5))
    front.box(0, 0, 0.07, height_m, _shade(wall, 0.6))
    front.box(width_m - 0.07, 0, 0.07, height_m, _shade(wall, 0.6))
    rgb = cv2.GaussianBlur(front.rgb, (3, 3), 0.5)
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    pitched = floors <= 3 and rng.random() < 0.75
    return Facade(Texture(rgba), width_m, height_m, wall, pitched)


def facades(seed: int, texels_per_m: float, tall: float, lit_windows: float) -> list[Facade]:
    """Return the house fronts of a scene.

    Args:
        seed: the scene's seed.
        texels_per_m: resolution of the pictures.
        tall: fraction of town houses with up to six floors; the others have two or three.
        lit_windows: fraction of windows with the lamps on.

    """
    made = []
    for i in range(FACADES):
        rng = generator(seed, Stream.FACADE, i)
        made.append(_make(rng, texels_per_m, rng.random() < tall, lit_windows))
    return made
