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
"""Random numbers addressed by what they are for, so that any moment can be drawn on its own."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a random generator decides; the second word of its seed."""

    LAYOUT = 1
    LIGHT = 2
    SKY = 3
    FACADE = 4
    FOLIAGE = 5
    GROUND = 6
    BLOCK = 7
    NOISE = 8
    EGO = 9
    CAR_AHEAD = 10
    CARS_ONCOMING = 11
    CYCLISTS_AHEAD = 12
    CYCLISTS_ONCOMING = 13
    WALKERS = 14
    CROSSERS = 15


def generator(seed: int, stream: Stream, *indices: int) -> np.random.Generator:
    """Return the generator of `stream` at `indices`: the same arguments give the same numbers.

    Args:
        seed: the scene's seed, 0 or more.
        stream: the purpose of the numbers.
        indices: integers of either sign, such as a block's number.

    """
    # Seed words are not negative, so the two signs take turns: 0, -1, 1, -2, ... -> 0, 1, 2, 3.
    words = [2 * i if i >= 0 else -2 * i - 1 for i in indices]
    return np.random.default_rng([seed, int(stream), *words])
