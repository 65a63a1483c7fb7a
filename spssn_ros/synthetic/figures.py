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
"""People on foot and on bicycles, built of rounded limbs that move."""

import math
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cache
from itertools import chain

import numpy as np

from spssn_ros.labels import CAMVID
from spssn_ros.synthetic.camera import Array
from spssn_ros.synthetic.items import Bicyclist, Color, Look, Pedestrian
from spssn_ros.synthetic.painter import Painter

_PEDESTRIAN = CAMVID.index('pedestrian')
_BICYCLIST = CAMVID.index('bicyclist')
_FULL_PX_PER_M = 13.0  # where a metre is smaller, people have fewer limbs

Joint = tuple[float, float, float]  # forward, to the right, up; metres


class _Cloth(IntEnum):
    TOP = 0
    SLEEVE = auto()
    LEGS = auto()
    SHIN = auto()
    SKIN = auto()
    HAIR = auto()
    SHOE = auto()
    BAG = auto()
    TYRE = auto()
    FRAME = auto()


Limb = tuple[int, int, float, float, _Cloth]  # first and last joint, radius at each, cloth

# Joints 0 to 4 are hip, neck, head, hair and face; then seven of the far limbs, hip to toe and
# shoulder to hand; then the same of the near limbs.
_HIP, _KNEE, _HEEL, _TOE, _SHOULDER, _ELBOW, _HAND = range(7)
_FAR, _NEAR = 5, 12


def _leg(at: int) -> list[Limb]:
    return [
        (at + _HEEL, at + _TOE, 0.05, 0.045, _Cloth.SHOE),
        (at + _KNEE, at + _HEEL, 0.07, 0.05, _Cloth.SHIN),
        (at + _HIP, at + _KNEE, 0.1, 0.075, _Cloth.LEGS),
    ]


def _arm(at: int) -> list[Limb]:
    return [
        (at + _ELBOW, at + _HAND, 0.05, 0.04, _Cloth.SLEEVE),
        (at + _SHOULDER, at + _ELBOW, 0.065, 0.055, _Cloth.SLEEVE),
        (at + _HAND, at + _HAND, 0.048, 0.048, _Cloth.SKIN),
    ]


@dataclass(frozen=True)
class _Limbs:
    """A table of limbs in painting order, column by column."""

    first: list[int]
    last: list[int]
    radii: Array  # (K, 2)
    cloth: list[int]


def _limbs(*parts: list[Limb]) -> _Limbs:
    first, last, radius0, radius1, cloth = zip(*chain.from_iterable(parts), strict=True)
    return _Limbs(list(first), list(last), np.array([radius0, radius1]).T, [int(c) for c in cloth])


_HEAD: list[Limb] = [(1, 2, 0.06, 0.06, _Cloth.SKIN), (3, 3, 0.118, 0.118, _Cloth.HAIR)]
_FACE: list[Limb] = [(4, 4, 0.095, 0.095, _Cloth.SKIN)]
_TORSO: list[Limb] = [(0, 1, 0.155, 0.18, _Cloth.TOP)]
_SKIRT: list[Limb] = [(0, _NEAR + _KNEE, 0.15, 0.2, _Cloth.LEGS)]
_BAG: list[Limb] = [(_NEAR + _HIP, _NEAR + _HAND, 0.11, 0.14, _Cloth.BAG)]
_SMALL: list[Limb] = [
    (_FAR + _KNEE, _FAR + _HEEL, 0.07, 0.05, _Cloth.SHIN),
    (_FAR + _HIP, _FAR + _KNEE, 0.1, 0.075, _Cloth.LEGS),
    (_NEAR + _KNEE, _NEAR + _HEEL, 0.07, 0.05, _Cloth.SHIN),
    (_NEAR + _HIP, _NEAR + _KNEE, 0.1, 0.075, _Cloth.LEGS),
    (0, 1, 0.19, 0.21, _Cloth.TOP),
    (2, 2, 0.11, 0.11, _Cloth.HAIR),
]
# A rider keeps cranks and handlebar among the joints.
_HUB_REAR, _HUB_FRONT, _CRANK, _SADDLE, _TUBE, _BAR_FAR, _BAR_NEAR = range(19, 26)
_BICYCLE: list[Limb] = [
    (_HUB_REAR, _CRANK, 0.028, 0.028, _Cloth.FRAME),
    (_CRANK, _TUBE, 0.028, 0.028, _Cloth.FRAME),
    (_SADDLE, _TUBE, 0.028, 0.028, _Cloth.FRAME),
    (_CRANK, _SADDLE, 0.028, 0.028, _Cloth.FRAME),
    (_TUBE, _HUB_FRONT, 0.028, 0.025, _Cloth.FRAME),
    (_HUB_REAR, _SADDLE, 0.02, 0.02, _Cloth.FRAME),
    (_BAR_FAR, _BAR_NEAR, 0.022, 0.022, _Cloth.TYRE),
]


