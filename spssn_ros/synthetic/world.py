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
"""What is where at a moment: the blocks in sight and everything in them."""

import math
from dataclasses import dataclass
from functools import lru_cache

from spssn_ros.synthetic.blocks import Block, BlockMaker
from spssn_ros.synthetic.camera import Array
from spssn_ros.synthetic.facades import Facade
from spssn_ros.synthetic.items import Band, Bollard, Building, Item, Pedestrian
from spssn_ros.synthetic.layout import Ego, Layout
from spssn_ros.synthetic.lighting import Light
from spssn_ros.synthetic.shadows import Shadows
from spssn_ros.synthetic.traffic import Traffic

_HOUSES_REACH_M = 190.0
_REACH_M = 120.0
_SMALL_REACH_M = 75.0  # people and bollards, which are a few pixels high beyond
_SHADOWS_REACH_M = 40.0
_BEHIND_M = 8.0
_BLOCKS_KEPT = 32


@dataclass(frozen=True)
class Moment:
    """The street at a time.

    Attributes:
        items: what to paint, in painting order.
        blocks: number and content of the blocks in sight, far to near.
        shadows: (N, 3) world points of convex shadows on the ground.

    """

    items: list[Item]
    blocks: list[tuple[int, Block]]
    shadows: list[Array]


class World:
    """The endless street of a scene.

    Args:
        seed: the scene's seed.
        layout: the street's measures.
        ego: the ego car's motion.
        light: the light, which decides about lamps and shadows.
        facades: the house fronts to build with.

    """

    def __init__(
        self, seed: int, layout: Layout, ego: Ego, light: Light, facades: list[Facade]
    ) -> None:
        self._layout = layout
        self._ego = ego
        self._maker = BlockMaker(seed, layout, facades, light.lamps_on)
        self._traffic = Traffic(seed, layout, ego, light.lamps_on)
        self._shadows = Shadows(light, facades)
        self._block = lru_cache(_BLOCKS_KEPT)(self._make_block)

    def _make_block(self, index: int) -> tuple[Block, tuple[Array | None, ...]]:
        block = self._maker.make(index)
        return block, tuple(self._shadows.of(item) for item in block.items)

    def at(self, time_s: float) -> Moment:
        """Return the street at a time, seconds."""
        here = self._ego.z(time_s)
        first = math.floor((here - _BEHIND_M) / self._layout.block_m)
        last = math.floor((here + _HOUSES_REACH_M) / self._layout.block_m)
        items: list[Item] = []
        shadows: list[Array] = []
        blocks: list[tuple[int, Block]] = []
        for index in range(last, first - 1, -1):
            block, thrown = self._block(index)
            blocks.append((index, block))
            for item, shadow in zip(block.items, thrown, strict=True):
                if not self._in_sight(item, here):
                    continue
                items.append(item)
                if shadow is not None and item.z - here < _SHADOWS_REACH_M:
                    shadows.append(shadow)
        for mover in self._traffic.items(time_s, here - _BEHIND_M, here + _REACH_M):
            if not self._in_sight(mover, here):
                continue
            items.append(mover)
            if mover.z - here < _SHADOWS_REACH_M:
                shadow = self._shadows.of(mover)
                if shadow is not None:
                    shadows.append(shadow)
        items.sort(key=_painting_order)
        return Moment(items, blocks, shadows)

    def _in_sight(self, item: Item, here: float) -> bool:
        if isinstance(item, Building):
            return here < item.z + item.width_m and item.z - here < _HOUSES_REACH_M
        reach = _SMALL_REACH_M if isinstance(item, Pedestrian | Bollard) else _REACH_M
        return here - _BEHIND_M * 2 < item.z < here + reach


def _painting_order(item: Item) -> tuple[int, float]:
    """Order strips from the outside in, and each strip from far to near."""
    if isinstance(item, Building):
        return Band.BUILDING, -item.z
    return getattr(item, 'band', Band.KERB), -item.z
