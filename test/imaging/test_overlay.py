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
"""Pictures of labels show the right colours in the right places."""

import numpy as np
import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.imaging import Painter, class_mask, drop_uncertain, resize_labels
from spssn_ros.labels import LabelSet

CLASSES = LabelSet(('road', 'car', 'sky'), ((10, 20, 30), (200, 100, 0), (0, 0, 255)))
LABELS = np.array([[0, 1, 2, 255], [2, 7, 1, 0]], np.uint8)
PICTURE = np.random.default_rng(0).integers(0, 256, (2, 4, 3), np.uint8)
COLORS = np.zeros((256, 3))
COLORS[:3] = CLASSES.palette


def test_colours_are_the_palette_s_and_black_elsewhere() -> None:
    picture = Painter(CLASSES).color(LABELS)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, COLORS[LABELS])


@pytest.mark.parametrize('alpha', [0.0, 0.25, 0.5, 1.0])
def test_the_overlay_blends_and_leaves_unknown_pixels(alpha: float) -> None:
    before = PICTURE.copy()
    overlay = Painter(CLASSES, alpha=alpha).overlay(PICTURE, LABELS)
    known = LABELS < 3
    expected = np.where(known[..., None], alpha * COLORS[LABELS] + (1 - alpha) * PICTURE, PICTURE)
    assert overlay.dtype == np.uint8
    assert np.abs(overlay - expected).max() <= 0.5
    np.testing.assert_array_equal(overlay[~known], PICTURE[~known])
    np.testing.assert_array_equal(PICTURE, before)


def test_the_overlay_shows_only_the_classes_asked_for() -> None:
    painter = Painter(CLASSES, ['sky', 'road'], alpha=1.0)
    overlay = painter.overlay(PICTURE, LABELS)
    shown = np.isin(LABELS, (0, 2))
    np.testing.assert_array_equal(overlay[shown], COLORS[LABELS][shown])
    np.testing.assert_array_equal(overlay[~shown], PICTURE[~shown])
    # The colour picture shows every class all the same.
    np.testing.assert_array_equal(painter.color(LABELS), COLORS[LABELS])


def test_the_overlay_takes_views_and_read_only_pictures() -> None:
    wide = np.zeros((2, 9, 3), np.uint8)
    wide[:, :4] = PICTURE
    wide.setflags(write=False)
    painter = Painter(CLASSES)
    np.testing.assert_array_equal(
        painter.overlay(wide[:, :4], LABELS), painter.overlay(PICTURE, LABELS)
    )


def test_painters_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match=r"^no class 'bus'; the classes are road, car, sky$"):
        Painter(CLASSES, ['road', 'bus'])
    for alpha in (-0.1, 1.1, float('nan')):
        with pytest.raises(
            ConfigError, match=f'^overlay_alpha is {alpha}; give a value from 0 to 1$'
        ):
            Painter(CLASSES, alpha=alpha)


def test_masks_are_255_on_the_class() -> None:
    for class_id in (0, 2, 5):
        mask = class_mask(LABELS, class_id)
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, np.equal(LABELS, class_id) * 255)


def test_uncertain_pixels_become_unknown() -> None:
    confidence = np.array([[0, 127, 128, 255], [204, 203, 1, 254]], np.uint8)
    np.testing.assert_array_equal(
        drop_uncertain(LABELS, confidence, 0.5), [[255, 255, 2, 255], [2, 7, 255, 0]]
    )
    np.testing.assert_array_equal(
        drop_uncertain(LABELS, confidence, 0.8), [[255, 255, 255, 255], [2, 255, 255, 0]]
    )
    dropped = drop_uncertain(LABELS, confidence, 1.0)
    np.testing.assert_array_equal(dropped, np.where(confidence == 255, LABELS, 255))
    assert dropped.dtype == np.uint8
    np.testing.assert_array_equal(drop_uncertain(LABELS, confidence, 0.0), LABELS)


@pytest.mark.parametrize('size', [(4, 2), (8, 4), (3, 2), (13, 7), (1, 1), (2, 5)])
def test_labels_are_resized_to_the_nearest_pixel_centre(size: tuple[int, int]) -> None:
    resized = resize_labels(np.arange(8, dtype=np.uint8).reshape(2, 4), size)
    assert resized.shape == size[::-1]
    assert resized.dtype == np.uint8
    # Each id tells the pixel that it was taken from; of two equally near either will do.
    taken, drawn = np.array(np.divmod(resized, 4)), np.indices(resized.shape)
    scale = np.array([2 / size[1], 4 / size[0]])[:, None, None]
    assert np.abs(taken + 0.5 - (drawn + 0.5) * scale).max() <= 0.5


def test_labels_of_the_right_size_are_not_copied() -> None:
    assert resize_labels(LABELS, (4, 2)) is LABELS
