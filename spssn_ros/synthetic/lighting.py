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
"""Weather and light: what colours become by day, under cloud and at dusk."""

import math
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spssn_ros.synthetic.randomness import Stream, generator

Rgb = tuple[float, float, float]


class Weather(Enum):
    """The three kinds of light."""

    DAY = 'day'
    OVERCAST = 'overcast'
    DUSK = 'dusk'


@dataclass(frozen=True)
class Light:
    """The light of a scene. Colours are RGB 0..255, light factors around 1.

    Attributes:
        weather: the kind of light.
        ambient: (3,) light from everywhere.
        diffuse: (3,) light of the sun on a surface that faces it.
        sun: (3,) unit vector towards the sun (x right, y up, z forward).
        casts: whether the sun throws shadows; otherwise objects only darken their own footprint.
        haze: (3,) colour that distance fades to.
        haze_m: distance at which 63 % has faded.
        zenith: (3,) sky colour overhead.
        horizon: (3,) sky colour at the horizon.
        cloud: (3,) colour of the clouds.
        cloud_cover: fraction of the sky under cloud.
        lit_windows: fraction of windows with the lamps on.

    """

    weather: Weather
    ambient: NDArray[np.float64]
    diffuse: NDArray[np.float64]
    sun: NDArray[np.float64]
    casts: bool
    haze: NDArray[np.float64]
    haze_m: float
    zenith: NDArray[np.float64]
    horizon: NDArray[np.float64]
    cloud: NDArray[np.float64]
    cloud_cover: float
    lit_windows: float

    @property
    def lamps_on(self) -> bool:
        """Whether street lamps and headlamps burn."""
        return self.weather is Weather.DUSK

    @cached_property
    def up(self) -> NDArray[np.float64]:
        """Light, (3,), on level ground."""
        return self.on((0.0, 1.0, 0.0))

    @cached_property
    def back(self) -> NDArray[np.float64]:
        """Light, (3,), on walls that face against the direction of travel."""
        return self.on((0.0, 0.0, -1.0))

    @cached_property
    def fronts(self) -> dict[int, NDArray[np.float64]]:
        """Light, (3,), on walls that face the street, by their side of it, -1 or 1."""
        return {side: self.on((-float(side), 0.0, 0.0)) for side in (-1, 1)}

    @cached_property
    def roofs(self) -> dict[int, NDArray[np.float64]]:
        """Light, (3,), on roofs that slope to the street, by their side of it, -1 or 1."""
        return {side: self.on((-side * 0.54, 0.84, 0.0)) for side in (-1, 1)}

    @cached_property
    def soft(self) -> NDArray[np.float64]:
        """Light, (3,), on rounded things that are no plane: limbs, posts, heads."""
        return self.ambient + 0.55 * self.diffuse

    @cached_property
    def shadow(self) -> float:
        """Factor by which a shadow darkens the ground."""
        if not self.casts:
            return 0.62
        return min(float((self.ambient / self.up).mean()) * 1.05, 1.0)

    def on(self, normal: Rgb | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the light, (..., 3), on surfaces with the unit normals `normal`, (..., 3)."""
        facing = np.maximum(np.asarray(normal) @ self.sun, 0.0)
        return self.ambient + facing[..., None] * self.diffuse

    def haze_at(self, depth_m: float) -> float:
        """Return how much of a colour has faded to haze at a distance, 0..1."""
        return 1.0 - math.exp(-max(depth_m, 0.0) / self.haze_m)


def _sun(rng: np.random.Generator, elevation: tuple[float, float]) -> NDArray[np.float64]:
    height = math.radians(rng.uniform(*elevation))
    # Not straight along the street: shadows across the road are the ones that show.
    azimuth = math.radians(rng.choice([-1, 1]) * rng.uniform(30, 150))
    flat = math.cos(height)
    return np.array([flat * math.sin(azimuth), math.sin(height), flat * math.cos(azimuth)])


def make_light(seed: int) -> Light:
    """Return the light of scene `seed`: of every four two by day, one overcast, one at dusk."""
    rng = generator(seed, Stream.LIGHT)
    weather = (Weather.DAY, Weather.OVERCAST, Weather.DAY, Weather.DUSK)[seed % 4]
    warmth = rng.uniform(-0.04, 0.04)
    if weather is Weather.DAY:
        return Light(
            weather,
            ambient=np.array([0.50, 0.53, 0.60]) * rng.uniform(0.9, 1.1),
            diffuse=np.array([0.74 + warmth, 0.70, 0.60 - warmth]),
            sun=_sun(rng, (32, 62)),
            casts=True,
            haze=np.array([196.0, 210.0, 224.0]),
            haze_m=rng.uniform(260, 420),
            zenith=np.array([84.0, 138.0, 206.0]) * rng.uniform(0.85, 1.08),
            horizon=np.array([206.0, 222.0, 236.0]),
            cloud=np.array([246.0, 247.0, 250.0]),
            cloud_cover=rng.uniform(0.15, 0.55),
            lit_windows=0.0,
        )
    if weather is Weather.OVERCAST:
        grey = rng.uniform(0.88, 1.08)
        return Light(
            weather,
            ambient=np.array([0.70 + warmth, 0.72, 0.75 - warmth]) * grey,
            diffuse=np.array([0.16, 0.16, 0.16]),
            sun=_sun(rng, (60, 80)),
            casts=False,
            haze=np.array([188.0, 193.0, 198.0]) * grey,
            haze_m=rng.uniform(140, 260),
            zenith=np.array([168.0, 176.0, 186.0]) * grey,
            horizon=np.array([208.0, 212.0, 216.0]) * grey,
            cloud=np.array([224.0, 226.0, 230.0]) * grey,
            cloud_cover=rng.uniform(0.7, 0.95),
            lit_windows=0.06,
        )
    return Light(
        weather,
        ambient=np.array([0.36, 0.37, 0.50]) * rng.uniform(0.9, 1.15),
        diffuse=np.array([0.50, 0.29, 0.14]),
        sun=_sun(rng, (14, 24)),
        casts=True,
        haze=np.array([176.0, 140.0, 140.0]),
        haze_m=rng.uniform(220, 340),
        zenith=np.array([54.0, 66.0, 118.0]),
        horizon=np.array([244.0, 176.0, 128.0]),
        cloud=np.array([206.0, 138.0, 138.0]),
        cloud_cover=rng.uniform(0.3, 0.6),
        lit_windows=0.42,
    )
