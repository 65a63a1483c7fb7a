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
"""Rare objects are cut out whole, pasted with their labels, and leave their sources alone."""

import numpy as np
import pytest

from spssn_ros.errors import ConfigError
from spssn_ros.labels import LabelSet
from spssn_ros.training.augment import Sample
from spssn_ros.training.paste import RareObjects, paste

LABELS = LabelSet(('ground', 'pole', 'sign', 'fence'), ((0, 0, 0),) * 4)
GROUND, POLE, SIGN, FENCE = range(4)


def street(color: int = 100) -> Sample:
    """Ground; a pole with a sign on it; a fence as wide as the frame."""
    labels = np.zeros((90, 120), np.uint8)
    labels[20:60, 30:33] = POLE
    labels[14:20, 26:37] = SIGN
    labels[80:] = FENCE
    image = np.full((90, 120, 3), color, np.uint8)
    image[labels == POLE] = (250, 0, 0)
    image[labels == SIGN] = (0, 250, 0)
    return image, labels


def pasted_into(objects: RareObjects, frame: Sample, mean: float, seed: int) -> Sample:
    height, width = frame[1].shape
    return paste(frame, objects.draw((width, height), mean, np.random.default_rng(seed)))


def test_an_object_is_a_piece_of_all_rare_classes_together() -> None:
    objects = RareObjects([street()], LABELS, ['pole', 'sign', 'fence'])
    # The same object for pole and sign; the fence is too wide to be one.
    assert len(objects.by_class) == 2
    (first,), (second,) = objects.by_class
    assert first is second
    assert first.labels.shape == (46, 11)
    assert (first.labels == SIGN).sum() == 66
    assert (first.labels == POLE).sum() == 120
    assert (first.labels == 255).sum() == 46 * 11 - 186
    assert first.bottom == pytest.approx(60 / 90)


def test_small_pieces_are_no_objects() -> None:
    image, labels = street()
    labels[:] = 0
    labels[10, 10:13] = SIGN
    with pytest.raises(ConfigError, match=r'^paste finds no object of sign in the training image'):
        RareObjects([(image, labels)], LABELS, ['sign'])


def test_without_names_the_rare_classes_are_taken() -> None:
    image, labels = street()
    # 1.1 %, 0.6 % and 11 % of the pixels.
    assert len(RareObjects([(image, labels)], LABELS, []).by_class) == 2


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^no class 'signs'; the classes are ground, pole, sig"):
        RareObjects([street()], LABELS, ['signs'])


def test_pasted_pixels_and_labels_agree() -> None:
    objects = RareObjects([street()], LABELS, ['pole', 'sign'])
    empty = np.full((90, 120, 3), 100, np.uint8), np.zeros((90, 120), np.uint8)
    before = empty[0].copy(), empty[1].copy()
    heights, pasted = [], 0
    for seed in range(40):
        image, labels = pasted_into(objects, empty, 1.0, seed)
        if not labels.any():
            np.testing.assert_array_equal(image, before[0])
            continue
        pasted += 1
        assert set(np.unique(labels)) <= {GROUND, POLE, SIGN}
        # Red poles, green signs, and nothing changed where the label did not.
        np.testing.assert_array_equal(image[labels == 0], before[0][labels == 0])
        assert (image[..., 0] > image[..., 1])[labels == POLE].mean() > 0.9
        assert (image[..., 1] > image[..., 0])[labels == SIGN].mean() > 0.9
        heights.append(np.nonzero(labels.any(1))[0].max())
    np.testing.assert_array_equal(empty[0], before[0])
    np.testing.assert_array_equal(empty[1], before[1])
    # A Poisson of mean 1 is nothing in 37 % of the draws.
    assert 16 <= pasted <= 34
    # About where it stood, row 59, and not always the same.
    assert 50 <= min(heights) < max(heights) <= 66


def test_nothing_is_pasted_on_void() -> None:
    objects = RareObjects([street()], LABELS, ['pole', 'sign'])
    void = np.zeros((90, 120, 3), np.uint8), np.full((90, 120), 255, np.uint8)
    for seed in range(10):
        image, labels = pasted_into(objects, void, 4.0, seed)
        assert (labels == 255).all()
        assert not image.any()


def test_objects_fit_frames_of_other_sizes() -> None:
    objects = RareObjects([street()], LABELS, ['pole', 'sign'])
    big = np.full((360, 480, 3), 100, np.uint8), np.zeros((360, 480), np.uint8)
    areas = []
    for seed in range(20):
        _, labels = pasted_into(objects, big, 1.0, seed)
        areas.append((labels != 0).sum())
    # Four times as high and wide: 16 x 186 pixels, times the scale squared, for each.
    assert max(areas) > 10 * 186
    # Partly beyond the border, always within memory: nothing raised.
    tiny = np.full((32, 32, 3), 100, np.uint8), np.zeros((32, 32), np.uint8)
    for seed in range(20):
        pasted_into(objects, tiny, 3.0, seed)
