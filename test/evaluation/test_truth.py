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
"""Truth in every format becomes the class ids that it means."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from spssn_ros.errors import BadImageError, ConfigError
from spssn_ros.evaluation.truth import TruthFormat, recorded_labels, truth_labels
from spssn_ros.labels import CAMVID, CAMVID_32, CITYSCAPES, CITYSCAPES_IDS, LabelSet

Make = Callable[..., Any]
AUTO, IDS = TruthFormat.AUTO, TruthFormat.IDS
COLORS, CITYSCAPES_TRUTH = TruthFormat.CAMVID_COLORS, TruthFormat.CITYSCAPES_IDS
EVERY_COLOR = np.array(list(CAMVID_32), np.uint8).reshape(4, 8, 3)
EVERY_CLASS = np.array(
    [255 if name is None else CAMVID.index(name) for _, name in CAMVID_32.values()], np.uint8
).reshape(4, 8)


@pytest.fixture
def make(image_message: Make) -> Make:
    """Return a function that makes an Image of (H, W) ids or (H, W, channels) pixels."""
    return lambda encoding, pixels: image_message(
        encoding, pixels.reshape(len(pixels), -1), pixels.shape[1], padding=3
    )


@pytest.mark.parametrize('truth', [AUTO, COLORS])
@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'bgra8', 'png'])
def test_all_of_camvid_s_colours(make: Make, truth: TruthFormat, encoding: str) -> None:
    if encoding == 'png':
        data = cv2.imencode('.png', EVERY_COLOR[..., ::-1])[1].tobytes()
        message: Any = SimpleNamespace(data=data, format='rgb8; png compressed bgr8')
    else:
        pixels = EVERY_COLOR if encoding == 'rgb8' else EVERY_COLOR[..., ::-1]
        if encoding == 'bgra8':
            pixels = np.dstack([pixels, np.zeros((4, 8), np.uint8)])
        message = make(encoding, pixels)
    np.testing.assert_array_equal(truth_labels(message, CAMVID, truth), EVERY_CLASS)


def test_all_of_cityscapes_ids(make: Make) -> None:
    ids = np.array([[*range(34), 255]], np.uint8)
    labels = truth_labels(make('mono8', ids), CITYSCAPES, CITYSCAPES_TRUTH)[0]
    for stored, label in zip(ids[0], labels, strict=True):
        expected = CITYSCAPES_IDS.index(stored) if stored in CITYSCAPES_IDS else 255
        assert label == expected


@pytest.mark.parametrize('truth', [AUTO, IDS])
def test_ids_are_taken_as_they_are(make: Make, truth: TruthFormat) -> None:
    ids = np.array([[0, 7, 11, 18, 255]], np.uint8)
    for encoding in ('mono8', '8UC1'):
        message = make(encoding, ids)
        np.testing.assert_array_equal(truth_labels(message, CITYSCAPES, truth), ids)
    camvid = truth_labels(make('mono8', ids[:, :3]), CAMVID, truth)
    assert camvid.tolist() == [[0, 7, 255]]


def test_colours_of_other_classes_are_their_palette(make: Make) -> None:
    ids = np.array([[0, 18, 255, 9]], np.uint8)
    message = make('rgb8', CITYSCAPES.color_table()[ids])
    np.testing.assert_array_equal(truth_labels(message, CITYSCAPES), ids)


def test_camvid_s_classes_in_other_colours(make: Make) -> None:
    own = LabelSet(CAMVID.names, tuple((1, 2, 3 + number) for number in range(11)))
    ids = np.array([[0, 10, 255, 9]], np.uint8)
    message = make('rgb8', own.color_table()[ids])
    np.testing.assert_array_equal(truth_labels(message, own), ids)
    with pytest.raises(
        BadImageError, match=r'colour \(1, 2, 3\) .* colours; of truth in other colours list the'
    ):
        truth_labels(message, CAMVID)
    # Asked for, CamVid's colours are taken for the same classes.
    message = make('rgb8', EVERY_COLOR)
    np.testing.assert_array_equal(truth_labels(message, own, COLORS), EVERY_CLASS)


@pytest.mark.parametrize(
    ('truth', 'encoding', 'value', 'text'),
    [
        (
            AUTO,
            'rgb8',
            65,
            r'^truth: colour \(65, 65, 65\) at row 0, column 0 is not one of CamVid.* colours; '
            'its channels are alike, as if they were class ids, which must be mono8$',
        ),
        (IDS, 'rgb8', 0, r"^the truth is colours, but truth 'ids' is mono8; take truth 'auto'$"),
        (COLORS, 'mono8', 0, r"^the truth is mono8, but .* is rgb8 or bgr8; take truth 'auto'$"),
        (AUTO, 'mono16', 0, r"^truth: image 4x2 'mono16': a label image must be mono8 class"),
    ],
)
def test_truth_of_another_format(
    make: Make, truth: TruthFormat, encoding: str, value: int, text: str
) -> None:
    channels = {'rgb8': 3, 'mono8': 1, 'mono16': 2}[encoding]
    message = make(encoding, np.full((2, 4, channels), value, np.uint8))
    with pytest.raises(BadImageError, match=text):
        truth_labels(message, CAMVID, truth)


def test_ids_beyond_cityscapes(make: Make) -> None:
    message = make('mono8', np.array([[40, 34, 33]], np.uint8))
    with pytest.raises(
        BadImageError, match=r"^truth: label ids \[34, 40\] are beyond Cityscapes'"
    ):
        truth_labels(message, CITYSCAPES, CITYSCAPES_TRUTH)


def test_classes_that_share_a_colour_cannot_be_told_apart(make: Make) -> None:
    twins = LabelSet(('a', 'b'), ((9, 9, 9),) * 2)
    message = make('rgb8', np.full((1, 1, 3), 9, np.uint8))
    with pytest.raises(BadImageError, match=r"^truth: classes 'a' and 'b' have one colour"):
        truth_labels(message, twins)


def test_formats_fit_their_classes_only() -> None:
    for truth in TruthFormat:
        fits = {COLORS: [CAMVID], CITYSCAPES_TRUTH: [CITYSCAPES]}.get(truth, [CAMVID, CITYSCAPES])
        for label_set in (CAMVID, CITYSCAPES):
            if label_set in fits:
                truth.check(label_set)
            else:
                with pytest.raises(ConfigError, match=f"^truth '{truth.value}' tells the classes"):
                    truth.check(label_set)


def test_recorded_labels(make: Make) -> None:
    ids = np.array([[0, 11, 255]], np.uint8)
    np.testing.assert_array_equal(recorded_labels(make('mono8', ids)), ids)
    data = cv2.imencode('.png', ids)[1].tobytes()
    np.testing.assert_array_equal(recorded_labels(SimpleNamespace(data=data, format='png')), ids)
    color = cv2.imencode('.png', np.zeros((2, 2, 3), np.uint8))[1].tobytes()
    with pytest.raises(BadImageError, match=r'^the recorded labels are colours'):
        recorded_labels(SimpleNamespace(data=color, format='png'))
    jpeg = cv2.imencode('.jpg', ids)[1].tobytes()
    with pytest.raises(BadImageError, match=r"of format 'jpeg', .* is no PNG; labels must be lo"):
        recorded_labels(SimpleNamespace(data=jpeg, format='jpeg'))
