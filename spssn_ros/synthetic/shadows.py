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
"""Outlines on the ground of the shadows that things throw."""

import math

import cv2
import numpy as np

from spssn_ros.synthetic.camera import Array
from spssn_ros.synthetic.facades import Facade
from spssn_ros.synthetic.items import (
    Band,
    Bicyclist,
    Building,
    Car,
    Item,
    Lamp,
    Pedestrian,
    Sign,
    Tree,
)
from spssn_ros.synthetic.layout import KERB_M
from spssn_ros.synthetic.lighting import Light
from spssn_ros.synthetic.vehicles import model

_LONGEST_M = 14.0
_OVAL = np.array([(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 10)])


class Shadows:
    """Throws shadows under one light.

    Args:
        light: where the sun is, and whether it throws any.
        facades: the heights of the houses.

    """

    def __init__(self, light: Light, facades: list[Facade]) -> None:
        self._light = light
        self._facades = facades
        reach = 1.0 / max(float(light.sun[1]), 0.2)
        self._step = -light.sun[[0, 2]] * reach  # shift of a shadow a metre of height

    def of(self, item: Item) -> Array | None:
        """Return the shadow of an item: (N, 3) world points of a convex polygon; None for none."""
        outline = self._outline(item)
        if outline is None:
            return None
        # Right where it meets the thing that throws it, which shows more than its far end.
        on_road = getattr(item, 'band', Band.KERB) in (Band.PARKED, Band.LANE)
        return np.insert(outline, 1, 0.0 if on_road else KERB_M, axis=1)

    def _outline(self, item: Item) -> Array | None:
        if isinstance(item, Car):
            place = np.array([item.x, item.z])
            long, wide = model(item.body).footprint
            sin, cos = math.sin(item.heading), math.cos(item.heading)
            corners = np.array([(-wide, -long), (wide, -long), (wide, long), (-wide, long)])
            corners = corners @ np.array([[cos, -sin], [sin, cos]]) * 1.05
            return self._thrown(corners + place, 0.0, model(item.body).height * 0.9)
        if isinstance(item, Pedestrian | Bicyclist):
            size = (0.25, 0.25) if isinstance(item, Pedestrian) else (0.25, 0.85)
            return self._thrown(_OVAL * size + (item.x, item.z), 0.0, item.look.height_m)
        if not self._light.casts:
            return None
        if isinstance(item, Tree):
            half = item.crown_m * 0.42
            low = item.trunk_m + item.crown_m * 0.1
            oval = _OVAL * half + (item.x, item.z)
            return self._thrown(oval, low, low + item.crown_m * 0.7)
        if isinstance(item, Building):
            front = np.array([(item.x, item.z), (item.x, item.z + item.width_m)])
            return self._thrown(front, 0.0, self._facades[item.facade].height_m)
        if isinstance(item, Lamp | Sign):
            height = item.height_m if isinstance(item, Lamp) else 2.8
            post = np.array([(item.x - 0.07, item.z), (item.x + 0.07, item.z)])
            return self._thrown(post, 0.0, height)
        return None

    def _thrown(self, outline: Array, low_m: float, high_m: float) -> Array:
        """Return the hull of an outline seen from the sun at two heights."""
        if not self._light.casts:
            return outline
        longest = _LONGEST_M / max(float(np.hypot(*self._step)), 1e-6)
        low, high = min(low_m, longest), min(high_m, longest)
        both = np.concatenate([outline + self._step * low, outline + self._step * high])
        hull: Array = cv2.convexHull(both.astype(np.float32))[:, 0].astype(np.float64)
        return hull
