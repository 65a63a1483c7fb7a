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
"""The sky, and the far skyline that closes the street."""

import math

import cv2
import numpy as np

from spssn_ros.labels import CAMVID
from spssn_ros.synthetic.camera import intrinsics, pixels
from spssn_ros.synthetic.lighting import Light
from spssn_ros.synthetic.painter import Painter
from spssn_ros.synthetic.randomness import Stream, generator
from spssn_ros.synthetic.textures import Image, tileable_noise

_SKY = CAMVID.index('sky')
_BUILDING = CAMVID.index('building')
_TREE = CAMVID.index('tree')

_SKYLINE_M, _SKYLINE_HALF_M = 230.0, 190.0
_DRIFT_PER_S = 0.004  # how fast the clouds move, in widths of the picture


class Sky:
    """A sky wider than the picture, made once; every frame shows a part of it.

    Args:
        seed: the scene's seed.
        light: colours of sky and clouds.
        width: columns of the pictures.
        height: rows of the pictures.

    """

    def __init__(self, seed: int, light: Light, width: int, height: int) -> None:
        rng = generator(seed, Stream.SKY)
        self._width = width
        focal = float(intrinsics(width, height)[0, 0])
        # Rows above the horizon: half a picture, and what pitch can add.
        self._rows = height // 2 + math.ceil(0.05 * focal) + 2
        period = width * 2
        up = np.linspace(1.0, 0.0, self._rows)[:, None]  # 1 at the top, 0 at the horizon
        base = light.horizon + (light.zenith - light.horizon) * (up**0.75)[..., None]
        noise = tileable_noise(rng, self._rows, period, 5, 6)
        # Clouds flatten towards the horizon, where one looks along their layer.
        depth = (1.0 / (0.35 + up)) * np.ones((1, period))
        rows = ((depth * 0.42 - 0.3) * self._rows % self._rows).astype(np.float32)
        columns = np.arange(period, dtype=np.float32)[None, :].repeat(self._rows, axis=0)
        noise = np.asarray(
            cv2.remap(noise, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        )
        cut = float(np.quantile(noise, 1.0 - light.cloud_cover))
        cover = np.clip((noise - cut) / 0.22, 0, 1)[..., None] * (0.25 + 0.75 * up)[..., None]
        thick = np.clip((noise - cut - 0.1) / 0.5, 0, 1)[..., None]
        picture = base + (light.cloud * (1 - 0.16 * thick) - base) * cover * 0.92
        panorama = np.dstack(
            [
                np.clip(picture, 0, 255).astype(np.uint8),
                np.full((self._rows, period), _SKY, np.uint8),
            ]
        )
        self._panorama: Image = np.concatenate([panorama, panorama[:, :width]], axis=1)
        self._period = period
        self._skyline = rng.uniform(4, 24, 96)
        self._grove = rng.uniform(3, 9, 160)

    def paint(self, painter: Painter, time_s: float) -> None:
        """Fill the canvas above the horizon and draw the skyline on it."""
        horizon = painter.camera.horizon_row
        forward = painter.camera.rotation[2]
        yaw = math.atan2(float(forward[0]), float(forward[2]))
        shift = yaw * painter.camera.focal + time_s * _DRIFT_PER_S * self._width
        column = round(shift) % self._period
        height = painter.camera.height
        bottom = math.ceil(horizon) + 1  # one row more than needed: the ground covers it
        part = self._panorama[:, column : column + self._width]
        if bottom > self._rows:  # the uppermost row goes on to the top of the picture
            painter.canvas[: bottom - self._rows] = part[:1]
        first = max(bottom - self._rows, 0)
        last = min(max(bottom, 0), height)
        if first < last:
            start = self._rows - bottom + first
            painter.canvas[first:last] = part[start : start + last - first]
        self._paint_skyline(painter)

    def _paint_skyline(self, painter: Painter) -> None:
        """Draw roofs and trees too far away to come nearer."""
        camera = painter.camera
        floor = camera.horizon_row + 1
        for heights, label, albedo in (
            (self._skyline, _BUILDING, (146, 138, 132)),
            (self._grove, _TREE, (84, 104, 66)),
        ):
            edges = np.linspace(-_SKYLINE_HALF_M, _SKYLINE_HALF_M, len(heights) + 1)
            tops = np.full((len(heights) * 2, 3), _SKYLINE_M)
            tops[:, 0] = np.repeat(edges, 2)[1:-1]
            tops[:, 1] = np.repeat(heights, 2)
            tops[:, ::2] += camera.position[::2]
            outline = pixels(camera.screen(tops))
            base = [(outline[-1, 0], floor), (outline[0, 0], floor)]
            value = painter.lit(albedo, painter.light.soft, _SKYLINE_M, label)
            painter.fill_all(np.concatenate([outline, base])[None], value)