@cache
def _person(skirt: bool, bag: bool, face: bool) -> _Limbs:
    return _limbs(
        _arm(_FAR), _leg(_FAR), _leg(_NEAR), _SKIRT if skirt else [], _TORSO,
        _BAG if bag else [], _arm(_NEAR), _HEAD, _FACE if face else [],
    )  # fmt: skip


@cache
def _rider(face: bool) -> _Limbs:
    return _limbs(
        _BICYCLE, _arm(_FAR), _TORSO, _leg(_NEAR), _arm(_NEAR), _HEAD, _FACE if face else []
    )


_SMALL_PERSON = _limbs(_SMALL)
_FAR_LEG = _limbs(_leg(_FAR))
_RIM = np.stack([np.cos(a := np.linspace(0, 2 * math.pi, 20, endpoint=False)), np.sin(a)], axis=1)


def _near_side(painter: Painter, x: float, z: float, heading: float) -> int:
    """Return which side of a figure is turned to the camera: -1 left, 1 right."""
    eye = painter.camera.position
    towards = (eye[0] - x) * math.cos(heading) - (eye[2] - z) * math.sin(heading)
    return 1 if towards > 0 else -1


def _palette(painter: Painter, look: Look, frame: Color, depth_m: float, label: int) -> Array:
    """Return the canvas values of all cloths, (10, 4)."""
    sleeve = tuple(channel * 0.86 for channel in look.top)
    shin = look.skin if look.skirt else look.legs
    albedos = (
        look.top, sleeve, look.legs, shin, look.skin, look.hair,
        (30.0, 28.0, 28.0), look.bag or look.top, (28.0, 28.0, 30.0), frame,
    )  # fmt: skip
    return np.array(painter.lit_all(albedos, painter.light.soft, depth_m, label))


def _place(joints: list[Joint], x: float, y: float, z: float, heading: float) -> Array:
    """Turn joints in a figure's own axes into world points (N, 3)."""
    sin, cos = math.sin(heading), math.cos(heading)
    own = np.array(joints)
    return own @ ((sin, 0.0, cos), (cos, 0.0, -sin), (0.0, 1.0, 0.0)) + (x, y, z)


def _paint(painter: Painter, at: Array, limbs: _Limbs, size: float, palette: Array) -> None:
    values = palette[limbs.cloth].tolist()
    painter.capsules(at[limbs.first], at[limbs.last], limbs.radii * size, values)


