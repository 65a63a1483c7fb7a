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
"""The measures of a scene's street, and the ego car's way through it."""

import math
from dataclasses import dataclass

from spssn_ros.synthetic.camera import Camera
from spssn_ros.synthetic.randomness import Stream, generator

PARKING_M = 2.1
KERB_M = 0.12
"""Height of the kerb."""

ROAD_REACH_M = 40.0
"""How far side streets and pavements reach from the middle of the street."""


@dataclass(frozen=True)
class Layout:
    """The street's cross-section and habits.

    Attributes:
        drive: 1 where traffic keeps right, -1 where it keeps left.
        lane_m: width of each of the two lanes.
        cycle_m: width of the strip for bicycles beside each lane.
        parking: whether cars park on the left (index 0) and the right (1).
        pavement_m: width of the pavements.
        block_m: distance from one side street to the next.
        cross_m: half the width of a side street's carriageway.
        tall: fraction of high houses.
        trees: chance of a tree at each place for one.
        parked: chance of a car at each place for one.
        people: chance of a walker in each slot of the pavement.
        garden_m: depth of the front gardens, where a side has them.

    """

    drive: int
    lane_m: float
    cycle_m: float
    parking: tuple[bool, bool]
    pavement_m: float
    block_m: float
    cross_m: float
    tall: float
    trees: float
    parked: float
    people: float
    garden_m: float

    def half(self, side: int) -> float:
        """Return the distance from the middle of the road to the kerb on a side, -1 or 1."""
        parking = PARKING_M if self.parking[(side + 1) // 2] else 0.0
        return self.lane_m + self.cycle_m + parking

    def front(self, side: int) -> float:
        """Return the distance from the middle of the road to the pavement's far edge."""
        return self.half(side) + self.pavement_m

    def crossing_z(self, block: int) -> float:
        """Return where the middle of the zebra crossing before side street `block` lies."""
        return block * self.block_m - self.cross_m - 2.6


def make_layout(seed: int) -> Layout:
    """Return the street of scene `seed`."""
    rng = generator(seed, Stream.LAYOUT)
    parking = ((True, True), (True, False), (False, True), (True, True))[rng.integers(4)]
    return Layout(
        drive=int(rng.choice([-1, 1])),
        lane_m=float(rng.uniform(2.9, 3.3)),
        cycle_m=float(rng.uniform(1.1, 1.5)),
        parking=parking,
        pavement_m=float(rng.uniform(2.8, 4.4)),
        block_m=float(rng.uniform(62, 88)),
        cross_m=float(rng.uniform(3.0, 3.6)),
        tall=float(rng.choice([0.1, 0.5, 0.85])),
        trees=float(rng.uniform(0.3, 0.75)),
        parked=float(rng.uniform(0.4, 0.8)),
        people=float(rng.uniform(0.2, 0.5)),
        garden_m=float(rng.uniform(2.0, 4.5)),
    )


@dataclass(frozen=True)
class Ego:
    """The ego car's motion: constant speed, a gentle sway about the middle of its lane."""

    speed_mps: float
    lane_x: float
    height_m: float
    pitch: float
    phase: float

    def z(self, time_s: float) -> float:
        """Return how far along the street the camera is, metres."""
        return self.speed_mps * time_s

    def camera(self, width: int, height: int, time_s: float) -> Camera:
        """Return the camera at `time_s`, for pictures of width x height pixels."""
        sway = 0.31 * time_s + self.phase
        position = (
            self.lane_x + 0.18 * math.sin(sway),
            self.height_m + 0.012 * math.sin(5.3 * time_s),
            self.z(time_s),
        )
        yaw = math.radians(1.6) * math.sin(0.23 * time_s + 2 * self.phase)
        pitch = self.pitch + math.radians(0.12) * math.sin(4.1 * time_s + self.phase)
        return Camera.looking(width, height, position, yaw, pitch)


def make_ego(seed: int, layout: Layout) -> Ego:
    """Return the ego car of scene `seed`."""
    rng = generator(seed, Stream.EGO)
    return Ego(
        speed_mps=float(rng.uniform(7.2, 9.5)),
        lane_x=layout.drive * layout.lane_m / 2,
        height_m=float(rng.uniform(1.3, 1.6)),
        pitch=math.radians(float(rng.uniform(-1.5, 1.8))),
        phase=float(rng.uniform(0, 2 * math.pi)),
    )
