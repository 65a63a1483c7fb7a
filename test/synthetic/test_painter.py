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
"""Picture and label come from the same stroke, where the pinhole camera says."""

import math

import numpy as np
import pytest

from spssn_ros.labels import CAMVID
from spssn_ros.synthetic.camera import Camera, clip_near, intrinsics, pixels
from spssn_ros.synthetic.facades import facades
from spssn_ros.synthetic.fences import fences
from spssn_ros.synthetic.figures import paint_bicyclist, paint_pedestrian
from spssn_ros.synthetic.foliage import crowns, hedge
from spssn_ros.synthetic.furniture import (
    paint_bollard,
    paint_lamp,
    paint_sign,
    paint_traffic_light,
)
from spssn_ros.synthetic.ground import Ground
from spssn_ros.synthetic.items import (
    Band,
    Barrier,
    BarrierKind,
    Bicyclist,
    Bollard,
    Building,
    Car,
    CarBody,
    Lamp,
    Look,
    Pedestrian,
    Sign,
    SignKind,
    TrafficLight,
    Tree,
)
from spssn_ros.synthetic.layout import make_layout
from spssn_ros.synthetic.lighting import make_light
from spssn_ros.synthetic.painter import Painter
from spssn_ros.synthetic.sky import Sky
from spssn_ros.synthetic.structures import Materials, paint_barrier, paint_building, paint_tree
from spssn_ros.synthetic.textures import Texture
from spssn_ros.synthetic.vehicles import paint_car

WIDTH, HEIGHT = 320, 240
EYE = (0.0, 1.4, 0.0)
EMPTY = (1, 2, 3, 255)
LOOK = Look(1.75, (150, 40, 40), (30, 40, 60), (210, 170, 140), (40, 30, 30), False, None)


def make_painter(eye=EYE, yaw=0.0, pitch=0.0, seed=0):
    canvas = np.empty((HEIGHT, WIDTH, 4), np.uint8)
    canvas[:] = EMPTY
    camera = Camera.looking(WIDTH, HEIGHT, eye, yaw, pitch)
    return Painter(canvas, camera, make_light(seed), {})


@pytest.fixture(scope='module')
def materials():
    return Materials(facades(0, 12, 0.5, 0.0), crowns(0, 80), hedge(0), fences(0))


def painted(painter):
    return painter.canvas[..., 3] != EMPTY[3]


def car(x, z, heading=0.0, body=CarBody.HATCHBACK):
    return Car(Band.LANE, x, z, heading, body, (150, 28, 32), True)


STROKES = [
    ('building', lambda p, m: paint_building(p, Building(5, 8, 12, 1, 1, 2, 0.0), m)),
    ('fence', lambda p, m: paint_barrier(
        p, Barrier(Band.GARDEN, 4, 6, 9, 1, BarrierKind.RAILING, 1.1), m)),
    ('tree', lambda p, m: paint_barrier(
        p, Barrier(Band.GARDEN, 4, 6, 9, 1, BarrierKind.HEDGE, 1.1), m)),
    ('tree', lambda p, m: paint_tree(p, Tree(Band.KERB, -2, 12, 1, 4, 2.2), m)),
    ('pole', lambda p, m: paint_lamp(p, Lamp(3, 15, 1, 6.4))),
    ('pole', lambda p, m: paint_bollard(p, Bollard(2, 8))),
    ('car', lambda p, m: paint_car(p, car(1, 9, 0.4))),
    ('pedestrian', lambda p, m: paint_pedestrian(
        p, Pedestrian(Band.LANE, 1, 8, 1.0, 0.7, LOOK), 0.0)),
    ('bicyclist', lambda p, m: paint_bicyclist(
        p, Bicyclist(Band.LANE, -1, 8, 0.2, 0.7, LOOK, (20, 60, 150)))),
]  # fmt: skip


@pytest.mark.parametrize(('name', 'stroke'), STROKES)
@pytest.mark.parametrize('seed', [0, 3])
def test_a_thing_is_painted_and_labelled_in_the_same_pixels(name, stroke, seed, materials):
    painter = make_painter(seed=seed)
    stroke(painter, materials)
    colored = (painter.canvas[..., :3] != EMPTY[:3]).any(axis=2)
    assert painted(painter).sum() > 40
    np.testing.assert_array_equal(colored, painted(painter))
    assert set(np.unique(painter.canvas[..., 3])) == {CAMVID.index(name), EMPTY[3]}


