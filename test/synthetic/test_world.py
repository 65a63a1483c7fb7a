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
"""What is where: endless, repeatable, moving as it should, nobody run over."""

import math
from itertools import pairwise

import numpy as np
import pytest

from spssn_ros.synthetic.blocks import BlockMaker
from spssn_ros.synthetic.facades import facades
from spssn_ros.synthetic.items import (
    Band,
    Barrier,
    BarrierKind,
    Bicyclist,
    Building,
    Car,
    CarBody,
    Lamp,
    Pedestrian,
    Sign,
)
from spssn_ros.synthetic.layout import KERB_M, make_ego, make_layout
from spssn_ros.synthetic.lighting import Weather, make_light
from spssn_ros.synthetic.shadows import Shadows
from spssn_ros.synthetic.traffic import Traffic
from spssn_ros.synthetic.world import World

FACADES = facades(0, 4, 0.5, 0.0)


def make_world(seed):
    layout = make_layout(seed)
    ego = make_ego(seed, layout)
    return World(seed, layout, ego, make_light(seed), FACADES), layout, ego


def make_traffic(seed):
    layout = make_layout(seed)
    ego = make_ego(seed, layout)
    return Traffic(seed, layout, ego, False), layout, ego


def of_kind(items, kind):
    return [item for item in items if isinstance(item, kind)]


def test_a_moment_is_the_same_however_one_gets_there():
    here, there = make_world(1)[0], make_world(1)[0]
    for second in range(5):
        here.at(float(second))
    assert here.at(20.0).items == there.at(20.0).items


@pytest.mark.parametrize('time_s', [-100.0, 0.0, 3600.0, 1e8])
def test_the_street_never_ends(time_s):
    world, _, ego = make_world(2)
    here = ego.z(time_s)
    items = world.at(time_s).items
    for kind, least in ((Building, 12), (Sign, 2), (Car, 2), (Barrier, 1)):
        ahead = [item for item in of_kind(items, kind) if item.z > here]
        assert len(ahead) >= least, kind


def test_houses_of_a_side_stand_in_a_row_without_overlap():
    world, layout, _ = make_world(0)
    for side in (-1, 1):
        row = [
            house
            for house in of_kind(world.at(0.0).items, Building)
            if house.side == side and abs(house.x) < layout.front(side) + layout.garden_m + 1
        ]
        row.sort(key=lambda house: house.z)
        assert len(row) > 5
        for first, second in pairwise(row):
            assert first.z + first.width_m <= second.z + 1e-9
            assert abs(first.x) >= layout.front(side)


@pytest.mark.parametrize('seed', range(4))
def test_every_block_has_a_fence_and_signs(seed):
    layout = make_layout(seed)
    maker = BlockMaker(seed, layout, FACADES, False)
    for index in range(-5, 10):
        items = maker.make(index).items
        assert items == maker.make(index).items
        assert any(
            fence.band is Band.GARDEN and fence.kind is not BarrierKind.HEDGE
            for fence in of_kind(items, Barrier)
        )
        assert sum(sign.faces_ego for sign in of_kind(items, Sign)) >= 3


def test_painting_goes_from_the_outside_in_and_from_far_to_near():
    items = make_world(3)[0].at(10.0).items
    bands = [
        Band.BUILDING if isinstance(item, Building) else getattr(item, 'band', Band.KERB)
        for item in items
    ]
    assert bands == sorted(bands)
    for band in Band:
        places = [item.z for item, own in zip(items, bands, strict=True) if own is band]
        assert places == sorted(places, reverse=True)


def test_oncoming_cars_approach_and_those_ahead_keep_their_distance():
    traffic, layout, ego = make_traffic(4)
    lane = layout.drive * layout.lane_m / 2

    def cars(time_s, x):
        found = of_kind(traffic.items(time_s, ego.z(time_s) - 10, ego.z(time_s) + 130), Car)
        return [car for car in found if abs(car.x - x) < 0.8]

    (ahead,) = cars(30.0, lane)
    assert ahead.heading == 0
    assert 12 <= ahead.z - ego.z(30.0) <= 130
    before, after = cars(30.0, -lane), cars(30.1, -lane)
    assert len(before) >= 1
    matched = 0
    for car in before:
        assert car.heading == pytest.approx(math.pi)
        moved = [
            other.z - car.z for other in after if (other.color, other.x) == (car.color, car.x)
        ]
        if moved:
            matched += 1
            assert -1.2 < moved[0] < -0.6  # 7 to 11 m/s against the ego car
    assert matched


