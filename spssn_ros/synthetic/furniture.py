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
"""Painting street furniture: lamp posts, bollards, traffic signs and lights."""

import math
from dataclasses import dataclass

import numpy as np

from spssn_ros.labels import CAMVID
from spssn_ros.synthetic.camera import Array
from spssn_ros.synthetic.items import Bollard, Color, Lamp, Sign, SignKind, TrafficLight
from spssn_ros.synthetic.layout import KERB_M
from spssn_ros.synthetic.painter import Painter

_POLE = CAMVID.index('pole')
_SIGN = CAMVID.index('sign_symbol')

_STEEL: Color = (124, 128, 132)
_DARK: Color = (58, 62, 64)
_BACK: Color = (138, 140, 142)
_RED: Color = (196, 30, 36)
_WHITE: Color = (228, 228, 226)
_BLUE: Color = (28, 82, 164)
_GREEN: Color = (24, 104, 66)
_BLACK: Color = (30, 30, 32)

Shape = tuple[tuple[float, float], ...]  # x to the right, y up, in plate radii

_DISC: Shape = tuple(
    (math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 16, endpoint=False)
)
_UP: Shape = ((-1.1, -0.75), (1.1, -0.75), (0.0, 1.1))
_DOWN: Shape = ((-1.1, 0.75), (1.1, 0.75), (0.0, -1.1))
_SQUARE: Shape = ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9))
_BOARD: Shape = ((-2.4, -1.1), (2.4, -1.1), (2.4, 1.1), (-2.4, 1.1))


def _box(x0: float, x1: float, y0: float, y1: float) -> Shape:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def _scaled(shape: Shape, factor: float, up: float = 0.0) -> Shape:
    return tuple((x * factor, y * factor + up) for x, y in shape)


_DIGITS = (_box(-0.42, -0.06, -0.4, 0.4), _box(0.06, 0.42, -0.4, 0.4))

# Layers from the plate up; the first one is its outline.
_PLATES: dict[SignKind, tuple[tuple[Shape, Color], ...]] = {
    SignKind.LIMIT: (
        (_DISC, _RED),
        (_scaled(_DISC, 0.74), _WHITE),
        *((digit, _BLACK) for digit in _DIGITS),
    ),
    SignKind.WARNING: (
        (_UP, _RED),
        (_scaled(_UP, 0.66), _WHITE),
        (_box(-0.09, 0.09, -0.28, 0.34), _BLACK),
    ),
    SignKind.GIVE_WAY: ((_DOWN, _RED), (_scaled(_DOWN, 0.62), _WHITE)),
    SignKind.MANDATORY: (
        (_DISC, _BLUE),
        (_box(-0.1, 0.1, -0.6, 0.2), _WHITE),
        (((-0.4, 0.1), (0.4, 0.1), (0.0, 0.65)), _WHITE),
    ),
    SignKind.PARKING: (
        (_SQUARE, _BLUE),
        (_box(-0.35, -0.12, -0.6, 0.6), _WHITE),
        (_box(-0.12, 0.38, 0.0, 0.6), _WHITE),
        (_box(-0.12, 0.16, 0.18, 0.42), _BLUE),
    ),
    SignKind.DIRECTION: (
        (_BOARD, _WHITE),
        (_scaled(_BOARD, 0.93), _GREEN),
        (_box(-1.9, 0.8, 0.25, 0.6), _WHITE),
        (_box(-1.9, 0.2, -0.6, -0.25), _WHITE),
        (((1.2, -0.5), (1.9, 0.0), (1.2, 0.5)), _WHITE),
    ),
    SignKind.NO_ENTRY: ((_DISC, _RED), (_box(-0.68, 0.68, -0.16, 0.16), _WHITE)),
}


@dataclass(frozen=True)
class _Plate:
    """A sign's layers, from the plate up, in plate radii; the topmost may shine."""

    points: Array  # (N, 2)
    spans: tuple[tuple[int, int], ...]
    colors: Array  # (K, 3)
    shines: bool


def _plate(layers: tuple[tuple[Shape, Color], ...], shines: bool = False) -> _Plate:
    ends = np.cumsum([len(shape) for shape, _ in layers]).tolist()
    return _Plate(
        np.concatenate([np.array(shape) for shape, _ in layers]),
        tuple(zip([0, *ends[:-1]], ends, strict=True)),
        np.array([color for _, color in layers], np.float64),
        shines,
    )


