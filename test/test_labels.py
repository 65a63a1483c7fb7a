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
"""Class lists hold together, and labels of every kind turn into class ids."""

import re

import numpy as np
import pytest

from spssn_ros.errors import ConfigError, DatasetError
from spssn_ros.labels import (
    CAMVID,
    CAMVID_32,
    CAMVID_VOID,
    CITYSCAPES,
    CITYSCAPES_IDS,
    UNKNOWN,
    LabelSet,
    camvid_color_labels,
    camvid_index_labels,
    cityscapes_ids,
    color_labels,
    label_colors,
)

# The 32 classes of the original label_colors.txt, grouped as in Sturgess et al. 2009.
GROUPS = {
    'sky': {'Sky'},
    'building': {'Archway', 'Bridge', 'Building', 'Tunnel', 'Wall'},
    'pole': {'Column_Pole', 'TrafficCone'},
    'road': {'LaneMkgsDriv', 'LaneMkgsNonDriv', 'Road'},
    'pavement': {'ParkingBlock', 'RoadShoulder', 'Sidewalk'},
    'tree': {'Tree', 'VegetationMisc'},
    'sign_symbol': {'Misc_Text', 'SignSymbol', 'TrafficLight'},
    'fence': {'Fence'},
    'car': {'Car', 'OtherMoving', 'SUVPickupTruck', 'Train', 'Truck_Bus'},
    'pedestrian': {'Animal', 'CartLuggagePram', 'Child', 'Pedestrian'},
    'bicyclist': {'Bicyclist', 'MotorcycleScooter'},
}


def test_camvid_classes_are_in_segnets_order() -> None:
    assert CAMVID.names == tuple(GROUPS)
    assert CAMVID_VOID == len(CAMVID) == 11
    assert len(CITYSCAPES) == len(CITYSCAPES_IDS) == 19


def test_the_32_colours_are_grouped_to_11_classes_and_void() -> None:
    assert len(CAMVID_32) == 32
    grouped: dict[str | None, set[str]] = {}
    for original, name in CAMVID_32.values():
        grouped.setdefault(name, set()).add(original)
    assert grouped.pop(None) == {'Void'}
    assert grouped == GROUPS


def test_every_colour_becomes_its_class() -> None:
    colors = np.array(list(CAMVID_32), np.uint8).reshape(4, 8, 3)
    expected = [
        UNKNOWN if name is None else list(GROUPS).index(name) for _, name in CAMVID_32.values()
    ]
    labels = camvid_color_labels(colors)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, np.reshape(expected, (4, 8)))


def test_the_palette_is_that_of_the_classes_of_the_same_name() -> None:
    # A label picture painted with the palette reads back as the same classes.
    ids = np.arange(11, dtype=np.uint8)[None]
    np.testing.assert_array_equal(camvid_color_labels(CAMVID.color_table()[ids]), ids)


def test_a_colour_that_is_none_is_located() -> None:
    rgb = np.zeros((3, 4, 3), np.uint8)
    rgb[2, 1] = (64, 129, 64)
    rgb[2, 3] = (1, 1, 1)
    text = "colour (64, 129, 64) at row 2, column 1 is not one of CamVid's 32 label colours"
    with pytest.raises(DatasetError, match=f'^{re.escape(text)}$'):
        camvid_color_labels(rgb)
    # Made of the right values, but none of the 32.
    rgb[2, 1] = (192, 192, 192)
    with pytest.raises(DatasetError, match=r'colour \(192, 192, 192\) at row 2, column 1 is not'):
        camvid_color_labels(rgb)


def test_index_labels_turn_void_to_255() -> None:
    labels = np.array([[0, 10, 11], [255, 5, 11]], np.uint8)
    np.testing.assert_array_equal(
        camvid_index_labels(labels), np.array([[0, 10, 255], [255, 5, 255]], np.uint8)
    )


def test_index_labels_beyond_void_are_listed() -> None:
    labels = np.array([[0, 12], [200, 11]], np.uint8)
    text = "label ids [12, 200] are beyond CamVid's 0..10 and void 11"
    with pytest.raises(DatasetError, match=f'^{re.escape(text)}$'):
        camvid_index_labels(labels)