@pytest.mark.parametrize('kind', list(SignKind))
@pytest.mark.parametrize('faces_ego', [True, False])
def test_signs_are_a_plate_on_a_pole(kind, faces_ego):
    painter = make_painter()
    paint_sign(painter, Sign(1, 8, kind, faces_ego))
    plate = painter.canvas[..., 3] == CAMVID.index('sign_symbol')
    post = painter.canvas[..., 3] == CAMVID.index('pole')
    assert plate.sum() > 60
    assert post.sum() > 60
    assert np.flatnonzero(plate.any(axis=1)).mean() < np.flatnonzero(post.any(axis=1)).mean()
    np.testing.assert_array_equal(
        (painter.canvas[..., :3] != EMPTY[:3]).any(axis=2), painted(painter)
    )


def test_traffic_light_shows_green_to_those_it_faces():
    lit = []
    for faces_ego in (True, False):
        painter = make_painter()
        paint_traffic_light(painter, TrafficLight(1, 6, faces_ego))
        head = painter.canvas[painter.canvas[..., 3] == CAMVID.index('sign_symbol')].astype(int)
        lit.append(((head[:, 1] > 150) & (head[:, 0] < 100)).sum())
    assert lit[0] > 5
    assert lit[1] == 0


def test_a_thing_stands_where_the_pinhole_camera_sees_it():
    matrix = intrinsics(WIDTH, HEIGHT)
    painter = make_painter()
    painter.quads(
        [[(1, 0.4, 10), (2, 0.4, 10), (2, 1.4, 10), (1, 1.4, 10)]], [(10.0, 20.0, 30.0, 8.0)]
    )
    rows, columns = np.nonzero(painted(painter))
    left, right = (matrix[0, 0] * x / 10 + matrix[0, 2] for x in (1, 2))
    bottom = matrix[1, 1] * 1.0 / 10 + matrix[1, 2]
    assert columns.min() == pytest.approx(left, abs=1)
    assert columns.max() == pytest.approx(right, abs=1)
    assert rows.min() == pytest.approx(matrix[1, 2], abs=1)  # the camera's own height
    assert rows.max() == pytest.approx(bottom, abs=1)


@pytest.mark.parametrize('alpha', ['opaque', 'left half'])
def test_a_texture_lands_on_the_same_pixels_as_a_polygon(alpha):
    rgba = np.full((40, 60, 4), 255, np.uint8)
    rgba[..., :3] = (200, 100, 50)
    if alpha == 'left half':
        rgba[:, 30:, 3] = 0
    end = 9.0 if alpha == 'opaque' else 7.0
    textured, plain = make_painter(), make_painter()
    light = np.ones(3)
    textured.texture(Texture(rgba), (2, 3, 5), (0, 0, 4), (0, -3, 0), light, 1)
    plain.quads([[(2, 0, 5), (2, 0, end), (2, 3, end), (2, 3, 5)]], [(10.0, 20.0, 30.0, 1.0)])
    differ = painted(textured) != painted(plain)
    # OpenCV's polygons include their outline, textures do not: a pixel along the edge.
    assert differ.sum() < 0.06 * painted(plain).sum()


def test_a_texture_that_passes_the_camera_is_cut_not_turned_over():
    rgba = np.full((40, 400, 4), 255, np.uint8)
    painter = make_painter()
    painter.texture(Texture(rgba), (2, 3, -20), (0, 0, 40), (0, -3, 0), np.ones(3), 1)
    columns = np.flatnonzero(painted(painter).any(axis=0))
    far = intrinsics(WIDTH, HEIGHT)
    assert columns.min() == pytest.approx(far[0, 0] * 2 / 20 + far[0, 2], abs=1)
    assert columns.max() == WIDTH - 1


def test_what_lies_behind_the_camera_is_not_painted(materials):
    painter = make_painter()
    paint_car(painter, car(0, -8))
    paint_pedestrian(painter, Pedestrian(Band.LANE, 0, -3, 0, None, LOOK), 0.0)
    paint_building(painter, Building(5, -30, 12, 1, 1, None, 0.0), materials)
    paint_sign(painter, Sign(1, -4, SignKind.LIMIT, True))
    assert not painted(painter).any()


@pytest.mark.parametrize('body', list(CarBody))
def test_a_nearer_car_is_bigger(body):
    areas = []
    for z in (40, 20, 10):
        painter = make_painter()
        paint_car(painter, car(-2, z, math.pi, body))
        areas.append(int(painted(painter).sum()))
    # Twice as near is about four times the area, more for what is nearer than its middle.
    assert 2.8 < areas[1] / areas[0] < 5.0
    assert 2.8 < areas[2] / areas[1] < 6.0