def paint_pedestrian(painter: Painter, person: Pedestrian, ground_m: float) -> None:
    """Paint a person whose feet are `ground_m` above the road."""
    look, heading = person.look, person.heading
    size = look.height_m / 1.75
    swing = 0.0 if person.stride is None else 0.52 * math.sin(person.stride)
    near = _near_side(painter, person.x, person.z, heading)
    joints: list[Joint] = [
        (0, 0, 0.93), (0.02, 0, 1.42), (0.04, 0, 1.63), (0.03, 0, 1.655), (0.055, 0, 1.61),
    ]  # fmt: skip
    for side in (-near, near):
        angle = swing * side
        bend = max(-angle, 0.0) * 0.9 + 0.05
        knee_x, knee_y = 0.45 * math.sin(angle), 0.45 * math.cos(angle)
        heel_x = knee_x + 0.42 * math.sin(angle - bend)
        heel_y = knee_y + 0.42 * math.cos(angle - bend)
        arm_x, arm_y = math.sin(-angle * 0.8), math.cos(angle * 0.8)
        joints += [
            (0, side * 0.09, 0.92),
            (knee_x, side * 0.09, 0.92 - knee_y),
            (heel_x, side * 0.09, max(0.92 - heel_y, 0.05)),
            (heel_x + 0.17, side * 0.1, max(0.90 - heel_y, 0.03)),
            (0, side * 0.19, 1.38),
            (0.26 * arm_x, side * 0.24, 1.38 - 0.27 * arm_y),
            (0.5 * arm_x + 0.06, side * 0.24, 0.86),
        ]
    scaled = [(forward * size, right * size, up * size) for forward, right, up in joints]
    at = painter.locate(_place(scaled, person.x, ground_m, person.z, heading))
    if at is None:
        return
    palette = _palette(painter, look, look.top, painter.camera.focal / at[0, 2], _PEDESTRIAN)
    if at[0, 2] < _FULL_PX_PER_M:
        _paint(painter, at, _SMALL_PERSON, size, palette)
        return
    limbs = _person(look.skirt, look.bag is not None, math.cos(heading) < 0.5)
    _paint(painter, at, limbs, size, palette)


def paint_bicyclist(painter: Painter, rider: Bicyclist) -> None:
    """Paint a bicycle and its rider on the road."""
    heading = rider.heading
    near = _near_side(painter, rider.x, rider.z, heading)
    joints: list[Joint] = [
        (-0.18, 0, 0.98), (0.1, 0, 1.44), (0.2, 0, 1.66), (0.19, 0, 1.69), (0.215, 0, 1.645),
    ]  # fmt: skip
    for side in (-near, near):
        phase = rider.stride + (math.pi if side > 0 else 0.0)
        toe_x, toe_y = 0.17 * math.cos(phase), 0.3 - 0.17 * math.sin(phase)
        joints += [
            (-0.18, side * 0.08, 0.97),
            ((toe_x - 0.18) / 2 + 0.24, side * 0.1, (toe_y + 0.98) / 2 + 0.06),
            (toe_x, side * 0.12, toe_y),
            (toe_x + 0.16, side * 0.12, toe_y - 0.02),
            (0.06, side * 0.19, 1.4),
            (0.2, side * 0.27, 1.16),
            (0.44, side * 0.26, 1.03),
        ]
    joints += [(-0.52, 0, 0.34), (0.55, 0, 0.34), (0.0, 0, 0.3), (-0.18, 0, 0.9), (0.4, 0, 0.92)]
    joints += [(0.44, -near * 0.26, 1.02), (0.44, near * 0.26, 1.02)]
    at = painter.locate(_place(joints, rider.x, 0.0, rider.z, heading))
    if at is None:
        return
    depth = painter.camera.focal / at[0, 2]
    palette = _palette(painter, rider.look, rider.frame, depth, _BICYCLIST)
    _paint(painter, at, _FAR_LEG, 1.0, palette)
    wheels = [
        _place([(hub + 0.33 * c, 0.0, 0.34 + 0.33 * s) for c, s in _RIM.tolist()], rider.x, 0.0,
               rider.z, heading)
        for hub in (-0.52, 0.55)
    ]  # fmt: skip
    painter.rings(np.array(wheels), 0.055, palette[_Cloth.TYRE].tolist())
    _paint(painter, at, _rider(math.cos(heading) < 0.5), 1.0, palette)
