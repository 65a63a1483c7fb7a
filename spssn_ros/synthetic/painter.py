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
"""Drawing primitives that paint picture and label in one stroke.

The canvas has four channels, red, green, blue and class id. Every primitive writes all four at
once, without anti-aliasing, so that picture and label cannot disagree; later strokes cover
earlier ones (painter's algorithm).
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spssn_ros.synthetic.camera import NEAR_M, Array, Camera, clip_near, pixels
from spssn_ros.synthetic.lighting import Light
from spssn_ros.synthetic.textures import GLOW_FROM, Image, Texture

Value = Sequence[float]
"""What the canvas holds in a pixel: red, green, blue, class id."""

SHIFT = 4
"""Fixed-point bits of the coordinates handed to OpenCV: a sixteenth of a pixel."""

_HAZE_STEPS = 24
_ANGLES = np.linspace(-math.pi / 2, math.pi / 2, 5)
_ALONG, _ASIDE = np.cos(_ANGLES)[:, None], np.sin(_ANGLES)[:, None]


def fixed_point(points: Array) -> NDArray[np.int32]:
    """Return pixel coordinates (..., 2) as OpenCV's drawing functions take them."""
    return np.rint(points * (1 << SHIFT)).astype(np.int32)


class Painter:
    """Paints on one canvas, seen by one camera.

    Args:
        canvas: (H, W, 4) uint8: red, green, blue, class id; written in place.
        camera: the view, of the canvas's size.
        light: what turns albedos into colours.
        luts: look-up tables kept by the caller between frames; filled as needed.

    """

    def __init__(
        self,
        canvas: Image,
        camera: Camera,
        light: Light,
        luts: dict[tuple[object, ...], Image],
    ) -> None:
        self.canvas = canvas
        self.camera = camera
        self.light = light
        self._luts = luts

    def lit(self, albedo: Sequence[float], light: Array, depth_m: float, label: int) -> Value:
        """Return the value of a surface of colour `albedo`, (3,), under `light`, (3,)."""
        return self.lit_all([albedo], light, depth_m, label)[0]

    def lit_all(
        self, albedos: ArrayLike, lights: Array, depth_m: float, label: int
    ) -> list[list[float]]:
        """Return the values of K surfaces: albedos (K, 3) under lights (3,) or (K, 3)."""
        haze = self.light.haze_at(depth_m)
        colors = np.minimum(np.asarray(albedos) * lights, 255.0) * (1.0 - haze)
        colors += self.light.haze * haze
        values: list[list[float]] = colors.tolist()
        for value in values:
            value.append(label)
        return values

    def locate(self, points: ArrayLike) -> Array | None:
        """Project world points (N, 3) to (N, 3): x, y and the pixels that a metre spans there.

        None unless all of them lie in front of the camera.
        """
        located = self.camera.screen(np.asarray(points, np.float64))
        depth = located[:, 2:]
        if depth.min() < NEAR_M:
            return None
        located[:, :2] /= depth
        located[:, 2:] = self.camera.focal / depth
        return located

    def fill(self, points: Array, value: Value) -> None:
        """Fill a convex polygon given in pixels (N, 2)."""
        cv2.fillConvexPoly(self.canvas, fixed_point(points), value, cv2.LINE_8, SHIFT)

    def fill_all(self, points: Array, value: Value) -> None:
        """Fill M polygons that do not overlap, given in pixels (M, N, 2), with one value."""
        cv2.fillPoly(self.canvas, list(fixed_point(points)), value, cv2.LINE_8, SHIFT)

    def faces(
        self, points: Array, spans: Sequence[tuple[int, int]], values: Sequence[Value]
    ) -> None:
        """Fill convex polygons one after the other.

        Args:
            points: (N, 3) world points of all of them.
            spans: where in `points` each polygon starts and ends.
            values: one a polygon.

        """
        screen = self.camera.screen(points)
        if screen[:, 2].min() >= NEAR_M:
            fixed = fixed_point(pixels(screen))
            for (start, end), value in zip(spans, values, strict=True):
                cv2.fillConvexPoly(self.canvas, fixed[start:end], value, cv2.LINE_8, SHIFT)
            return
        for (start, end), value in zip(spans, values, strict=True):
            clipped = clip_near(screen[start:end])
            if len(clipped):
                self.fill(pixels(clipped), value)

    def quads(self, points: ArrayLike, values: Sequence[Value]) -> None:
        """Fill M quadrangles of world points (M, 4, 3) one after the other."""
        flat = np.asarray(points, np.float64).reshape(-1, 3)
        self.faces(flat, [(i, i + 4) for i in range(0, len(flat), 4)], values)

    def capsules(
        self, starts: Array, ends: Array, radii: ArrayLike, values: Sequence[Value]
    ) -> None:
        """Fill K rounded limbs one after the other.

        Args:
            starts: (K, 3) located points.
            ends: (K, 3) located points.
            radii: (K, 2) at start and end, metres.
            values: one a limb.

        """
        scale = np.stack([starts[:, 2], ends[:, 2]], axis=1)
        # Half a pixel keeps thin things, such as arms far away, one pixel wide.
        radius = np.maximum(np.asarray(radii) * scale, 0.5)[..., None, None]
        first, last = starts[:, :2], ends[:, :2]
        step = last - first
        length = np.sqrt((step * step).sum(axis=1, keepdims=True))
        step = np.where(length > 1e-6, step / np.maximum(length, 1e-6), (0.0, 1.0))
        across = step[:, ::-1] * (-1.0, 1.0)
        arc = step[:, None] * _ALONG + across[:, None] * _ASIDE
        outline = np.concatenate(
            [last[:, None] + radius[:, 1] * arc, first[:, None] - radius[:, 0] * arc], axis=1
        )
        for points, value in zip(fixed_point(outline), values, strict=True):
            cv2.fillConvexPoly(self.canvas, points, value, cv2.LINE_8, SHIFT)

    def rings(self, points: Array, width_m: float, value: Value) -> None:
        """Draw closed lines through world points (M, N, 3), such as the rims of wheels."""
        screen = self.camera.screen(points)
        nearest = float(screen[..., 2].min())
        if nearest < NEAR_M:
            return
        width = max(1, round(width_m * self.camera.focal / nearest))
        outlines = list(fixed_point(pixels(screen)))
        cv2.polylines(self.canvas, outlines, True, value, width, cv2.LINE_8, SHIFT)

    def texture(
        self,
        texture: Texture,
        origin: Sequence[float],
        across: Sequence[float],
        down: Sequence[float],
        light: Array,
        label: int,
    ) -> None:
        """Map a texture on a parallelogram and paint where its alpha is at least a half.

        Args:
            texture: what to paint.
            origin: world position of the texture's upper left corner.
            across: world vector along its upper edge.
            down: world vector along its left edge.
            light: (3,) light on the plane.
            label: class id.

        """
        ox, oy, oz = origin
        ax, ay, az = across
        dx, dy, dz = down
        world = (
            (ox, oy, oz),
            (ox + ax, oy + ay, oz + az),
            (ox + ax + dx, oy + ay + dy, oz + az + dz),
            (ox + dx, oy + dy, oz + dz),
        )
        screen = self.camera.screen(np.array(world))
        corners: list[list[float]] = screen.tolist()
        texels = float(texture.width)
        shown = corners
        if min(corner[2] for corner in corners) < NEAR_M:
            shown = clip_near(screen).tolist()
            if not shown:
                return
            # The part behind the camera takes its texels along.
            depths = [corner[2] for corner in shown]
            texels *= (max(depths) - min(depths)) / max(abs(corners[1][2] - corners[0][2]), 1e-6)
        columns_at = [x / z for x, _, z in shown]
        rows_at = [y / z for _, y, z in shown]
        left, right, top, bottom = min(columns_at), max(columns_at), min(rows_at), max(rows_at)
        x0, y0 = max(math.floor(left), 0), max(math.floor(top), 0)
        x1 = min(math.ceil(right) + 1, self.camera.width)
        y1 = min(math.ceil(bottom) + 1, self.camera.height)
        if x0 >= x1 or y0 >= y1:
            return
        level = texture.level(
            texels / max(right - left, 1.0), texture.height / max(bottom - top, 1.0)
        )
        homography = _texels_to_pixels(corners, level.shape[1], level.shape[0], x0, y0)
        patch = cv2.warpPerspective(
            level, homography, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0, 0)
        )
        mask = cv2.threshold(cv2.extractChannel(patch, 3), 127, 255, cv2.THRESH_BINARY)[1]
        haze = self.light.haze_at(sum(corner[2] for corner in shown) / len(shown))
        patch = cv2.LUT(patch, self._shading(light, haze, label))
        cv2.copyTo(patch, mask, self.canvas[y0:y1, x0:x1])

    def _shading(self, light: Array, haze: float, label: int) -> Image:
        """Return the (1, 256, 4) table from texture values to canvas values.

        Values from `GLOW_FROM` up shine by themselves; alpha becomes the label.
        """
        step = round(haze * _HAZE_STEPS)
        key = (*light.tolist(), step, label)
        table = self._luts.get(key)
        if table is None:
            values = np.arange(256.0)[:, None]
            glow = np.array([255.0, 214.0, 138.0]) * (0.75 + 0.25 * (values - GLOW_FROM) / 15)
            lit = np.where(values >= GLOW_FROM, glow, np.minimum(values * light, 255.0))
            part = step / _HAZE_STEPS
            table = np.full((1, 256, 4), label, np.uint8)
            table[0, :, :3] = np.rint(lit * (1 - part) + self.light.haze * part)
            self._luts[key] = table
        return table


def _texels_to_pixels(
    corners: list[list[float]], columns: int, rows: int, x0: int, y0: int
) -> Array:
    """Return the homography (3, 3) from a texture's texels to pixels counted from (x0, y0).

    Args:
        corners: screen points of the texture's corners, clockwise from the upper left.
        columns: of the texture.
        rows: of the texture.
        x0: column of the picture.
        y0: row of the picture.

    """
    start, across, _, down = corners
    lines = []
    for i in range(3):
        u, v = (across[i] - start[i]) / columns, (down[i] - start[i]) / rows
        # Texel (0, 0) has its centre half a step inside the corner.
        lines.append([u, v, start[i] + (u + v) / 2])
    x, y, z = lines
    return np.array(
        [[a - x0 * c for a, c in zip(x, z, strict=True)],
         [b - y0 * c for b, c in zip(y, z, strict=True)], z]
    )  # fmt: skip
