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
"""The ground: road, markings, kerbs, pavements, lawns, their grain, and shadows on all of it."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.labels import CAMVID
from spssn_ros.synthetic.blocks import Block, Rect
from spssn_ros.synthetic.camera import Array, clip_near, pixels
from spssn_ros.synthetic.layout import KERB_M, PARKING_M, ROAD_REACH_M, Layout
from spssn_ros.synthetic.lighting import Light
from spssn_ros.synthetic.painter import SHIFT, Painter, fixed_point
from spssn_ros.synthetic.randomness import Stream, generator
from spssn_ros.synthetic.textures import Image, tileable_noise

_ROAD = CAMVID.index('road')
_PAVEMENT = CAMVID.index('pavement')
_TREE = CAMVID.index('tree')

_MARKING = np.array([206.0, 206.0, 200.0])
_KERB = np.array([168.0, 164.0, 156.0])
_GRASS = np.array([92.0, 118.0, 58.0])
_DASH_M, _DASH_EVERY_M = 3.0, 8.0
_MARKINGS_REACH_M = 110.0
_TILE_M = 8.0
_TILE_TEXELS = 384
_TILES = 6  # repeats of the grain along each side; wrapping it around while drawing is far slower
_GRAIN_FULL_M, _GRAIN_REACH_M = 9.0, 40.0
"""Distances from which and at which the grain fades; farther away it would only flicker."""

_NEUTRAL = 128  # grain value that changes nothing


class Ground:
    """Paints the ground of a scene.

    Args:
        seed: the scene's seed.
        layout: the street's measures.
        light: what shadows look like.

    """

    def __init__(self, seed: int, layout: Layout, light: Light) -> None:
        rng = generator(seed, Stream.GROUND)
        self._layout = layout
        self._road = np.array([102.0, 102.0, 106.0]) * rng.uniform(0.75, 1.1)
        warm = rng.uniform(-10, 10)
        self._paving = np.array([152 + warm, 148, 142 - warm]) * rng.uniform(0.92, 1.12)
        self._side_lines = bool(rng.random() < 0.6)
        self._grain = np.tile(np.dstack([_asphalt(rng), _slabs(rng)]), (_TILES, _TILES, 1))
        self._darken: Image = np.rint(np.arange(256.0) * light.shadow).astype(np.uint8)

    def paint(
        self,
        painter: Painter,
        blocks: Sequence[tuple[int, Block]],
        shadows: Sequence[Array],
    ) -> None:
        """Paint everything below the horizon.

        Args:
            painter: where to.
            blocks: number and content of the blocks in sight, far to near.
            shadows: (N, 3) world points of convex shadows.

        """
        top = max(math.ceil(painter.camera.horizon_row), 0)
        if top >= painter.camera.height:
            return
        light = painter.light.up
        road = np.minimum(self._road * light, 255)
        size = (painter.camera.width, painter.camera.height)
        cv2.rectangle(painter.canvas, (0, top), size, (*road.tolist(), _ROAD), cv2.FILLED)
        for index, block in blocks:
            self._markings(painter, index, block)
        for index, block in blocks:
            self._pavements(painter, index, block)
        self._apply_grain(painter, top, shadows)
        _apply_haze(painter, painter.canvas[top:], top)

    def _markings(self, painter: Painter, index: int, block: Block) -> None:
        layout = self._layout
        start = index * layout.block_m + layout.cross_m
        end = (index + 1) * layout.block_m - layout.cross_m
        light = painter.light.up
        dark = self._road * 0.84 * light
        self._rects(painter, block.patches, dark)
        dashes = np.arange(start + 3, end - 8.6, _DASH_EVERY_M).tolist()
        rects: list[Rect] = [(-0.07, 0.07, z, z + _DASH_M) for z in dashes]
        zebra = layout.crossing_z(index + 1)
        left, right = -layout.half(-1) + 0.3, layout.half(1) - 0.3
        stripes = np.arange(left, right - 0.5, 1.0).tolist()
        rects += [(x, x + 0.5, zebra - 1.4, zebra + 1.4) for x in stripes]
        for side in (-1, 1):
            if side == layout.drive:  # the stop line lies across the lane that comes up to it
                ends = sorted((side * 0.1, side * layout.lane_m))
                rects.append((ends[0], ends[1], zebra - 2.6, zebra - 2.2))
            if self._side_lines:
                x = side * layout.lane_m
                short = np.arange(start, end - 6.8, 2.4).tolist()
                rects += [(x - 0.05, x + 0.05, z, z + 1.2) for z in short]
            if layout.parking[(side + 1) // 2]:
                inner = side * (layout.half(side) - PARKING_M)
                outer = side * layout.half(side)
                low, high = min(inner, outer), max(inner, outer)
                bays = np.arange(start + 3.85, end - 6, 6.3).tolist()
                rects += [(low, high, z, z + 0.1) for z in bays]
        self._rects(painter, np.array(rects), _MARKING * light)

    def _rects(self, painter: Painter, rects: NDArray[np.float64], color: Array) -> None:
        """Paint flat rectangles on the road, all of one colour, in one stroke."""
        camera = painter.camera
        # What lies nearer than this is below the picture.
        z = np.maximum(rects[:, 2:] - camera.position[2], 1.2)
        keep = (z[:, 1] > z[:, 0]) & (z[:, 0] < _MARKINGS_REACH_M)
        if not keep.any():
            return
        x, z = rects[keep, :2], z[keep] + camera.position[2]
        corners = np.zeros((len(x), 4, 3))
        corners[:, :, 0] = x[:, [0, 1, 1, 0]]
        corners[:, :, 2] = z[:, [0, 0, 1, 1]]
        value = (*np.minimum(color, 255).tolist(), _ROAD)
        painter.fill_all(pixels(camera.screen(corners)), value)

    def _pavements(self, painter: Painter, index: int, block: Block) -> None:
        """Paint pavements with their kerbs, and the lawns beyond, one block's at a time."""
        layout, light = self._layout, painter.light
        z0 = index * layout.block_m + layout.cross_m
        z1 = (index + 1) * layout.block_m - layout.cross_m
        # Light alone: the haze of the ground comes on top, row by row.
        paving = (*np.minimum(self._paving * light.up, 255).tolist(), _PAVEMENT)
        stone = (*np.minimum(_KERB * light.up, 255).tolist(), _PAVEMENT)
        end = (*np.minimum(_KERB * light.back, 255).tolist(), _PAVEMENT)
        quads, values = [], []
        for side in (-1, 1):
            x0, x1 = side * layout.half(side), side * ROAD_REACH_M
            edge = (*np.minimum(_KERB * light.fronts[side], 255).tolist(), _PAVEMENT)
            quads += [
                _level((x0, x1, z0, z1)),
                _level((x0, x0 + side * 0.16, z0, z1)),
                [(x0, 0, z0), (x0, 0, z1), (x0, KERB_M, z1), (x0, KERB_M, z0)],
                [(x0, 0, z0), (x1, 0, z0), (x1, KERB_M, z0), (x0, KERB_M, z0)],
            ]
            values += [paving, stone, edge, end]
        quads += [_level(lawn) for lawn in block.lawns]
        values += [(*np.minimum(_GRASS * light.up, 255).tolist(), _TREE)] * len(block.lawns)
        painter.quads(quads, values)

    def _apply_grain(self, painter: Painter, top: int, shadows: Sequence[Array]) -> None:
        """Multiply shadows, asphalt's grain and the pavement's joints into the near ground."""
        first = max(math.ceil(_row_of(painter, _GRAIN_REACH_M)), top)
        near = painter.canvas[first:]
        if not len(near):
            return
        grain = self._grain_at(painter, first, len(near))
        road, paving = cv2.split(grain)
        cv2.copyTo(paving, cv2.inRange(cv2.extractChannel(near, 3), _PAVEMENT, _PAVEMENT), road)
        if shadows:
            mask = _shadow_mask(painter, first, len(near), shadows)
            cv2.copyTo(cv2.LUT(road, self._darken), mask, road)
        # The label's channel is multiplied by one.
        factor = cv2.merge([road, road, road, np.full_like(road, _NEUTRAL)])
        cv2.multiply(near, factor, dst=near, scale=1 / _NEUTRAL)

    def _grain_at(self, painter: Painter, first: int, rows: int) -> Image:
        """Return the grain of asphalt and pavement, (rows, W, 2), from a row of the picture on."""
        camera = painter.camera
        step = _TILE_M / _TILE_TEXELS
        x, z = -_TILES / 2 * _TILE_M, camera.position[2] // _TILE_M * _TILE_M
        corners = camera.screen(np.array([(x, 0.0, z), (x + step, 0.0, z), (x, 0.0, z + step)]))
        homography = np.stack(
            [corners[1] - corners[0], corners[2] - corners[0], corners[0]], axis=1
        )
        homography[1] -= first * homography[2]
        grain = cv2.warpPerspective(
            self._grain,
            homography,
            (camera.width, rows),
            flags=cv2.INTER_LINEAR,
            borderValue=(_NEUTRAL, _NEUTRAL),
        )
        depth = _depth_of_rows(painter, first, rows)
        fading = int(np.searchsorted(-depth, -_GRAIN_FULL_M))
        fade = (_GRAIN_REACH_M - depth[:fading]) / (_GRAIN_REACH_M - _GRAIN_FULL_M)
        grain[:fading] = _NEUTRAL + (grain[:fading] - np.float32(_NEUTRAL)) * np.float32(
            np.clip(fade, 0, 1)[:, None, None]
        )
        return np.asarray(grain, np.uint8)


