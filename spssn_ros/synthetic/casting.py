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
"""Who is in the street: people's clothes and cars' colours, drawn from weighted palettes."""

import numpy as np

from spssn_ros.synthetic.items import Band, Bicyclist, Car, CarBody, Color, Look, Pedestrian

_CAR_COLORS: tuple[Color, ...] = (
    (222, 224, 226), (168, 172, 176), (92, 96, 102), (38, 40, 46), (30, 32, 36), (150, 28, 32),
    (38, 62, 122), (66, 98, 148), (40, 74, 56), (196, 176, 140), (214, 196, 64), (196, 92, 40),
)  # fmt: skip
_TOPS: tuple[Color, ...] = (
    (38, 44, 62), (28, 28, 32), (148, 38, 46), (52, 92, 60), (196, 188, 172), (84, 108, 156),
    (206, 164, 62), (112, 74, 116), (92, 84, 74), (226, 226, 224), (204, 110, 62), (60, 120, 130),
)  # fmt: skip
_LEGS: tuple[Color, ...] = (
    (34, 40, 58), (52, 66, 98), (30, 30, 32), (86, 82, 76), (120, 106, 84), (62, 52, 46),
)  # fmt: skip
_SKIN: tuple[Color, ...] = ((224, 180, 152), (204, 156, 124), (164, 116, 86), (108, 74, 56))
_HAIR: tuple[Color, ...] = (
    (46, 34, 28),
    (26, 24, 24),
    (112, 82, 52),
    (168, 136, 86),
    (150, 148, 146),
)
_BAGS: tuple[Color, ...] = ((60, 48, 42), (150, 50, 44), (44, 62, 84), (28, 28, 28))
_BODIES = (CarBody.HATCHBACK,) * 4 + (CarBody.SALOON,) * 3 + (CarBody.SUV,) * 2 + (CarBody.VAN,)


def _pick(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    r, g, b = np.clip(np.array(colors[rng.integers(len(colors))]) * rng.uniform(0.88, 1.1), 0, 236)
    return float(r), float(g), float(b)


def dress(rng: np.random.Generator) -> Look:
    """Return the look of a new person."""
    return Look(
        height_m=float(rng.normal(1.72, 0.09))
        if rng.random() < 0.88
        else float(rng.uniform(1.1, 1.4)),
        top=_pick(rng, _TOPS),
        legs=_pick(rng, _LEGS),
        skin=_pick(rng, _SKIN),
        hair=_pick(rng, _HAIR),
        skirt=bool(rng.random() < 0.18),
        bag=_pick(rng, _BAGS) if rng.random() < 0.4 else None,
    )


def car(
    rng: np.random.Generator, band: Band, x: float, z: float, heading: float, lamps_on: bool
) -> Car:
    """Return a car of random shape and colour."""
    body = _BODIES[rng.integers(len(_BODIES))]
    return Car(band, x, z, heading, body, _pick(rng, _CAR_COLORS), lamps_on)


def pedestrian(
    rng: np.random.Generator, band: Band, x: float, z: float, heading: float, stride: float | None
) -> Pedestrian:
    """Return a person on foot."""
    return Pedestrian(band, x, z, heading, stride, dress(rng))


def bicyclist(
    rng: np.random.Generator, x: float, z: float, heading: float, stride: float
) -> Bicyclist:
    """Return a bicycle with its rider, at the edge of a lane."""
    return Bicyclist(Band.LANE, x, z, heading, stride, dress(rng), _pick(rng, _CAR_COLORS))
