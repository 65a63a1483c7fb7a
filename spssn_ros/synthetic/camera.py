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
"""The pinhole camera: world x right, y up, z along the street, metres."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEAR_M = 0.4
"""Nothing nearer than this to the camera plane is drawn."""

_HALF_FIELD_RAD = math.radians(31.0)


def intrinsics(width: int, height: int) -> Array:
    """Return the (3, 3) matrix of a camera with square pixels that sees 62 degrees across."""
    focal = width / 2 / math.tan(_HALF_FIELD_RAD)
    return np.array(
        [[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]]
    )


@dataclass(frozen=True)
class Camera:
    """A camera at one moment.

    Attributes:
        width: columns.
        height: rows.
        matrix: (3, 3) intrinsics; the centre of the first pixel is (0, 0).
        position: (3,) metres, world.
        rotation: (3, 3) world to view; rows: right, down, forward.

    """

    width: int
    height: int
    matrix: Array
    position: Array
    rotation: Array
    _projection: Array = field(init=False, repr=False)
    _flat: tuple[float, float, list[float], list[float], float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, '_projection', (self.matrix @ self.rotation).T.copy())
        edge = self.width / 2 / self.focal
        right, forward = self.rotation[0].tolist(), self.rotation[2].tolist()
        eye = self.position.tolist()
        object.__setattr__(self, '_flat', (eye[0], eye[2], right, forward, edge))

    @staticmethod
    def looking(
        width: int, height: int, position: tuple[float, float, float], yaw: float, pitch: float
    ) -> 'Camera':
        """Return a camera turned right by `yaw` and up by `pitch`, radians, without roll."""
        sy, cy, sp, cp = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
        forward = (sy * cp, sp, cy * cp)
        down = (sy * sp, -cp, cy * sp)
        right = (cy, 0.0, -sy)
        return Camera(
            width,
            height,
            intrinsics(width, height),
            np.array(position, np.float64),
            np.array([right, down, forward]),
        )

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return float(self.matrix[0, 0])

    @property
    def horizon_row(self) -> float:
        """Row of the horizon."""
        return float(self.matrix[1, 2] + self.focal * self.rotation[2, 1] / -self.rotation[1, 1])

    def screen(self, points: Array) -> Array:
        """Turn world points (..., 3) into (..., 3) screen points: x z, y z and z.

        x and y are pixels, z the distance from the camera's plane. Screen points are linear in
        the world's: they can be interpolated, and cut where they are too near.
        """
        projected: Array = (points - self.position) @ self._projection
        return projected

    def sees(self, x: float, z: float, radius: float) -> bool:
        """Return whether a thing at (x, z) may show between the picture's left and right edges."""
        eye_x, eye_z, right, forward, edge = self._flat
        dx, dz = x - eye_x, z - eye_z
        depth = dx * forward[0] + dz * forward[2] + radius
        return depth > NEAR_M and abs(dx * right[0] + dz * right[2]) < depth * edge + radius


def pixels(screen: Array) -> Array:
    """Return the pixel coordinates (..., 2) of screen points (..., 3) in front of the camera."""
    return screen[..., :2] / screen[..., 2:]


def clip_near(screen: Array) -> Array:
    """Cut a polygon of screen points (N, 3) at the near plane; (0, 3) when all is behind it."""
    inside = (screen[:, 2] >= NEAR_M).tolist()
    if all(inside):
        return screen
    kept: list[Array] = []
    for i in range(len(screen)):
        here, there = screen[i - 1], screen[i]
        if inside[i - 1] != inside[i]:
            part = (NEAR_M - here[2]) / (there[2] - here[2])
            kept.append(here + part * (there - here))
        if inside[i]:
            kept.append(there)
    return np.array(kept).reshape(-1, 3)
