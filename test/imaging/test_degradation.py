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
"""Each degradation does what it says, is bounded, and repeats itself exactly."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from spssn_ros.imaging.degradation import (
    Damage,
    Degradation,
    degrade,
    draw_damage,
    fixed_damage,
    motion_kernel,
    sensor_noise,
)

Picture = Callable[..., np.ndarray]


@pytest.mark.parametrize('kind', Degradation)
def test_the_same_damage_gives_the_same_pixels(picture: Picture, kind: Degradation) -> None:
    image = picture(120, 90)
    before = image.copy()
    first, again = (degrade(image, fixed_damage(kind, seed=3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(image, before)
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert np.abs(first.astype(int) - image).mean() > 1


def flat(value: int) -> np.ndarray:
    return np.full((60, 80, 3), value, np.uint8)


@pytest.mark.parametrize('kind', [Degradation.BLUR, Degradation.MOTION_BLUR])
def test_blur_leaves_what_is_flat_and_spreads_what_is_not(kind: Degradation) -> None:
    damage = fixed_damage(kind)
    np.testing.assert_array_equal(degrade(flat(90), damage), flat(90))
    dot = np.zeros((61, 480, 3), np.uint8)
    dot[30, 240] = 255
    spread = degrade(dot, damage)[..., 0]
    rows, columns = np.nonzero(spread)
    # 2 pixels of standard deviation, or a level path of 9 pixels.
    if kind is Degradation.BLUR:
        assert spread.max() == pytest.approx(255 / (2 * np.pi * 2**2), rel=0.1)
        assert np.ptp(rows) == np.ptp(columns) > 4
    else:
        assert (rows == 30).all()
        assert np.ptp(columns) == pytest.approx(8, abs=1)


def test_lengths_grow_with_the_picture() -> None:
    for width, spread in ((240, 1), (960, 4)):
        line = np.zeros((101, width, 3), np.uint8)
        line[50] = 255
        blurred = degrade(line, Damage(Degradation.BLUR, 2.0))[..., 0].astype(float)
        y = np.arange(101) - 50
        assert np.sqrt((blurred.sum(1) * y**2).sum() / blurred.sum()) == pytest.approx(
            spread, rel=0.05
        )


def test_a_motion_kernel_is_a_line_of_its_length_and_angle() -> None:
    for length, angle in ((3.0, 0.0), (9.0, np.pi / 2), (12.5, 0.7)):
        kernel = motion_kernel(length, angle).astype(float)
        assert kernel.sum() == pytest.approx(1)
        assert kernel.shape[0] == kernel.shape[1]
        assert kernel.shape[0] % 2 == 1
        y, x = np.mgrid[: len(kernel), : len(kernel)] - len(kernel) // 2
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        # A line's variance is its length squared / 12; sharing points among pixels adds 1/6.
        variance = (length - 1) ** 2 / 12
        assert (kernel * along**2).sum() == pytest.approx(variance, abs=0.05 * variance + 0.2)
        assert (kernel * across**2).sum() < 0.25


def test_noise_has_its_standard_deviation_and_seed() -> None:
    first, second = (degrade(flat(128), Damage(Degradation.NOISE, 20.0, seed=i)) for i in (1, 2))
    assert first.astype(float).std() == pytest.approx(20, rel=0.03)
    assert first.mean() == pytest.approx(128, abs=1)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize('value', [0, 255])
def test_noise_ends_at_black_and_white(value: int) -> None:
    noisy = degrade(flat(value), Damage(Degradation.NOISE, 20.0, seed=1))
    # Half of it would lie beyond.
    assert (noisy == value).mean() == pytest.approx(0.51, abs=0.03)
    assert np.abs(noisy.astype(int) - value).max() == pytest.approx(80, abs=15)


def test_the_noise_of_a_camera_grows_as_the_root_of_the_light_falls() -> None:
    noises = [sensor_noise(light) for light in (1.0, 0.25, 0.1)]
    assert noises == pytest.approx([2.5, 5.0, 2.5 * 10**0.5])


def test_darkness_takes_light_away_and_brings_noise() -> None:
    # A quarter of the light is about the value times 0.25 ** (1 / 2.2).
    dark = degrade(flat(200), fixed_damage(Degradation.DARK)).astype(float)
    assert dark.mean() == pytest.approx(200 * 0.25 ** (1 / 2.2), rel=0.03)
    assert dark.std() == pytest.approx(sensor_noise(0.25), rel=0.05)
    # What was near black is lost.
    assert degrade(flat(20), Damage(Degradation.DARK, 0.1)).mean() < 6


def test_overexposure_clips_to_white() -> None:
    bright = fixed_damage(Degradation.OVEREXPOSED)
    assert (degrade(flat(200), bright) == 255).all()
    assert (degrade(flat(100), bright) == round(100 * 2.5 ** (1 / 2.2))).all()


def test_jpeg_is_of_its_quality(picture: Picture) -> None:
    image = picture(96, 64)
    _, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 30])
    wanted = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(degrade(image, fixed_damage(Degradation.JPEG)), wanted)


def test_low_resolution_halves_and_enlarges(picture: Picture) -> None:
    image = picture(96, 64)
    small = image.reshape(32, 2, 48, 2, 3).mean((1, 3))
    worse = degrade(image, fixed_damage(Degradation.LOW_RESOLUTION)).astype(float)
    # Each reduced pixel lies in the middle of the four it came from and will be.
    again = worse.reshape(32, 2, 48, 2, 3).mean((1, 3))
    assert np.abs(again - small).mean() < 0.4 * np.abs(image.astype(float) - worse).mean()
    detail = [np.abs(np.diff(x.astype(float), axis=1)).mean() for x in (image, worse)]
    assert detail[1] < 0.7 * detail[0]


@pytest.mark.parametrize('axes', [(0, 1, 2), (1, 0, 2)], ids=['rows', 'columns'])
def test_low_resolution_makes_fine_stripes_one_gray(axes: tuple[int, int, int]) -> None:
    stripes = np.zeros((40, 60, 3), np.uint8)
    stripes[::2] = 254
    image = np.ascontiguousarray(stripes.transpose(axes))
    assert (degrade(image, fixed_damage(Degradation.LOW_RESOLUTION)) == 127).all()


def test_low_resolution_leaves_a_pixel_at_least() -> None:
    thin = np.array([[[9, 8, 7]] * 2], np.uint8)
    damage = Damage(Degradation.LOW_RESOLUTION, 3.0)
    for image in (thin, thin.transpose(1, 0, 2).copy()):
        np.testing.assert_array_equal(degrade(image, damage), image)


def test_draws_cover_every_kind_within_its_range() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_damage(rng) for _ in range(700)]
    for kind in Degradation:
        amounts = [d.amount for d in drawn if d.kind is kind]
        assert len(amounts) > 60
        fixed = fixed_damage(kind).amount
        assert min(amounts) < fixed < max(amounts)
    assert max(d.amount for d in drawn if d.kind is Degradation.JPEG) <= 60
    assert min(d.amount for d in drawn if d.kind is Degradation.JPEG) >= 20
