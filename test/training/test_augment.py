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
"""Augmentation moves an image and its labels together, and the same seed draws the same."""

from typing import Any

import cv2
import numpy as np
import pytest

from spssn_ros.imaging.degradation import Degradation, degrade, fixed_damage
from spssn_ros.training.augment import (
    apply_augmentation,
    apply_tone,
    augment,
    hue_matrix,
    shadow_light,
)
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.draw import Augmentation, Shadow, Tone, draw_augmentation, draw_tone

WIDTH, HEIGHT = 96, 80
PLAIN = {'crop': (80, 80), 'color': 0.0}


def config(**values: Any) -> TrainConfig:
    return TrainConfig(**(PLAIN | values))


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    """An image whose colour tells its label: 16-pixel blocks of classes 1 to 10."""
    blocks = np.random.default_rng(0).integers(1, 11, (HEIGHT // 16, WIDTH // 16))
    labels = np.kron(blocks, np.ones((16, 16), int)).astype(np.uint8)
    image = np.stack([labels * 20, 255 - labels * 20, labels * 5], -1)
    return image, labels


@pytest.mark.parametrize(
    'values',
    [
        {},
        {'scale': (1.0, 1.0)},
        {'scale': (2.0, 2.5)},
        {'scale': (0.4, 0.5)},
        {'rotate_degrees': 30.0},
        {'crop': (33, 90)},
    ],
)
def test_image_and_labels_move_together(
    sample: tuple[np.ndarray, np.ndarray], values: dict[str, Any]
) -> None:
    settings = config(**values)
    seen = set()
    for seed in range(20):
        image, labels = augment(*sample, settings, np.random.default_rng(seed))
        width, height = settings.crop
        assert image.shape == (height, width, 3)
        assert labels.shape == (height, width)
        assert image.dtype == labels.dtype == np.uint8
        seen |= set(np.unique(labels).tolist())
        # Within a block, away from its edges, the colour is that of the label, all three told.
        inside = interior(labels)
        assert inside.any()
        wanted = np.stack([labels * 20, 255 - labels * 20, labels * 5], -1)
        assert np.abs(image.astype(int) - wanted)[inside].max() <= 1
        # Beyond the image there are no labels, and black.
        outside = interior(labels, void=True)
        assert not image[outside].any()
    # Nearest neighbour invents no class.
    assert seen <= {*range(1, 11), 255}


def jitter_color(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return apply_tone(image, draw_tone(config(color=strength), rng))


def interior(labels: np.ndarray, void: bool = False) -> np.ndarray:
    """Return where all of a pixel's 7x7 neighbourhood has its label, or is void."""
    # Beyond the crop's edge the neighbourhood is not known.
    padded = np.pad(labels, 3, constant_values=254)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    uniform = (windows == labels[..., None, None]).all((2, 3))
    return uniform & ((labels == 255) == void)


def test_flips_are_exact_mirror_images(sample: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = sample
    settings = config(crop=(WIDTH, HEIGHT), scale=(1.0, 1.0))
    found = {'plain': 0, 'mirrored': 0}
    for seed in range(20):
        moved, moved_labels = augment(image, labels, settings, np.random.default_rng(seed))
        kind = 'plain' if np.array_equal(moved_labels, labels) else 'mirrored'
        step = 1 if kind == 'plain' else -1
        np.testing.assert_array_equal(moved_labels, labels[:, ::step])
        np.testing.assert_array_equal(moved, image[:, ::step])
        found[kind] += 1
    assert min(found.values()) >= 4


def test_scale_one_is_the_frame_fitted_over_the_crop(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    # 96x80 over 48x20: half size, all of the width, no void.
    _, labels = augment(*sample, config(crop=(48, 32), scale=(1.0, 1.0)), np.random.default_rng(1))
    assert not (labels == 255).any()
    # At half of that the image, then 24x20, is all there in the crop, and void around it.
    for seed in range(10):
        _, labels = augment(
            *sample, config(crop=(48, 32), scale=(0.5, 0.5)), np.random.default_rng(seed)
        )
        assert (labels != 255).sum() == pytest.approx(24 * 20, rel=0.1)


def test_a_seed_draws_the_same_sample(sample: tuple[np.ndarray, np.ndarray]) -> None:
    settings = config(color=0.4, rotate_degrees=10.0)
    before = sample[0].copy(), sample[1].copy()
    first, again, other = (
        augment(*sample, settings, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    np.testing.assert_array_equal(sample[0], before[0])
    np.testing.assert_array_equal(sample[1], before[1])


def test_colour_jitter_leaves_geometry_alone(sample: tuple[np.ndarray, np.ndarray]) -> None:
    plain = augment(*sample, config(), np.random.default_rng(5))
    jittered = augment(*sample, config(color=0.5), np.random.default_rng(5))
    np.testing.assert_array_equal(plain[1], jittered[1])
    assert not np.array_equal(plain[0], jittered[0])


def test_colour_jitter_of_strength_zero_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    unchanged = jitter_color(image, 0.0, np.random.default_rng(0))
    # Levels pass through floating point once.
    assert np.abs(unchanged.astype(int) - image).max() <= 1


def test_colour_jitter_varies_about_the_image() -> None:
    image = np.full((4, 4, 3), (120, 110, 100), np.uint8)
    means = np.array(
        [jitter_color(image, 0.3, np.random.default_rng(i)).mean((0, 1)) for i in range(300)]
    )
    assert np.abs(means.mean(0) - (120, 110, 100)).max() < 8
    assert means.std(0).min() > 10
    # White balance changes too, not only brightness.
    assert (means[:, 0] - means[:, 2]).std() > 3


def test_hue_turns_colours_and_leaves_grey() -> None:
    gray = np.full((4, 4, 3), 120, np.uint8)
    red = np.full((4, 4, 3), (200, 60, 60), np.uint8)
    np.testing.assert_allclose(hue_matrix(2 * np.pi / 3), np.roll(np.eye(3), 1, 0), atol=1e-12)
    settings = config(hue=30.0)
    for seed in range(5):
        tone = draw_tone(settings, np.random.default_rng(seed))
        assert abs(tone.hue) <= np.deg2rad(30)
        assert np.abs(apply_tone(gray, tone).astype(int) - 120).max() <= 1
    turned = apply_tone(red, Tone(tone.table, 1.0, 2 * np.pi / 3))
    np.testing.assert_allclose(turned[0, 0], (60, 200, 60), atol=1)


def test_dusk_is_dark_and_tinted() -> None:
    gray = np.full((4, 4, 3), 120, np.uint8)
    means, warmth = [], []
    for seed in range(100):
        dim = apply_tone(gray, draw_tone(config(dusk=1.0), np.random.default_rng(seed)))
        means.append(dim.mean())
        warmth.append(int(dim[0, 0, 0]) - int(dim[0, 0, 2]))
    # 0.2 to 0.7 of the light.
    assert 50 < min(means) < 70
    assert 95 < max(means) < 110
    assert min(warmth) < -15
    assert max(warmth) > 15
    drawn = [draw_tone(config(dusk=0.3), np.random.default_rng(seed)) for seed in range(200)]
    dimmed = [tone.table[255].max() < 240 for tone in drawn]
    assert 0.2 < np.mean(dimmed) < 0.4


def test_a_shadow_is_a_band_with_soft_borders() -> None:
    shadow = Shadow(normal=(1.0, 0.0), start=-0.1, width=0.2, softness=0.05, light=0.5)
    light = shadow_light(shadow, (80, 60))
    # The diagonal is 100 pixels: 20 columns from 30 to 50, borders 5 wide.
    assert (light == light[0]).all()
    assert light[0, [0, 26, 53, 79]].tolist() == [1, 1, 1, 1]
    assert light[0, 34:46] == pytest.approx(0.5 ** (1 / 2.2))
    assert light[0, 29:31].mean() == pytest.approx((1 + 0.5 ** (1 / 2.2)) / 2, abs=0.01)
    image = np.full((60, 80, 3), 200, np.uint8)
    cast, _ = apply_augmentation(
        image, image[..., 0], Augmentation(np.eye(2, 3), shadow=shadow), (80, 60)
    )
    assert np.abs(cast[..., 1] - 200 * light).max() < 2


def test_each_look_leaves_geometry_and_the_draws_before_it_alone(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    plain = augment(*sample, config(), np.random.default_rng(5))
    for values in ({'hue': 20.0}, {'dusk': 1.0}, {'shadows': 1.0}, {'degrade': 1.0}):
        image, labels = augment(*sample, config(**values), np.random.default_rng(5))
        np.testing.assert_array_equal(labels, plain[1])
        assert not np.array_equal(image, plain[0]), values
    settings = config(shadows=0.25, degrade=0.5)
    drawn = [
        draw_augmentation(settings, (96, 80), np.random.default_rng(seed)) for seed in range(300)
    ]
    assert np.mean([d.shadow is not None for d in drawn]) == pytest.approx(0.25, abs=0.07)
    assert np.mean([d.damage is not None for d in drawn]) == pytest.approx(0.5, abs=0.09)
    assert all(d.tone is None for d in drawn)


def test_the_frame_is_degraded_before_it_is_enlarged(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    image, labels = sample
    size = 3 * WIDTH, 3 * HEIGHT
    damage = fixed_damage(Degradation.LOW_RESOLUTION)
    drawn = Augmentation(np.eye(2, 3) * 3, damage=damage)
    found, found_labels = apply_augmentation(image, labels, drawn, size)
    wanted = cv2.warpAffine(degrade(image, damage), drawn.matrix, size)
    np.testing.assert_array_equal(found, wanted)
    plain, plain_labels = apply_augmentation(image, labels, Augmentation(drawn.matrix), size)
    np.testing.assert_array_equal(found_labels, plain_labels)
    # On the crop it would be a third as strong.
    late = np.abs(degrade(plain, damage).astype(int) - plain).mean()
    assert np.abs(found.astype(int) - plain).mean() > 2 * late > 0