def test_cityscapes_label_ids_become_training_ids() -> None:
    # From the data set's own table: road 7, sidewalk 8, rider 25, train 31, bicycle 33;
    # unlabeled 0, ground 6, parking 9, caravan 29, trailer 30 and licence plate (255) are void.
    labels = np.array([[7, 8, 25, 31, 33], [0, 6, 9, 30, 255]], np.uint8)
    expected = np.array([[0, 1, 12, 16, 18], [255] * 5], np.uint8)
    np.testing.assert_array_equal(cityscapes_ids(labels), expected)
    every = cityscapes_ids(np.array([*range(34), 255], np.uint8))
    assert [every[i] for i in CITYSCAPES_IDS] == list(range(19))
    assert sorted(every[every != UNKNOWN].tolist()) == list(range(19))


def test_ids_that_cityscapes_does_not_have_are_listed() -> None:
    text = "label ids [34, 254] are beyond Cityscapes' 0..33 and -1"
    with pytest.raises(DatasetError, match=f'^{re.escape(text)}$'):
        cityscapes_ids(np.array([[33, 34], [255, 254]], np.uint8))


@pytest.mark.parametrize('label_set', [CAMVID, CITYSCAPES], ids=['camvid', 'cityscapes'])
def test_ids_become_colours_and_the_same_ids_again(label_set: LabelSet) -> None:
    ids = np.array([[*range(len(label_set)), UNKNOWN]], np.uint8).repeat(3, axis=0)
    colors = label_colors(ids, label_set)
    assert colors[0].tolist() == [*map(list, label_set.palette), [0, 0, 0]]
    np.testing.assert_array_equal(color_labels(colors, label_set), ids)


def test_a_black_class_is_not_void() -> None:
    label_set = LabelSet(('background', 'cat'), ((0, 0, 0), (9, 8, 7)))
    ids = np.array([[0, 1]], np.uint8)
    np.testing.assert_array_equal(color_labels(label_colors(ids, label_set), label_set), ids)
    with pytest.raises(ConfigError, match=r"^class 'background' is black, as void is; give it"):
        label_colors(np.array([[0, 255]], np.uint8), label_set)


def test_what_has_no_colour_or_shares_it_is_refused() -> None:
    with pytest.raises(
        DatasetError, match=r'^label ids \[11, 12\] are beyond the classes 0\.\.10'
    ):
        label_colors(np.array([[12, 11, 255]], np.uint8), CAMVID)
    with pytest.raises(
        DatasetError, match=r'^colour \(64, 128, 64\) at row 0, column 1 is not on'
    ):
        color_labels(np.array([[(128, 0, 0), (64, 128, 64)]], np.uint8), CAMVID)
    twins = LabelSet(('a', 'b'), ((1, 2, 3),) * 2)
    for use in (label_colors, color_labels):
        with pytest.raises(
            ConfigError, match=r"^classes 'a' and 'b' have one colour, \(1, 2, 3\)"
        ):
            use(np.zeros((1, 1, 3), np.uint8)[..., : 1 if use is label_colors else 3], twins)


def test_the_color_table_is_black_without_a_class() -> None:
    label_set = LabelSet(('a', 'b'), ((1, 2, 3), (4, 5, 6)))
    table = label_set.color_table()
    assert (table.shape, table.dtype) == ((256, 3), np.uint8)
    assert table[:2].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert not table[2:].any()


def test_index_names_the_classes_there_are() -> None:
    label_set = LabelSet(('a', 'b'), ((0, 0, 0),) * 2)
    assert (label_set.index('b'), len(label_set)) == (1, 2)
    with pytest.raises(ConfigError, match=r"^no class 'c'; the classes are a, b$"):
        label_set.index('c')


@pytest.mark.parametrize(
    ('names', 'palette', 'text'),
    [
        ((), (), r'^a label set has 1 to 255 classes, not 0$'),
        (
            tuple(map(str, range(256))),
            ((0, 0, 0),) * 256,
            r'^a label set has 1 to 255 classes, not 256$',
        ),
        (('a', 'b'), ((0, 0, 0),), r'^2 class names but 1 palette colours; give one colour a'),
        (('b', 'a', 'b', 'a'), ((0, 0, 0),) * 4, r'^class names repeat: a, b$'),
        (('a',), ((0, 0, 256),), r'^palette colour \(0, 0, 256\) is not three values in 0\.\.255'),
        (('a',), ((0, -1, 0),), r'^palette colour \(0, -1, 0\) is not'),
        (('a',), ((0, 0),), r'^palette colour \(0, 0\) is not'),
    ],
)
def test_label_sets_that_cannot_be(names: tuple, palette: tuple, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        LabelSet(names, palette)
