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
"""Painting what is big and stands still: houses, fences and hedges, trees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spssn_ros.labels import CAMVID
from spssn_ros.synthetic.camera import Array
from spssn_ros.synthetic.facades import Facade
from spssn_ros.synthetic.fences import FENCE_M
from spssn_ros.synthetic.items import Barrier, BarrierKind, Building, Tree
from spssn_ros.synthetic.layout import KERB_M
from spssn_ros.synthetic.painter import Painter
from spssn_ros.synthetic.textures import Texture

_BUILDING = CAMVID.index('building')
_FENCE = CAMVID.index('fence')
_TREE = CAMVID.index('tree')

_DEPTH_M = 9.0
_CORNER_DEPTH_M = 30.0
_RIDGE_M = 2.9
_CHIMNEY_REACH_M = 70.0
_TILES = ((132, 74, 56), (92, 88, 90), (112, 84, 70), (150, 92, 62))
_BARK = (92, 76, 62)
_HEDGE = (58, 82, 40)


@dataclass(frozen=True)
class Materials:
    """The textures of a scene."""

    facades: list[Facade]
    crowns: list[Texture]
    hedge: Texture
    fences: dict[BarrierKind, Texture]


def paint_building(painter: Painter, house: Building, materials: Materials) -> None:
    """Paint a house: its end towards the camera, its roof, its front."""
    facade = materials.facades[house.facade]
    top, light = facade.height_m, painter.light
    if house.end_facade is not None:
        end = materials.facades[house.end_facade]
        count = max(round(_CORNER_DEPTH_M / end.width_m), 1)
        painter.texture(
            end.texture.repeated(count),
            (house.x, top, house.z),
            (house.side * count * end.width_m, 0.0, 0.0),
            (0.0, -top, 0.0),
            light.back,
            _BUILDING,
        )
    _paint_solid(painter, house, facade)
    painter.texture(
        facade.texture,
        (house.x, top, house.z),
        (0.0, 0.0, house.width_m),
        (0.0, -top, 0.0),
        light.fronts[house.side],
        _BUILDING,
    )


def _paint_solid(painter: Painter, house: Building, facade: Facade) -> None:
    """Paint the untextured parts: the end above the neighbour, gable, roof, chimney."""
    x, z0, z1, side = house.x, house.z, house.z + house.width_m, house.side
    top, back, light = facade.height_m, x + side * _DEPTH_M, painter.light
    depth = z0 - float(painter.camera.position[2])
    quads: list[list[tuple[float, float, float]]] = []
    surfaces: list[tuple[Sequence[float], Array]] = []
    if house.end_facade is None and top > house.covered_m:
        quads.append([(x, 0, z0), (back, 0, z0), (back, top, z0), (x, top, z0)])
        surfaces.append((facade.wall, light.back))
    if facade.pitched:
        ridge_x, ridge, eave = x + side * _DEPTH_M / 2, top + _RIDGE_M, x - side * 0.3
        quads.append([(x, top, z0), (back, top, z0), (ridge_x, ridge, z0), (ridge_x, ridge, z0)])
        quads.append([
            (eave, top - 0.2, z0), (eave, top - 0.2, z1),
            (ridge_x, ridge, z1), (ridge_x, ridge, z0),
        ])  # fmt: skip
        tiles = _TILES[house.facade % len(_TILES)]
        surfaces += [(facade.wall, light.back), (tiles, light.roofs[side])]
    if facade.pitched and depth < _CHIMNEY_REACH_M:
        z, half, low, high = z0 + 1.2, 0.4, ridge - 0.5, ridge + 0.8
        left, right, flank = ridge_x - half, ridge_x + half, ridge_x - side * half
        quads.append([(left, low, z), (right, low, z), (right, high, z), (left, high, z)])
        quads.append([
            (flank, low, z), (flank, low, z + 0.8), (flank, high, z + 0.8), (flank, high, z),
        ])  # fmt: skip
        surfaces += [(facade.wall, light.back), (facade.wall, light.fronts[side])]
    if quads:
        albedos, lights = zip(*surfaces, strict=True)
        painter.quads(quads, painter.lit_all(albedos, np.array(lights), depth, _BUILDING))


def paint_barrier(painter: Painter, barrier: Barrier, materials: Materials) -> None:
    """Paint a fence or a hedge."""
    is_hedge = barrier.kind is BarrierKind.HEDGE
    label = _TREE if is_hedge else _FENCE
    texture = materials.hedge if is_hedge else materials.fences[barrier.kind]
    low, high = KERB_M, KERB_M + barrier.height_m
    painter.texture(
        texture.repeated(barrier.length_m / FENCE_M),
        (barrier.x, high, barrier.z),
        (0.0, 0.0, barrier.length_m),
        (0.0, -barrier.height_m, 0.0),
        painter.light.fronts[barrier.side],
        label,
    )
    if is_hedge:
        x0, z = barrier.x, barrier.z
        x1, top = x0 + barrier.side * 0.8, high - 0.05
        depth = z - float(painter.camera.position[2])
        value = painter.lit(_HEDGE, painter.light.back, depth, _TREE)
        painter.quads([[(x0, low, z), (x1, low, z), (x1, top, z), (x0, top, z)]], [value])


def paint_tree(painter: Painter, tree: Tree, materials: Materials) -> None:
    """Paint a trunk and the crown above it."""
    light = painter.light.soft
    fork = KERB_M + tree.trunk_m + tree.crown_m * 0.35
    at = painter.locate([(tree.x, KERB_M, tree.z), (tree.x, fork, tree.z)])
    if at is None:
        return
    thick = 0.03 * tree.crown_m + 0.02
    bark = painter.lit(_BARK, light, painter.camera.focal / float(at[0, 2]), _TREE)
    painter.capsules(at[:1], at[1:], np.array([[thick, thick * 0.7]]), [bark])
    painter.texture(
        materials.crowns[tree.crown],
        (tree.x - tree.crown_m / 2, KERB_M + tree.trunk_m + tree.crown_m * 0.92, tree.z),
        (tree.crown_m, 0.0, 0.0),
        (0.0, -tree.crown_m, 0.0),
        light,
        _TREE,
    )
