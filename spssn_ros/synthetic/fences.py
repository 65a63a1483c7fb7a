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
"""Textures of fences: slats, pickets, boards and guard rails, open where one can see through."""

import numpy as np

from spssn_ros.synthetic.items import BarrierKind
from spssn_ros.synthetic.randomness import Stream, generator
from spssn_ros.synthetic.textures import Image, Texture

FENCE_M = 4.0
"""Length that one fence texture covers."""

_TEXELS_PER_M = 48
_WOOD = ((128, 96, 66), (150, 124, 92), (104, 84, 66), (112, 118, 112))
_PAINT = ((226, 224, 216), (222, 218, 200), (96, 128, 112), (140, 150, 160))
_IRON = ((34, 36, 38), (36, 58, 46), (30, 34, 60))
_STEEL = ((150, 154, 158), (172, 176, 172), (108, 114, 118))


def _canvas(height_m: float) -> Image:
    return np.zeros((round(height_m * _TEXELS_PER_M), round(FENCE_M * _TEXELS_PER_M), 4), np.uint8)


def _bar(
    rgba: Image, left: float, right: float, top: float, bottom: float, color: np.ndarray
) -> None:
    """Fill a rectangle given in metres from the upper left corner."""
    x0, x1, y0, y1 = (round(v * _TEXELS_PER_M) for v in (left, right, top, bottom))
    rgba[y0:y1, x0:x1] = (*np.clip(color, 0, 236), 255)


def _railing(rng: np.random.Generator) -> Texture:
    color = np.array(_IRON[rng.integers(len(_IRON))])
    rgba = _canvas(1.2)
    for x in np.arange(0.02, FENCE_M, 0.125).tolist():
        _bar(rgba, x, x + 0.045, 0.0, 1.2, color)
    for y in (0.12, 1.02):
        _bar(rgba, 0, FENCE_M, y, y + 0.06, color * 1.2)
    for x in np.arange(0.0, FENCE_M, 2.0).tolist():
        _bar(rgba, x, x + 0.09, 0.0, 1.2, color * 0.9)
    return Texture(rgba)


def _picket(rng: np.random.Generator) -> Texture:
    color = np.array(_PAINT[rng.integers(len(_PAINT))])
    rgba = _canvas(1.0)
    for y in (0.2, 0.72):
        _bar(rgba, 0, FENCE_M, y, y + 0.09, color * 0.72)
    for x in np.arange(0.02, FENCE_M, 0.16).tolist():
        _bar(rgba, x, x + 0.1, 0.06, 1.0, color * rng.uniform(0.9, 1.03))
        _bar(rgba, x + 0.03, x + 0.07, 0.0, 0.06, color)
    return Texture(rgba)


def _boards(rng: np.random.Generator) -> Texture:
    color = np.array(_WOOD[rng.integers(len(_WOOD))])
    rgba = _canvas(1.5)
    for x in np.arange(0.0, FENCE_M, 0.14).tolist():
        tone = rng.uniform(0.85, 1.1)
        _bar(rgba, x, x + 0.14, 0.05, 1.5, color * tone)
        _bar(rgba, x, x + 0.025, 0.05, 1.5, color * 0.55)
    _bar(rgba, 0, FENCE_M, 0.0, 0.08, color * 1.15)
    for x in (0.0, FENCE_M / 2):
        _bar(rgba, x, x + 0.12, 0.0, 1.5, color * 0.8)
    return Texture(rgba)


def _guard_rail(rng: np.random.Generator) -> Texture:
    color = np.array(_STEEL[rng.integers(len(_STEEL))])
    rgba = _canvas(1.05)
    for x in np.arange(0.06, FENCE_M, 0.115).tolist():
        _bar(rgba, x, x + 0.035, 0.0, 0.92, color * 0.9)
    for y in (0.0, 0.88):
        _bar(rgba, 0, FENCE_M, y, y + 0.06, color * 1.15)
    for x in (0.0, 1.92, 3.92):
        _bar(rgba, x, x + 0.08, 0.0, 1.05, color)
    return Texture(rgba)


def fences(seed: int) -> dict[BarrierKind, Texture]:
    """Return a texture for every kind of fence; a hedge is none."""
    makers = {
        BarrierKind.RAILING: _railing,
        BarrierKind.PICKET: _picket,
        BarrierKind.BOARDS: _boards,
        BarrierKind.GUARD_RAIL: _guard_rail,
    }
    return {
        kind: make(generator(seed, Stream.FACADE, -1 - kind.value))
        for kind, make in makers.items()
    }