def _shadow_mask(painter: Painter, first: int, rows: int, shadows: Sequence[Array]) -> Image:
    """Return where shadows fall, (rows, W), 255, from a row of the picture on."""
    mask = np.zeros((rows, painter.camera.width), np.uint8)
    screen = painter.camera.screen(np.concatenate(shadows))
    start = 0
    for shadow in shadows:
        end = start + len(shadow)
        clipped = clip_near(screen[start:end])
        start = end
        if len(clipped):
            outline = fixed_point(pixels(clipped) - (0, first))
            cv2.fillConvexPoly(mask, outline, 255, cv2.LINE_8, SHIFT)
    return mask


def _level(rect: Rect) -> list[tuple[float, float, float]]:
    """Return the corners of a rectangle at the height of the kerb."""
    x0, x1, z0, z1 = rect
    return [(x0, KERB_M, z0), (x1, KERB_M, z0), (x1, KERB_M, z1), (x0, KERB_M, z1)]


def _asphalt(rng: np.random.Generator) -> Image:
    noise = tileable_noise(rng, _TILE_TEXELS, _TILE_TEXELS, 6, 3) - 0.5
    speckle = rng.normal(0, 0.055, (_TILE_TEXELS, _TILE_TEXELS)).astype(np.float32)
    factor = 1 + 0.22 * noise + cv2.GaussianBlur(speckle, (3, 3), 0.6)
    return np.clip(factor * _NEUTRAL, 0, 255).astype(np.uint8)