def test_the_car_ahead_never_drives_backwards_nor_too_close():
    traffic, _, ego = make_traffic(0)
    previous = None
    for step in range(800):
        time_s = step / 10
        places = [
            car.z
            for car in of_kind(traffic.items(time_s, ego.z(time_s), ego.z(time_s) + 131), Car)
            if car.x == ego.lane_x
        ]
        assert len(places) == 1
        assert places[0] - ego.z(time_s) >= 12 - 1e-6
        if previous is not None:
            assert places[0] > previous
        previous = places[0]


@pytest.mark.parametrize('seed', range(5))
def test_pedestrians_cross_in_front_of_the_ego_car_and_no_vehicle_hits_them(seed):
    traffic, _, ego = make_traffic(seed)
    crossed = set()
    for step in range(400):
        time_s = step / 4
        here = ego.z(time_s)
        movers = list(traffic.items(time_s, here - 10, here + 120))
        vehicles = [mover for mover in movers if isinstance(mover, Car | Bicyclist)]
        for person in of_kind(movers, Pedestrian):
            if person.band not in (Band.LANE, Band.PARKED):
                continue
            crossed.add(person.look)
            assert person.z > here + 3 or person.z < here - 5
            for vehicle in vehicles:
                apart = (abs(vehicle.x - person.x), abs(vehicle.z - person.z))
                half = (0.97, 2.6) if isinstance(vehicle, Car) else (0.3, 0.9)
                assert apart[0] > half[0] or apart[1] > half[1]
    assert len(crossed) >= 2


def test_walkers_keep_to_the_pavement():
    world, layout, _ = make_world(5)
    walkers = [
        person
        for time_s in (0.0, 9.0)
        for person in of_kind(world.at(time_s).items, Pedestrian)
        if person.band is Band.PAVEMENT
    ]
    assert len(walkers) > 5
    for person in walkers:
        side = 1 if person.x > 0 else -1
        assert layout.half(side) < abs(person.x) < layout.front(side)


def test_bicyclists_ride_beside_their_lane():
    world, layout, _ = make_world(5)
    riders = of_kind(world.at(5.0).items, Bicyclist)
    assert riders
    for rider in riders:
        assert layout.lane_m < abs(rider.x) < layout.lane_m + layout.cycle_m
        # Those who ride away from the ego car keep to its side of the road.
        away = math.cos(rider.heading) > 0
        assert (rider.x * layout.drive > 0) == away


def test_light_varies_with_the_seed():
    weathers = [make_light(seed).weather for seed in range(4)]
    assert weathers == [Weather.DAY, Weather.OVERCAST, Weather.DAY, Weather.DUSK]
    assert make_light(0).shadow < 0.8
    assert make_light(3).lamps_on
    assert not make_light(1).casts
    assert make_light(0).sun.tolist() != make_light(4).sun.tolist()


def test_cars_of_a_street_lit_at_dusk_drive_with_lamps_and_park_without():
    cars = of_kind(make_world(3)[0].at(8.0).items, Car)
    assert {car.lamps_on for car in cars if car.band is Band.LANE} == {True}
    assert False in {car.lamps_on for car in cars if car.band is Band.PARKED}


def test_shadows_fall_away_from_the_sun():
    light = make_light(0)
    lamp = Lamp(5.0, 20.0, 1, 3.0)
    shadow = Shadows(light, FACADES).of(lamp)
    tip = shadow[np.argmax(np.abs(shadow[:, [0, 2]] - (lamp.x, lamp.z)).sum(axis=1))]
    reach = 3.0 * light.sun[[0, 2]] / light.sun[1]
    np.testing.assert_allclose(tip[[0, 2]], (lamp.x, lamp.z) - reach, atol=0.1)
    assert set(shadow[:, 1]) == {KERB_M}


def test_an_overcast_sky_darkens_only_the_ground_under_a_car():
    car = Car(Band.LANE, 2.0, 30.0, 0.0, CarBody.SALOON, (90, 90, 90), False)
    shadows = Shadows(make_light(1), FACADES)
    shadow = shadows.of(car)
    assert set(shadow[:, 1]) == {0.0}
    low, high = shadow.min(axis=0), shadow.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, (2.0, 0.0, 30.0), atol=1e-9)
    np.testing.assert_allclose((high - low)[[0, 2]], (1.78, 4.6), rtol=0.08)
    assert shadows.of(Lamp(5.0, 20.0, 1, 3.0)) is None
