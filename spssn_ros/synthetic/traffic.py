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
"""What moves: endless rows of slots that travel along the street, and people who cross it.

A slot's content depends on the seed and the slot's number alone, its place on the time, so that
every moment can be drawn without the ones before it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from spssn_ros.synthetic import casting
from spssn_ros.synthetic.items import Band, Bicyclist, Car, Item, Pedestrian
from spssn_ros.synthetic.layout import Ego, Layout
from spssn_ros.synthetic.randomness import Stream, generator

Mover = Car | Bicyclist | Pedestrian

_KEPT = 512  # slots remembered, well above what is in sight at once
_STEPS_PER_M = 2.6  # phase of a walker's legs per metre, radians
_PEDALS_PER_M = 1.35
_AHEAD_S = 80.0  # how long one car ahead stays before the next one
_SPARE_S = (1.5, 2.5, 4.0, 5.5, 7.0)  # from the end of a crossing to the ego car's coming
_AHEAD_NEAREST_M = 12.0
_AHEAD_FARTHEST_M = 130.0


@dataclass(frozen=True)
class Row:
    """An endless row of slots at x that moves at one speed."""

    stream: Stream
    number: int
    x: float
    speed_mps: float
    spacing_m: float
    chance: float

    def slots(self, time_s: float, z_from: float, z_to: float) -> Iterator[tuple[int, float]]:
        """Yield number and z of the slots between two places at a time."""
        origin = self.speed_mps * time_s
        first = math.ceil((z_from - origin) / self.spacing_m)
        last = math.floor((z_to - origin) / self.spacing_m)
        for slot in range(first, last + 1):
            yield slot, slot * self.spacing_m + origin


@dataclass(frozen=True)
class Crossing:
    """One person's way across the road; x goes from `start_x` to `end_x`."""

    person: Pedestrian
    begins_s: float
    takes_s: float
    speed_mps: float
    end_x: float

    def at(self, time_s: float, lanes_m: float) -> Pedestrian:
        """Return the person at a time: waiting, crossing, or walking off on the other side."""
        done = time_s - self.begins_s
        if done < 0:
            return self.person
        stride = _STEPS_PER_M * self.speed_mps * done
        if done < self.takes_s:
            start_x = self.person.x
            x = start_x + (self.end_x - start_x) * done / self.takes_s
            band = Band.LANE if abs(x) < lanes_m else Band.PARKED
            return replace(self.person, band=band, x=x, stride=stride)
        z = self.person.z - self.speed_mps * (done - self.takes_s)
        return replace(self.person, x=self.end_x, z=z, heading=math.pi, stride=stride)


