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
"""What can stand or move in a street. Metres; x right, z along the street; headings in radians.

A heading of 0 looks along +z, away from the ego car; pi / 2 looks along +x.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum, auto

Color = tuple[float, float, float]


class Band(IntEnum):
    """Strips of the street from the outside in, the order in which they are painted.

    Seen from a lane, nothing in an outer strip can hide what stands in an inner one.
    """

    BUILDING = 0
    GARDEN = 1
    PAVEMENT = 2
    KERB = 3
    PARKED = 4
    LANE = 5


class BarrierKind(Enum):
    """What bounds a garden or a kerb; a hedge is of class tree, the rest are fences."""

    RAILING = auto()
    PICKET = auto()
    BOARDS = auto()
    GUARD_RAIL = auto()
    HEDGE = auto()


class SignKind(Enum):
    """Plates on posts."""

    LIMIT = auto()
    WARNING = auto()
    GIVE_WAY = auto()
    MANDATORY = auto()
    PARKING = auto()
    DIRECTION = auto()
    NO_ENTRY = auto()


class CarBody(Enum):
    """Shapes of cars."""

    HATCHBACK = auto()
    SALOON = auto()
    SUV = auto()
    VAN = auto()


@dataclass(frozen=True)
class Building:
    """A house: its front lies in the plane x, from z to z + width_m; `side` is -1 or 1.

    The end towards the ego car shows above `covered_m`, the height of the house before it;
    at street corners it bears the texture `end_facade`.
    """

    x: float
    z: float
    width_m: float
    side: int
    facade: int
    end_facade: int | None
    covered_m: float


@dataclass(frozen=True)
class Barrier:
    """A straight fence or hedge in the plane x, from z to z + length_m."""

    band: Band
    x: float
    z: float
    length_m: float
    side: int
    kind: BarrierKind
    height_m: float


@dataclass(frozen=True)
class Tree:
    """A tree; `crown` numbers its texture."""

    band: Band
    x: float
    z: float
    crown: int
    crown_m: float
    trunk_m: float


@dataclass(frozen=True)
class Lamp:
    """A lamp post whose arm reaches `side` times -1, over the road."""

    x: float
    z: float
    side: int
    height_m: float


@dataclass(frozen=True)
class Bollard:
    """A knee-high post."""

    x: float
    z: float


@dataclass(frozen=True)
class Sign:
    """A plate on a post; `faces_ego` tells its front from its grey back."""

    x: float
    z: float
    kind: SignKind
    faces_ego: bool


@dataclass(frozen=True)
class TrafficLight:
    """A signal head on a post; green for the ego car's street."""

    x: float
    z: float
    faces_ego: bool


@dataclass(frozen=True)
class Car:
    """A car, parked or driving."""

    band: Band
    x: float
    z: float
    heading: float
    body: CarBody
    color: Color
    lamps_on: bool


@dataclass(frozen=True)
class Look:
    """How a person is dressed; heights in metres."""

    height_m: float
    top: Color
    legs: Color
    skin: Color
    hair: Color
    skirt: bool
    bag: Color | None


@dataclass(frozen=True)
class Pedestrian:
    """A person on foot; `stride` is the phase of the steps, None while standing."""

    band: Band
    x: float
    z: float
    heading: float
    stride: float | None
    look: Look


@dataclass(frozen=True)
class Bicyclist:
    """A bicycle with its rider; `stride` is the phase of the pedals."""

    band: Band
    x: float
    z: float
    heading: float
    stride: float
    look: Look
    frame: Color


Item = (
    Building | Barrier | Tree | Lamp | Bollard | Sign | TrafficLight | Car | Pedestrian | Bicyclist
)