def test_later_strokes_cover_earlier_ones():
    painter = make_painter()
    paint_car(painter, car(0, 12))
    before = int(painted(painter).sum())
    paint_pedestrian(painter, Pedestrian(Band.LANE, 0, 8, 0, None, LOOK), 0.0)
    labels = painter.canvas[..., 3]
    people = int((labels == CAMVID.index('pedestrian')).sum())
    assert people > 200
    assert int((labels == CAMVID.index('car')).sum()) < before


def test_far_things_fade_to_haze():
    painter = make_painter()
    near, far = (np.array(painter.lit((20, 20, 20), np.ones(3), d, 0)[:3]) for d in (5, 2000))
    haze = painter.light.haze
    assert np.abs(near - 20).max() < 6
    assert np.abs(far - haze).max() < 6


def test_a_walker_moves_the_legs():
    found = []
    for stride in (math.pi / 2, None):
        painter = make_painter()
        walker = Pedestrian(Band.PAVEMENT, 0, 6, math.pi / 2, stride, LOOK)
        paint_pedestrian(painter, walker, 0.0)
        rows, columns = np.nonzero(painted(painter))
        legs = columns[rows > rows.min() + 0.75 * np.ptp(rows)]
        found.append(np.ptp(legs))
    assert found[0] > 1.6 * found[1]


def test_shadows_darken_the_ground_and_keep_its_labels():
    layout = make_layout(0)
    square = np.array([(-2.0, 0, 6), (2.0, 0, 6), (2.0, 0, 10), (-2.0, 0, 10)])
    pictures = []
    for shadows in ([], [square]):
        painter = make_painter()
        Ground(0, layout, painter.light).paint(painter, [], shadows)
        pictures.append(painter.canvas)
    plain, shaded = pictures
    np.testing.assert_array_equal(plain[..., 3], shaded[..., 3])
    changed = (plain[..., :3] != shaded[..., :3]).any(axis=2)
    matrix = intrinsics(WIDTH, HEIGHT)
    rows = np.flatnonzero(changed.any(axis=1))
    assert rows.min() == pytest.approx(matrix[1, 1] * 1.4 / 10 + matrix[1, 2], abs=1.5)
    assert rows.max() == pytest.approx(matrix[1, 1] * 1.4 / 6 + matrix[1, 2], abs=1.5)
    darker = shaded[changed][:, :3].mean() / plain[changed][:, :3].mean()
    assert darker == pytest.approx(make_light(0).shadow, abs=0.05)


def test_looking_right_moves_things_left_and_looking_up_moves_them_down():
    point = np.array([[0.0, 1.4, 20.0]])
    straight, right, up = (
        pixels(Camera.looking(WIDTH, HEIGHT, EYE, yaw, pitch).screen(point))[0]
        for yaw, pitch in ((0, 0), (0.05, 0), (0, 0.05))
    )
    focal = intrinsics(WIDTH, HEIGHT)[0, 0]
    assert right[0] == pytest.approx(straight[0] - focal * math.tan(0.05))
    assert up[1] == pytest.approx(straight[1] + focal * math.tan(0.05))
    assert Camera.looking(WIDTH, HEIGHT, EYE, 0, 0.05).horizon_row == pytest.approx(up[1])


@pytest.mark.parametrize('pitch', [-0.03, 0.04, 0.9, -0.9])
def test_the_sky_stays_on_the_horizon(pitch):
    level, tilted = make_painter(), make_painter(pitch=pitch)
    sky = Sky(0, level.light, WIDTH, HEIGHT)
    sky.paint(level, 5.0)
    sky.paint(tilted, 5.0)
    above = np.arange(70, 90)  # rows above the horizon, clear of the skyline
    rows = [math.ceil(painter.camera.horizon_row) - above for painter in (level, tilted)]
    seen = (rows[1] >= 0) & (rows[1] < HEIGHT)
    assert seen.all() == (abs(pitch) < 0.1)
    np.testing.assert_array_equal(level.canvas[rows[0][seen]], tilted.canvas[rows[1][seen]])
    # Looking up there is sky from top to bottom, looking down there is none.
    if abs(pitch) > 0.5:
        assert set(tilted.canvas[..., 3].reshape(-1)) == {0 if pitch > 0 else EMPTY[3]}


def test_clipping_keeps_what_is_in_front():
    square = np.array([(0, 0, -1), (0, 0, 3), (4, 0, 3), (4, 0, -1)], np.float64)
    shift = np.array([0.0, 0.0, 5.0])
    cut = clip_near(square)
    assert cut.shape == (4, 3)
    assert cut[:, 2].min() == pytest.approx(0.4)
    assert cut[:, 2].max() == 3
    assert clip_near(square - shift).shape == (0, 3)
    np.testing.assert_array_equal(clip_near(square + shift), square + shift)