class Traffic:
    """Cars, bicyclists and walkers of a scene."""

    def __init__(self, seed: int, layout: Layout, ego: Ego, lamps_on: bool) -> None:
        self._seed = seed
        self._layout = layout
        self._ego = ego
        self._lamps_on = lamps_on
        drive, lane = layout.drive, layout.lane_m
        rng = generator(seed, Stream.CARS_ONCOMING)
        edge = lane + layout.cycle_m * 0.45
        self._cars = Row(
            Stream.CARS_ONCOMING, 0, -drive * lane / 2, -rng.uniform(7, 11), 27.0, 0.55
        )
        # Every slot of the oncoming bicyclists is taken, so that the class is never long absent.
        self._cyclists = (
            Row(Stream.CYCLISTS_AHEAD, 0, drive * edge, rng.uniform(3.8, 5), 46.0, 0.6),
            Row(Stream.CYCLISTS_ONCOMING, 1, -drive * edge, -rng.uniform(4, 5.5), 52.0, 1.0),
        )
        self._walkers = tuple(
            Row(
                Stream.WALKERS,
                number,
                side * (layout.half(side) + 0.9 + part * (layout.pavement_m - 1.3)),
                way * rng.uniform(1.15, 1.55),
                7.0,
                layout.people,
            )
            for number, (side, way, part) in enumerate(
                ((-1, 1, 0.3), (-1, -1, 0.75), (1, 1, 0.75), (1, -1, 0.3))
            )
        )
        self._content = lru_cache(_KEPT)(self._make_content)
        self._crossings = lru_cache(_KEPT)(self._make_crossings)
        self._ahead = lru_cache(_KEPT)(self._make_ahead)

    def items(self, time_s: float, z_from: float, z_to: float) -> Iterator[Item]:
        """Yield everything that moves between two places at a time."""
        yield replace(self._ahead(math.floor(time_s / _AHEAD_S)), z=self._ahead_z(time_s))
        for row in (self._cars, *self._cyclists, *self._walkers):
            yield from self._row(row, time_s, z_from, z_to)
        lanes_m = self._layout.lane_m + self._layout.cycle_m
        first = math.floor(z_from / self._layout.block_m)
        last = math.ceil(z_to / self._layout.block_m)
        for block in range(first, last + 1):
            for crossing in self._crossings(block):
                yield crossing.at(time_s, lanes_m)

    def _row(self, row: Row, time_s: float, z_from: float, z_to: float) -> Iterator[Mover]:
        for slot, z in row.slots(time_s, z_from, z_to):
            mover = self._content(row, slot)
            if mover is None:
                continue
            way = abs(row.speed_mps) * time_s
            if isinstance(mover, Car):
                yield replace(mover, z=mover.z + z)
            elif isinstance(mover, Bicyclist):
                stride = mover.stride + _PEDALS_PER_M * way
                yield replace(mover, z=mover.z + z, stride=stride)
            else:
                stride = (mover.stride or 0.0) + _STEPS_PER_M * way
                yield replace(mover, z=mover.z + z, stride=stride)

    def _make_content(self, row: Row, slot: int) -> Mover | None:
        """Return who is in a slot, z counted from the slot's own place; None when it is free."""
        rng = generator(self._seed, row.stream, row.number, slot)
        if rng.random() >= row.chance:
            return None
        heading = 0.0 if row.speed_mps > 0 else math.pi
        place = rng.uniform(-0.3, 0.3) * row.spacing_m
        phase = float(rng.uniform(0, 2 * math.pi))
        if row.stream is Stream.WALKERS:
            x = row.x + rng.uniform(-0.25, 0.25)
            return casting.pedestrian(rng, Band.PAVEMENT, x, place, heading, phase)
        x = row.x + rng.normal(0, 0.08)
        if row.stream is Stream.CARS_ONCOMING:
            return casting.car(rng, Band.LANE, x, place, heading, self._lamps_on)
        return casting.bicyclist(rng, x, place, heading, phase)

    def _make_ahead(self, turn: int) -> Car:
        rng = generator(self._seed, Stream.CAR_AHEAD, turn)
        return casting.car(rng, Band.LANE, self._ego.lane_x, 0.0, 0.0, self._lamps_on)

    def _ahead_z(self, time_s: float) -> float:
        """Return where the car ahead is; the ego car comes up to it, then it draws away."""
        part = 2 * (time_s / _AHEAD_S % 1.0) - 1
        gap = _AHEAD_NEAREST_M + (_AHEAD_FARTHEST_M - _AHEAD_NEAREST_M) * part**2
        return self._ego.z(time_s) + gap

    def _make_crossings(self, block: int) -> tuple[Crossing, ...]:
        """Return those who cross at a block's zebra crossing before the ego car gets there."""
        rng = generator(self._seed, Stream.CROSSERS, block)
        layout, z = self._layout, self._layout.crossing_z(block)
        made = []
        for _ in range(int(rng.integers(0, 4))):
            side = int(rng.choice([-1, 1]))
            speed = float(rng.uniform(1.3, 1.7))
            start_x, end_x = side * (layout.half(side) + 0.7), -side * (layout.half(-side) + 0.7)
            takes = abs(end_x - start_x) / speed
            line = z + rng.uniform(-0.9, 0.9)
            person = casting.pedestrian(rng, Band.KERB, start_x, line, -side * math.pi / 2, None)
            latest = z / self._ego.speed_mps - takes
            tries = (
                Crossing(person, latest - spare, takes, speed, end_x)
                for spare in rng.permutation(_SPARE_S).tolist()
            )
            # Those who find no gap in the traffic keep waiting.
            waiting = Crossing(person, math.inf, takes, speed, end_x)
            made.append(next(filter(self._is_free, tries), waiting))
        return tuple(made)

    def _is_free(self, crossing: Crossing) -> bool:
        """Return whether no vehicle meets a person on the way across."""
        start_x, z = crossing.person.x, crossing.person.z
        way = math.copysign(crossing.speed_mps, crossing.end_x - start_x)
        for row in (self._cars, *self._cyclists):
            meets = crossing.begins_s + (row.x - start_x) / way
            reach = 4.0 + 1.6 * abs(row.speed_mps) / crossing.speed_mps
            spread = reach + row.spacing_m
            for vehicle in self._row(row, meets, z - spread, z + spread):
                if abs(vehicle.z - z) < reach:
                    return False
        meets = crossing.begins_s + (self._ego.lane_x - start_x) / way
        return abs(self._ahead_z(meets) - z) > 14.0
