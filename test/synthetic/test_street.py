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
"""StreetScene as its users see it: pictures, labels, repeatability, errors."""

import functools
import hashlib
import math
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.labels import CAMVID
from spssn_ros.synthetic import StreetScene

SMALL = (160, 120)


@functools.cache
def scene_of(seed, width=160, height=120):
    """Return a scene that tests share: what it shows does not depend on what it showed."""
    return StreetScene(seed, width, height)


def digest(scene, *times):
    state = hashlib.sha256()
    for time_s in times:
        for array in scene.render(time_s):
            state.update(array.tobytes())
    return state.hexdigest()


@pytest.mark.parametrize('size', [(480, 360), (321, 243), (32, 32), (33, 200), (300, 32)])
def test_arrays_have_the_size_asked_for(size):
    width, height = size
    rgb, labels = StreetScene(2, width, height).render(1.25)
    assert rgb.shape == (height, width, 3)
    assert labels.shape == (height, width)
    assert rgb.dtype == labels.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert labels.flags.c_contiguous
    assert labels.max() < len(CAMVID)


def test_default_size_is_480_by_360():
    scene = StreetScene()
    assert (scene.seed, scene.width, scene.height) == (0, 480, 360)


@pytest.mark.parametrize('seed', [1, 3])
def test_same_call_gives_same_arrays_whatever_came_before(seed):
    times = [0.0, 7.3, -4.0, 1e5]
    forward = scene_of(seed)
    backward = StreetScene(seed, *SMALL)
    first = [digest(forward, t) for t in times]
    second = [digest(backward, t) for t in reversed(times)]
    assert first == second[::-1]
    assert digest(forward, times[0]) == first[0]


def test_arrays_belong_to_the_caller():
    scene = scene_of(0)
    rgb, labels = scene.render(2.0)
    before = rgb.copy(), labels.copy()
    rgb[:], labels[:] = 0, 255
    again = scene.render(2.0)
    np.testing.assert_array_equal(again[0], before[0])
    np.testing.assert_array_equal(again[1], before[1])


def test_fresh_processes_agree():
    code = (
        'import hashlib\n'
        'from spssn_ros.synthetic import StreetScene\n'
        'state = hashlib.sha256()\n'
        'for array in StreetScene(5, 160, 120).render(12.5):\n'
        '    state.update(array.tobytes())\n'
        'print(state.hexdigest())\n'
    )
    found = {digest(scene_of(5), 12.5)}
    for hash_seed in ('1', '4321'):
        environment = {
            **os.environ,
            'PYTHONHASHSEED': hash_seed,
            'PYTHONPATH': os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, '-c', code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout.strip())
    assert len(found) == 1


def test_number_of_threads_does_not_matter():
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        single = digest(StreetScene(1), 3.0)
        cv2.setNumThreads(4)
        assert digest(StreetScene(1), 3.0) == single
    finally:
        cv2.setNumThreads(threads)


def test_seeds_give_different_streets():
    assert len({digest(scene_of(seed), 4.0) for seed in range(4)}) == 4


@pytest.mark.parametrize('seed', [0, 1, 2, 3])
@pytest.mark.parametrize('start', [0.0, 1234.0])
def test_every_class_appears_within_ten_seconds(seed, start):
    scene = scene_of(seed, 240, 180)
    counts = sum(
        np.bincount(scene.render(start + second)[1].reshape(-1), minlength=len(CAMVID))
        for second in range(10)
    )
    missing = [name for name, count in zip(CAMVID.names, counts, strict=True) if count < 50]
    assert not missing


@pytest.mark.parametrize('seed', range(4))
def test_picture_is_laid_out_like_a_street(seed):
    scene = scene_of(seed, 240, 180)
    labels = np.stack([scene.render(float(t))[1] for t in range(0, 24, 3)])
    sky, road = CAMVID.index('sky'), CAMVID.index('road')
    assert (labels[:, 170:, 90:150] == road).mean() > 0.9
    assert (labels[:, :10, 110:130] == sky).mean() > 0.8
    assert not (labels[:, 120:] == sky).any()  # nothing of the sky below the horizon
    assert not (labels[:, :60] == road).any()  # nothing of the road above it


def test_pixels_of_a_class_look_alike():
    """Sky by day is bluer than the road, and trees are greener than houses."""
    rgb, labels = StreetScene(0).render(3.0)

    def mean(name):
        return rgb[labels == CAMVID.index(name)].astype(float).mean(axis=0)

    assert mean('sky')[2] > mean('sky')[0] + 20
    assert np.ptp(mean('road')) < 15
    assert mean('tree')[1] - mean('tree')[2] > mean('building')[1] - mean('building')[2] + 15


def test_sky_pales_towards_the_horizon():
    rgb, labels = scene_of(0, 240, 180).render(3.0)
    sky = labels == CAMVID.index('sky')
    rows = np.flatnonzero(sky[:, 110:130].any(axis=1))
    top, low = (rgb[band][sky[band]].astype(float).mean(axis=0) for band in (rows[:8], rows[-8:]))
    assert low[0] > top[0] + 25


def test_day_is_brighter_than_dusk():
    day, dusk = (scene_of(seed).render(2.0)[0].mean() for seed in (0, 3))
    assert day > dusk + 20


def test_frames_differ_and_noise_does_too():
    scene = scene_of(0)
    (first, first_labels), (second, second_labels) = scene.render(5.0), scene.render(5.2)
    assert (first_labels != second_labels).mean() > 0.01
    # The sky hardly moves: what differs there is noise, mild and without a bias.
    sky = (first_labels == 0) & (second_labels == 0)
    change = first[sky].astype(int) - second[sky]
    assert 0.5 < change.std() < 8
    assert abs(change.mean()) < 2


def test_camera_matrix_is_a_pinhole_with_square_pixels():
    matrix = StreetScene(0, 640, 480).camera_matrix
    assert matrix.shape == (3, 3)
    assert matrix.dtype == np.float64
    assert matrix[0, 0] == matrix[1, 1] > 0
    assert matrix[:2, 2].tolist() == [319.5, 239.5]
    field = 2 * math.degrees(math.atan(320 / matrix[0, 0]))
    assert field == pytest.approx(62)
    np.testing.assert_array_equal(matrix[2], [0, 0, 1])


@pytest.mark.parametrize('size', [(31, 360), (480, 31), (0, 0), (-5, 100)])
def test_too_small_a_picture_is_refused(size):
    with pytest.raises(ConfigError, match=f'{size[0]}x{size[1]} pixels is too small.*32x32'):
        StreetScene(0, *size)


@pytest.mark.parametrize('size', [(8193, 360), (480, 10**7)])
def test_too_large_a_picture_is_refused(size):
    with pytest.raises(ConfigError, match=f'{size[0]}x{size[1]} pixels is too large.*8192x8192'):
        StreetScene(0, *size)


def test_negative_seed_is_refused():
    with pytest.raises(ConfigError, match='0 or more, not -3'):
        StreetScene(-3)


@pytest.mark.parametrize('time_s', [math.nan, math.inf, -math.inf, 2e9])
def test_impossible_time_is_refused(time_s):
    scene = scene_of(0)
    with pytest.raises(ConfigError, match=f'seconds from its start, not {time_s}'):
        scene.render(time_s)