def _slabs(rng: np.random.Generator) -> Image:
    """Return paving slabs of a metre by two thirds, each of its own tone, with dark joints."""
    rows, columns = 12, 8
    tones = rng.normal(1.0, 0.045, (rows, columns)).astype(np.float32)
    size = (_TILE_TEXELS, _TILE_TEXELS)
    factor = np.asarray(cv2.resize(tones, size, interpolation=cv2.INTER_NEAREST), np.float32)
    factor = factor + rng.normal(0, 0.03, size).astype(np.float32)
    joint = 2  # texels
    for row in range(rows):
        at = row * _TILE_TEXELS // rows
        factor[at : at + joint] *= 0.72
    for column in range(columns):
        at = column * _TILE_TEXELS // columns
        factor[:, at : at + joint] *= 0.72
    return np.clip(factor * _NEUTRAL, 0, 255).astype(np.uint8)


def _row_of(painter: Painter, depth_m: float) -> float:
    """Return the picture's row that shows the road at a distance."""
    camera = painter.camera
    return camera.horizon_row + camera.focal * float(camera.position[1]) / depth_m


def _depth_of_rows(painter: Painter, first: int, count: int) -> Array:
    """Return the distance of the road in each of so many rows, (count,), metres."""
    camera = painter.camera
    below = np.arange(first, first + count) - camera.horizon_row
    depth: Array = camera.focal * camera.position[1] / np.maximum(below, 0.05)
    return depth


def _apply_haze(painter: Painter, region: Image, top: int) -> None:
    """Fade the far ground; near rows, where haze is too thin to see, stay as they are."""
    rows = min(math.ceil(_row_of(painter, painter.light.haze_m * 0.08)) - top, region.shape[0])
    if rows <= 0:
        return
    part = 1 - np.exp(-_depth_of_rows(painter, top, rows) / painter.light.haze_m)
    part = part[:, None, None]
    region[:rows, :, :3] = region[:rows, :, :3] * (1 - part) + painter.light.haze * part
