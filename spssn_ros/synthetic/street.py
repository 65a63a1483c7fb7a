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
"""The renderer: a street scene as a function of seed, size and time."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import ConfigError
from spssn_ros.synthetic.camera import Array, Camera, intrinsics
from spssn_ros.synthetic.facades import facades
from spssn_ros.synthetic.fences import fences
from spssn_ros.synthetic.figures import paint_bicyclist, paint_pedestrian
from spssn_ros.synthetic.foliage import crowns, hedge
from spssn_ros.synthetic.furniture import (
    paint_bollard,
    paint_lamp,
    paint_sign,
    paint_traffic_light,
)
from spssn_ros.synthetic.ground import Ground
from spssn_ros.synthetic.items import (
    Band,
    Barrier,
    Bicyclist,
    Bollard,
    Building,
    Car,
    Item,
    Lamp,
    Pedestrian,
    Sign,
    TrafficLight,
    Tree,
)
from spssn_ros.synthetic.layout import KERB_M, make_ego, make_layout
from spssn_ros.synthetic.lighting import make_light
from spssn_ros.synthetic.painter import Painter
from spssn_ros.synthetic.randomness import Stream, generator
from spssn_ros.synthetic.sky import Sky
from spssn_ros.synthetic.structures import Materials, paint_barrier, paint_building, paint_tree
from spssn_ros.synthetic.textures import Image
from spssn_ros.synthetic.vehicles import paint_car
from spssn_ros.synthetic.world import World

SMALLEST = 32
"""Smallest width and height of a picture."""

LARGEST = 8192
"""Largest ones: well below the 32767 at which OpenCV's `remap` fails."""

_LATEST_S = 1e9
_NOISE_MARGIN = 64
_NOISE_SIGMA = 2.2


class StreetScene:
    """A street through which the ego car drives for ever, drawn with exact labels.

    Every picture depends on seed, size and time alone: the same call returns the same arrays,
    whatever was rendered before. Of every four seeds two are lit by day, one by an overcast sky
    and one at dusk.

    Args:
        seed: picks the street, 0 or more.
        width: columns of the pictures.
        height: rows of the pictures.

    Attributes:
        seed: as given.
        width: as given.
        height: as given.

    Raises:
        ConfigError: a negative seed, or a side under 32 or over 8192 pixels.

    """

    def __init__(self, seed: int = 0, width: int = 480, height: int = 360) -> None:
        if seed < 0:
            raise ConfigError(f'the seed of a street scene is 0 or more, not {seed}')
        if width < SMALLEST or height < SMALLEST:
            raise ConfigError(
                f'a street scene of {width}x{height} pixels is too small; '
                f'give at least {SMALLEST}x{SMALLEST}'
            )
        if width > LARGEST or height > LARGEST:
            raise ConfigError(
                f'a street scene of {width}x{height} pixels is too large; '
                f'give at most {LARGEST}x{LARGEST}'
            )
        self.seed = seed
        self.width = width
        self.height = height
        detail = min(max(width / 480, 1.0), 2.0)
        self._layout = make_layout(seed)
        self._ego = make_ego(seed, self._layout)
        self._light = make_light(seed)
        fronts = facades(seed, 24 * detail, self._layout.tall, self._light.lit_windows)
        self._materials = Materials(
            fronts, crowns(seed, round(160 * detail)), hedge(seed), fences(seed)
        )
        self._world = World(seed, self._layout, self._ego, self._light, fronts)
        self._ground = Ground(seed, self._layout, self._light)
        self._sky = Sky(seed, self._light, width, height)
        self._luts: dict[tuple[object, ...], Image] = {}
        rng = generator(seed, Stream.NOISE)
        shape = (height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3)
        self._noise = np.clip(np.rint(rng.normal(0, _NOISE_SIGMA, shape)), -9, 9).astype(np.int8)

    @property
    def camera_matrix(self) -> Array:
        """Intrinsics, (3, 3) float64, in pixels; there is no distortion."""
        return intrinsics(self.width, self.height)

    def render(self, time_s: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the picture, (H, W, 3) uint8 RGB, and the labels, (H, W) uint8, at a time.

        Args:
            time_s: seconds since the start of the drive; before it (negative) is fine too.

        Raises:
            ConfigError: a time that is not a number, or more than 1e9 s away.

        """
        if not abs(time_s) <= _LATEST_S:  # so that not-a-number is caught too
            raise ConfigError(
                f'the time of a street scene is at most {_LATEST_S:g} seconds from its start, '
                f'not {time_s}'
            )
        camera = self._ego.camera(self.width, self.height, time_s)
        moment = self._world.at(time_s)
        canvas: Image = np.empty((self.height, self.width, 4), np.uint8)
        painter = Painter(canvas, camera, self._light, self._luts)
        self._sky.paint(painter, time_s)
        self._ground.paint(painter, moment.blocks, moment.shadows)
        for item in moment.items:
            if _in_view(camera, item):
                self._paint(painter, item)
        return self._expose(canvas, time_s), np.ascontiguousarray(canvas[..., 3])

    def _paint(self, painter: Painter, item: Item) -> None:
        match item:
            case Building():
                paint_building(painter, item, self._materials)
            case Barrier():
                paint_barrier(painter, item, self._materials)
            case Tree():
                paint_tree(painter, item, self._materials)
            case Lamp():
                paint_lamp(painter, item)
            case Bollard():
                paint_bollard(painter, item)
            case Sign():
                paint_sign(painter, item)
            case TrafficLight():
                paint_traffic_light(painter, item)
            case Car():
                paint_car(painter, item)
            case Pedestrian():
                on_road = item.band in (Band.LANE, Band.PARKED)
                paint_pedestrian(painter, item, 0.0 if on_road else KERB_M)
            case Bicyclist():
                paint_bicyclist(painter, item)

    def _expose(self, canvas: Image, time_s: float) -> Image:
        """Return the canvas as a camera would record it: a little soft, a little noisy."""
        rgb = cv2.cvtColor(canvas, cv2.COLOR_RGBA2RGB)
        rgb = cv2.GaussianBlur(rgb, (3, 3), 0.55)
        rng = generator(self.seed, Stream.NOISE, math.floor(time_s * 1000))
        top, left = rng.integers(_NOISE_MARGIN, size=2)
        noise = self._noise[top : top + self.height, left : left + self.width]
        return np.asarray(cv2.add(rgb, noise, dtype=cv2.CV_8U), np.uint8)


def _in_view(camera: Camera, item: Item) -> bool:
    """Return whether an item may show; what is in the plane x is seen best at its far end."""
    match item:
        case Building():
            return camera.sees(item.x, item.z + item.width_m, 1.0)
        case Barrier():
            return camera.sees(item.x, item.z + item.length_m, 1.0)
        case Tree():
            return camera.sees(item.x, item.z, item.crown_m / 2)
        case _:
            return camera.sees(item.x, item.z, 3.0)
