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
"""Cars as small solid models: a body and a greenhouse of flat faces, wheels and lamps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cache

import numpy as np
from numpy.typing import NDArray

from spssn_ros.labels import CAMVID
from spssn_ros.synthetic.camera import Array
from spssn_ros.synthetic.items import Car, CarBody
from spssn_ros.synthetic.painter import Painter

_CAR = CAMVID.index('car')
_DETAIL_PX_PER_M = 9.0  # trims, lamps and plates are left out where a metre is smaller

Point = tuple[float, float, float]


class _Material(IntEnum):
    BODY = 0
    GLASS = auto()
    TYRE = auto()
    HUB = auto()
    TRIM = auto()
    HEADLAMP = auto()
    REAR_LAMP = auto()
    PLATE = auto()


# By material; the body's row is replaced by each car's own colour.
_ALBEDO = np.array(
    [
        (0, 0, 0), (46, 56, 66), (26, 26, 28), (150, 152, 156), (34, 35, 38), (226, 228, 226),
        (164, 24, 26), (222, 214, 150),
    ],
    np.float64,
)  # fmt: skip
_GLOW: dict[int, list[float]] = {
    _Material.HEADLAMP: [255.0, 250.0, 228.0],
    _Material.REAR_LAMP: [244.0, 40.0, 34.0],
}


@dataclass(frozen=True)
class _Shape:
    """Measures of a body: half length and half width, heights, and where the windows begin."""

    length: float
    width: float
    sill: float
    belt: float
    roof: float
    nose: float
    screen: tuple[float, float]  # z of the windscreen's lower and upper edge
    back: tuple[float, float]  # z of the rear window's upper and lower edge
    panel_van: bool = False


_SHAPES = {
    CarBody.HATCHBACK: _Shape(2.0, 0.86, 0.28, 0.92, 1.47, 0.72, (1.05, 0.3), (-1.45, -1.88)),
    CarBody.SALOON: _Shape(2.3, 0.89, 0.27, 0.92, 1.43, 0.70, (1.05, 0.3), (-0.95, -1.6)),
    CarBody.SUV: _Shape(2.25, 0.93, 0.36, 1.06, 1.72, 0.92, (1.15, 0.5), (-1.9, -2.16)),
    CarBody.VAN: _Shape(2.6, 0.97, 0.34, 1.16, 2.1, 1.0, (1.95, 1.25), (-2.5, -2.58), True),
}


@dataclass(frozen=True)
class Model:
    """A body's faces in painting order; only those turned to the camera are drawn.

    Attributes:
        points: (V, 3) corners of all faces, x right, y up, z forward.
        spans: where each face's corners start and end in `points`.
        anchors: (F, 3) a point of each face.
        normals: (F, 3) outward unit normals.
        materials: (F,) what each face is made of.
        detail: (F,) whether the face is left out from afar.
        footprint: half length and half width, metres.
        height: metres.

    """

    points: Array
    spans: tuple[tuple[int, int], ...]
    anchors: Array
    normals: Array
    materials: NDArray[np.int64]
    detail: NDArray[np.bool_]
    footprint: tuple[float, float]
    height: float


class _Builder:
    def __init__(self) -> None:
        self.polygons: list[Array] = []
        self.normals: list[Array] = []
        self.materials: list[_Material] = []
        self.detail: list[bool] = []

    def face(
        self,
        points: Sequence[Point] | Array,
        inside: Point,
        material: _Material,
        detail: bool = False,
    ) -> Array:
        """Add a face whose normal looks away from the point `inside`; return its corners."""
        corners = np.array(points, np.float64)
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        normal /= np.linalg.norm(normal)
        if normal @ (corners.mean(axis=0) - inside) < 0:
            normal = -normal
        self.polygons.append(corners)
        self.normals.append(normal)
        self.materials.append(material)
        self.detail.append(detail)
        return corners

    def model(self, shape: _Shape) -> Model:
        ends = np.cumsum([len(p) for p in self.polygons]).tolist()
        return Model(
            np.concatenate(self.polygons),
            tuple(zip([0, *ends[:-1]], ends, strict=True)),
            np.array([p[0] for p in self.polygons]),
            np.array(self.normals),
            np.array(self.materials, np.int64),
            np.array(self.detail),
            (shape.length, shape.width),
            shape.roof,
        )


def _inset(quad: Array, left: float, right: float, low: float, high: float) -> Array:
    """Return a part of a quad (lower left, lower right, upper right, upper left), in fractions."""

    def at(u: float, v: float) -> Array:
        lower = quad[0] + u * (quad[1] - quad[0])
        upper = quad[3] + u * (quad[2] - quad[3])
        return lower + v * (upper - lower)

    return np.array([at(left, low), at(right, low), at(right, high), at(left, high)])


@cache
def model(body: CarBody) -> Model:
    """Return the model of a kind of car."""
    shape = _SHAPES[body]
    build = _Builder()
    long, wide, sill, belt, nose = shape.length, shape.width, shape.sill, shape.belt, shape.nose
    middle = (0.0, (sill + belt) / 2, 0.0)
    # The treads, seen from the front and the back under the sills.
    for z in (-long + 0.72 - 0.3, long - 0.78 + 0.3):
        for side in (-1, 1):
            x0, x1 = side * wide, side * (wide - 0.2)
            tread = [(x0, 0.0, z), (x1, 0.0, z), (x1, sill + 0.1, z), (x0, sill + 0.1, z)]
            build.face(tread, (0, 0.2, 0), _Material.TYRE)
    tail = belt + 0.02 if shape.panel_van else belt - 0.04
    profile = [
        (-long + 0.12, sill), (long - 0.12, sill), (long, sill + 0.16), (long - 0.03, nose - 0.12),
        (long - 0.22, nose), (shape.screen[0], belt), (shape.back[1], belt), (-long, tail),
    ]  # fmt: skip
    for (z0, y0), (z1, y1) in zip(profile, profile[1:] + profile[:1], strict=True):
        strip = [(-wide, y0, z0), (wide, y0, z0), (wide, y1, z1), (-wide, y1, z1)]
        build.face(strip, middle, _Material.BODY)
    for x in (-wide, wide):
        build.face([(x, y, z) for z, y in profile], middle, _Material.BODY)
        sill_strip = [(x, sill, -long + 0.3), (x, sill, long - 0.3)]
        sill_strip += [(x, sill + 0.1, long - 0.3), (x, sill + 0.1, -long + 0.3)]
        build.face(sill_strip, middle, _Material.TRIM, detail=True)
        for z in (-long + 0.72, long - 0.78):
            for radius, material in ((0.33, _Material.TYRE), (0.19, _Material.HUB)):
                angles = np.linspace(0, 2 * math.pi, 12, endpoint=False)
                rim = [
                    (x * 1.01, 0.33 + radius * math.sin(a), z + radius * math.cos(a))
                    for a in angles
                ]
                build.face(rim, middle, material)
    _greenhouse(build, shape)
    _ends(build, shape)
    return build.model(shape)


def _greenhouse(build: _Builder, shape: _Shape) -> None:
    low, high = shape.belt, shape.roof
    w0, w1 = shape.width - 0.03, shape.width - (0.1 if shape.panel_van else 0.2)
    (f0, f1), (r1, r0) = shape.screen, shape.back
    inside = (0.0, (low + high) / 2, (f1 + r1) / 2)
    glass = _Material.GLASS

    def wall(quad: list[Point], panes: list[tuple[float, float, float, float]]) -> None:
        corners = build.face(quad, inside, _Material.BODY)
        for pane in panes:
            build.face(_inset(corners, *pane), inside, glass)

    wall([(-w1, high, f1), (w1, high, f1), (w1, high, r1), (-w1, high, r1)], [])
    wall(
        [(-w0, low, f0), (w0, low, f0), (w1, high, f1), (-w1, high, f1)],
        [(0.04, 0.96, 0.03, 0.93)],
    )
    rear = [] if shape.panel_van else [(0.08, 0.92, 0.12, 0.88)]
    wall([(-w0, low, r0), (w0, low, r0), (w1, high, r1), (-w1, high, r1)], rear)
    panes = [(0.06, 0.47, 0.08, 0.88), (0.51, 0.9, 0.08, 0.88)]
    if shape.panel_van:
        panes = [(0.74, 0.95, 0.08, 0.84)]
    for side in (-1, 1):
        quad = [(side * w0, low, r0), (side * w0, low, f0), (side * w1, high, f1)]
        wall([*quad, (side * w1, high, r1)], panes)


def _ends(build: _Builder, shape: _Shape) -> None:
    long, wide = shape.length, shape.width
    middle = (0.0, shape.sill, 0.0)
    lamp_y = shape.nose - 0.24
    rear_y = shape.belt - 0.3

    def plate(z: float, x0: float, x1: float, y0: float, y1: float, material: _Material) -> None:
        quad = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
        build.face(quad, middle, material, detail=True)

    for side in (-1, 1):
        outer, inner = side * (wide - 0.06), side * (wide - 0.42)
        plate(long + 0.01, outer, inner, lamp_y, lamp_y + 0.15, _Material.HEADLAMP)
        plate(-long - 0.01, outer, side * (wide - 0.3), rear_y, rear_y + 0.2, _Material.REAR_LAMP)
    plate(long + 0.01, -wide + 0.5, wide - 0.5, lamp_y, lamp_y + 0.12, _Material.TRIM)
    plate(long + 0.01, -0.28, 0.28, shape.sill + 0.12, shape.sill + 0.24, _Material.PLATE)
    plate(
        -long - 0.01, -wide + 0.1, wide - 0.1, shape.sill + 0.06, shape.sill + 0.2, _Material.TRIM
    )
    plate(-long - 0.01, -0.28, 0.28, rear_y, rear_y + 0.13, _Material.PLATE)


def paint_car(painter: Painter, car: Car) -> None:
    """Paint a car standing on the road."""
    solid = model(car.body)
    sin, cos = math.sin(car.heading), math.cos(car.heading)
    turn = np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])  # rows: model axes
    place = np.array([car.x, 0.0, car.z])
    eye = turn @ (painter.camera.position - place)
    depth = float(np.linalg.norm(eye))
    shown = ((eye - solid.anchors) * solid.normals).sum(axis=1) > 0
    if painter.camera.focal < _DETAIL_PX_PER_M * depth:
        shown &= ~solid.detail
    chosen = np.flatnonzero(shown)
    materials = solid.materials[chosen]
    albedo = _ALBEDO[materials]
    albedo[materials == _Material.BODY] = car.color
    light = painter.light.on(solid.normals[chosen] @ turn)
    values = painter.lit_all(albedo, light, depth, _CAR)
    if car.lamps_on:
        for i, material in enumerate(materials.tolist()):
            if material in _GLOW:
                values[i][:3] = _GLOW[material]
    spans = [solid.spans[i] for i in chosen.tolist()]
    painter.faces(solid.points @ turn + place, spans, values)
