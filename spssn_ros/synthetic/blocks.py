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
"""What stands still: the street is a row of blocks, each made from the seed and its number.

Block k runs from the middle of side street k to the middle of side street k + 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spssn_ros.synthetic import casting
from spssn_ros.synthetic.facades import Facade
from spssn_ros.synthetic.foliage import CROWNS
from spssn_ros.synthetic.items import (
    Band,
    Barrier,
    BarrierKind,
    Bollard,
    Building,
    Item,
    Lamp,
    Sign,
    SignKind,
    TrafficLight,
    Tree,
)
from spssn_ros.synthetic.layout import PARKING_M, Layout
from spssn_ros.synthetic.randomness import Stream, generator

Rect = tuple[float, float, float, float]  # x from, x to, z from, z to

_GARDEN_BARRIERS = (
    (BarrierKind.RAILING, 1.15),
    (BarrierKind.PICKET, 1.0),
    (BarrierKind.BOARDS, 1.5),
    (BarrierKind.HEDGE, 1.2),
)
_GATE_M = 1.3
_PARK_M = 18.0


@dataclass(frozen=True)
class Block:
    """The standing things of one block.

    Attributes:
        items: houses, barriers, trees, posts, signs, parked cars.
        lawns: rectangles of grass.
        patches: (N, 4) rectangles of newer asphalt: x from, x to, z from, z to.

    """

    items: tuple[Item, ...]
    lawns: tuple[Rect, ...]
    patches: NDArray[np.float64]


class BlockMaker:
    """Makes blocks; the same number always gives the same block."""

    def __init__(self, seed: int, layout: Layout, facades: list[Facade], lamps_on: bool) -> None:
        self._seed = seed
        self._layout = layout
        self._facades = facades
        self._lamps_on = lamps_on

    def make(self, index: int) -> Block:
        """Return block `index`."""
        layout = self._layout
        rng = generator(self._seed, Stream.BLOCK, index)
        start = index * layout.block_m + layout.cross_m
        end = (index + 1) * layout.block_m - layout.cross_m
        gardens = rng.random(2) < 0.45
        if not gardens.any():  # at least one side has fences
            gardens[rng.integers(2)] = True
        items: list[Item] = []
        lawns: list[Rect] = []
        for side in (-1, 1):
            garden_m = layout.garden_m if gardens[(side + 1) // 2] else 0.0
            plots = self._plots(
                rng, side, start + layout.pavement_m, end - layout.pavement_m, garden_m
            )
            for found in plots:
                if isinstance(found, tuple):
                    lawns.append(found)
                else:
                    items.append(found)
            items += self._kerb(rng, side, index, start, end)
            items += self._standing(rng, side, start, end)
            if layout.parking[(side + 1) // 2]:
                items += self._parked(rng, side, start + 7, end - 9)
            items += self._side_street(rng, side, index * layout.block_m)
        return Block(tuple(items), tuple(lawns), self._patches(rng, start, end))

    def _patches(self, rng: np.random.Generator, start: float, end: float) -> NDArray[np.float64]:
        """Return where the asphalt was mended, once a quarter of the block, (4, 4)."""
        quarter = (end - start) / 4
        x = rng.uniform(-self._layout.lane_m, self._layout.lane_m - 1, 4)
        z = start + (np.arange(4) + rng.uniform(0, 0.3, 4)) * quarter
        wide, long = rng.uniform(0.8, 2.4, 4), rng.uniform(0.1, 0.6, 4) * quarter
        return np.stack([x, x + wide, z, z + long], axis=1)

    def _plots(
        self, rng: np.random.Generator, side: int, start: float, end: float, garden_m: float
    ) -> Iterator[Item | Rect]:
        """Line a side with houses, one plot in twelve or so with a little park."""
        chosen: list[int | None] = []
        widths: list[float] = []
        while sum(widths) < end - start:
            park = bool(chosen) and rng.random() < 0.09
            pick = None if park else int(rng.integers(len(self._facades)))
            chosen.append(pick)
            widths.append(_PARK_M if pick is None else self._facades[pick].width_m)
        stretch = (end - start) / sum(widths)
        front = self._layout.front(side)
        z, covered_m = start, 0.0
        for number, (pick, width) in enumerate(zip(chosen, widths, strict=True)):
            wide = width * stretch
            if pick is None:
                yield from self._park(rng, side, front, z, wide)
                covered_m = 0.0
            else:
                corner = int(rng.integers(len(self._facades))) if number == 0 else None
                x = side * (front + garden_m)
                yield Building(x, z, wide, side, pick, corner, covered_m)
                covered_m = self._facades[pick].height_m
                if garden_m:
                    yield from self._garden(rng, side, front, z, wide, garden_m, number == 0)
            z += wide

    def _garden(
        self,
        rng: np.random.Generator,
        side: int,
        front: float,
        z: float,
        wide: float,
        garden_m: float,
        fenced: bool,
    ) -> Iterator[Item | Rect]:
        kinds = _GARDEN_BARRIERS[:-1] if fenced else _GARDEN_BARRIERS
        kind, height = kinds[rng.integers(len(kinds))]
        gate = z + rng.uniform(0.25, 0.6) * wide
        x = side * (front + 0.08)
        yield Barrier(Band.GARDEN, x, z, gate - z, side, kind, height)
        rest = gate + _GATE_M
        yield Barrier(Band.GARDEN, x, rest, z + wide - rest, side, kind, height)
        near, far = side * (front + 0.3), side * (front + garden_m)
        yield (min(near, far), max(near, far), z + 0.2, gate)
        yield (min(near, far), max(near, far), rest, z + wide - 0.2)
        if rng.random() < 0.45:
            place = z + rng.uniform(0.2, 0.8) * wide
            size = rng.uniform(1.4, 2.6)
            x = side * (front + garden_m * 0.55)
            yield Tree(Band.GARDEN, x, place, int(rng.integers(CROWNS)), size, 0.3)

    def _park(
        self, rng: np.random.Generator, side: int, front: float, z: float, wide: float
    ) -> Iterator[Item | Rect]:
        x = side * (front + 0.1)
        yield Barrier(Band.GARDEN, x, z, wide, side, BarrierKind.RAILING, 1.2)
        back = front + 16
        house = int(rng.integers(len(self._facades)))
        yield Building(side * back, z, wide, side, house, None, 0.0)
        yield (min(x, side * back), max(x, side * back), z, z + wide)
        for row in range(3):
            x = side * (front + 13 - 4.5 * row)
            place = z + rng.uniform(0.15, 0.85) * wide
            yield Tree(Band.GARDEN, x, place, int(rng.integers(CROWNS)), rng.uniform(5, 7), 2.4)

    def _kerb(
        self, rng: np.random.Generator, side: int, index: int, start: float, end: float
    ) -> Iterator[Item]:
        """Set up what stands along the kerb: lamps, trees, signs, lights, rails, bollards."""
        layout = self._layout
        x = side * (layout.half(side) + 0.45)
        faces_ego = side == layout.drive
        offset = 0.0 if side == 1 else 13.0
        for z in np.arange(start + 6 + offset, end - 4, 27.0).tolist():
            yield Lamp(x, z, side, 6.4)
        for z in np.arange(start + 10.5, end - 8, 9.5).tolist():
            if rng.random() < layout.trees:
                size = rng.uniform(3.4, 5.4)
                place = z + rng.uniform(-1.5, 1.5)
                yield Tree(
                    Band.KERB, x, place, int(rng.integers(CROWNS)), size, rng.uniform(2.1, 2.7)
                )
        kinds = list(SignKind)
        for part in (0.2, 0.45, 0.7):
            if faces_ego or rng.random() < 0.6:
                place = start + part * (end - start) + rng.uniform(-3, 3)
                yield Sign(x, place, kinds[rng.integers(len(kinds))], faces_ego)
        # The two ends of a crossing agree on whether there are lights.
        if generator(self._seed, Stream.BLOCK, index + 1, 1).random() < 0.5:
            yield TrafficLight(x, end - 0.8, faces_ego)
        else:
            kind = SignKind.GIVE_WAY if rng.random() < 0.5 else SignKind.WARNING
            yield Sign(x, end - 0.8, kind, faces_ego)
        edge = side * (layout.half(side) + 0.25)
        if rng.random() < 0.55:
            yield Barrier(Band.KERB, edge, end - 12, 6.0, side, BarrierKind.GUARD_RAIL, 1.05)
        for z in (start + 0.8, start + 2.4, start + 4.0):
            yield Bollard(edge, z)

    def _standing(
        self, rng: np.random.Generator, side: int, start: float, end: float
    ) -> Iterator[Item]:
        """Put pairs of people on the pavement, who talk."""
        front = self._layout.front(side)
        for z in rng.uniform(start + 4, end - 4, int(rng.integers(0, 3))):
            for step, heading in ((0.0, 0.0), (0.8, math.pi)):
                x = side * (front - 0.5)
                yield casting.pedestrian(rng, Band.PAVEMENT, x, z + step, heading, None)

    def _parked(
        self, rng: np.random.Generator, side: int, start: float, end: float
    ) -> Iterator[Item]:
        x = side * (self._layout.half(side) - PARKING_M / 2)
        along = 0.0 if side == self._layout.drive else math.pi
        for z in np.arange(start, end, 6.3).tolist():
            if rng.random() < self._layout.parked:
                heading = along + rng.normal(0, 0.015)
                place = (x + rng.normal(0, 0.06), z + rng.uniform(-0.4, 0.4))
                yield casting.car(rng, Band.PARKED, *place, heading, lamps_on=False)

    def _side_street(self, rng: np.random.Generator, side: int, z: float) -> Iterator[Item]:
        """Let a car wait in the side street, now and then."""
        if rng.random() < 0.45:
            x = side * (self._layout.half(side) + 4.5)
            place = z + side * self._layout.drive * self._layout.cross_m / 2
            yield casting.car(rng, Band.PARKED, x, place, -side * math.pi / 2, self._lamps_on)