_FRONTS = {kind: _plate(layers) for kind, layers in _PLATES.items()}
_BACKS = {kind: _plate(((layers[0][0], _BACK),)) for kind, layers in _PLATES.items()}
_HEAD_FRONT = _plate(
    (
        (_box(-0.24, 0.24, -0.5, 0.5), _BLACK),
        (_box(-0.18, 0.18, -0.46, 0.46), (50, 52, 54)),
        (_scaled(_DISC, 0.11, 0.3), (70, 12, 14)),
        (_scaled(_DISC, 0.11), (78, 64, 16)),
        (_scaled(_DISC, 0.11, -0.3), (60, 236, 140)),
    ),
    shines=True,
)
_HEAD_BACK = _plate(((_box(-0.24, 0.24, -0.5, 0.5), _BLACK),))


def _post(
    painter: Painter,
    x: float,
    z: float,
    height_m: float,
    radius_m: float,
    color: Color,
    band: tuple[float, float] | None = None,
) -> float | None:
    """Paint an upright post; return its distance, None where it is behind the camera.

    `band` is a white stretch of it, as parts of its height.
    """
    at = painter.locate([(x, KERB_M, z), (x, KERB_M + height_m, z)])
    if at is None:
        return None
    (x0, y0, scale), (x1, y1, _) = at.tolist()
    depth = painter.camera.focal / scale
    half = max(radius_m * scale, 0.5)
    steel, white = painter.lit_all((color, _WHITE), painter.light.soft, depth, _POLE)
    parts = [((0.0, 1.0), steel)] if band is None else [((0.0, 1.0), steel), (band, white)]
    for (low, high), value in parts:
        xa, xb = x0 + (x1 - x0) * low, x0 + (x1 - x0) * high
        ya, yb = y0 + (y1 - y0) * low, y0 + (y1 - y0) * high
        outline = [(xa - half, ya), (xa + half, ya), (xb + half * 0.8, yb), (xb - half * 0.8, yb)]
        painter.fill(np.array(outline), value)
    return depth


def _mount(
    painter: Painter, plate: _Plate, center: tuple[float, float, float], radius_m: float
) -> None:
    """Paint a plate upright across the street."""
    points = np.full((len(plate.points), 3), center)
    points[:, :2] += plate.points * radius_m
    depth = center[2] - float(painter.camera.position[2])
    values = painter.lit_all(plate.colors, painter.light.back * 1.08, depth, _SIGN)
    if plate.shines:
        values[-1][:3] = plate.colors[-1].tolist()
    painter.faces(points, plate.spans, values)


def paint_lamp(painter: Painter, lamp: Lamp) -> None:
    """Paint a lamp post, its arm over the road and its head."""
    depth = _post(painter, lamp.x, lamp.z, lamp.height_m, 0.085, _STEEL)
    if depth is None:
        return
    top, over, tip = KERB_M + lamp.height_m, lamp.x - lamp.side * 1.7, lamp.x - lamp.side * 2.25
    at = painter.locate([
        (lamp.x, top, lamp.z), (over, top + 0.25, lamp.z), (tip, top + 0.27, lamp.z),
        (over, top + 0.19, lamp.z), (tip, top + 0.21, lamp.z),
    ])  # fmt: skip
    if at is None:
        return
    arm, head = painter.lit_all((_STEEL, _DARK), painter.light.soft, depth, _POLE)
    radii, values = [(0.055, 0.05), (0.09, 0.1)], [arm, head]
    starts, ends = [0, 1], [1, 2]
    if painter.light.lamps_on:
        radii.append((0.05, 0.06))
        values.append([255.0, 226.0, 160.0, _POLE])
        starts, ends = [0, 1, 3], [1, 2, 4]
    painter.capsules(at[starts], at[ends], radii, values)


def paint_bollard(painter: Painter, bollard: Bollard) -> None:
    """Paint a knee-high post with a light band."""
    _post(painter, bollard.x, bollard.z, 0.95, 0.075, _DARK, band=(0.75, 0.9))


def paint_sign(painter: Painter, sign: Sign) -> None:
    """Paint a post and the plate on it."""
    radius, height = (0.42, 2.75) if sign.kind is SignKind.DIRECTION else (0.38, 2.45)
    center = (sign.x, KERB_M + height, sign.z)
    if sign.faces_ego:
        _post(painter, sign.x, sign.z, height + 0.3, 0.045, _STEEL)
        _mount(painter, _FRONTS[sign.kind], center, radius)
    else:
        _mount(painter, _BACKS[sign.kind], center, radius)
        _post(painter, sign.x, sign.z, height + 0.3, 0.045, _STEEL)


def paint_traffic_light(painter: Painter, head: TrafficLight) -> None:
    """Paint a post with a signal head; its lamps show only to those whom it faces."""
    _post(painter, head.x, head.z, 3.3, 0.07, _DARK)
    plate = _HEAD_FRONT if head.faces_ego else _HEAD_BACK
    _mount(painter, plate, (head.x, KERB_M + 2.85, head.z), 1.0)
