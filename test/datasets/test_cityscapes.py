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
"""Cityscapes folders are found, paired and read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from spssn_ros.datasets.cityscapes import find_cityscapes, have_instances, read_instances
from spssn_ros.datasets.sample import read_pair
from spssn_ros.errors import DatasetError


def write_frame(root: Path, city: str, number: int) -> None:
    stem = f'{city}_{number:06d}_000019'
    image = root / 'leftImg8bit' / 'val' / city / f'{stem}_leftImg8bit.png'
    label = root / 'gtFine' / 'val' / city / f'{stem}_gtFine_labelIds.png'
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), np.full((2, 4, 3), (10, 20, 30), np.uint8))
    # Road, bicycle, licence plate (-1 is stored as 255) and ego vehicle.
    cv2.imwrite(str(label), np.array([[7, 33, 255, 1]] * 2, np.uint8))


def test_frames_of_all_cities(tmp_path: Path) -> None:
    write_frame(tmp_path, 'munster', 1)
    write_frame(tmp_path, 'lindau', 7)
    samples = find_cityscapes(tmp_path, 'val')
    assert [s.stem for s in samples] == ['lindau_000007_000019', 'munster_000001_000019']
    image, labels = read_pair(samples[0])
    assert image[0, 0].tolist() == [30, 20, 10]
    assert labels[0].tolist() == [0, 18, 255, 255]


def test_coarse_labels_where_there_are_no_fine_ones(tmp_path: Path) -> None:
    write_frame(tmp_path, 'lindau', 7)
    (tmp_path / 'leftImg8bit' / 'val').rename(tmp_path / 'leftImg8bit' / 'train_extra')
    coarse = tmp_path / 'gtCoarse' / 'train_extra' / 'lindau'
    coarse.mkdir(parents=True)
    label = next((tmp_path / 'gtFine').rglob('*_gtFine_labelIds.png'))
    label.rename(coarse / label.name.replace('gtFine', 'gtCoarse'))
    (sample,) = find_cityscapes(tmp_path, 'train_extra')
    assert sample.label_path.name == 'lindau_000007_000019_gtCoarse_labelIds.png'
    assert read_pair(sample)[1][0].tolist() == [0, 18, 255, 255]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r'leftImg8bit/train does not exist'):
        find_cityscapes(tmp_path, 'train')
    (tmp_path / 'leftImg8bit' / 'train').mkdir(parents=True)
    with pytest.raises(DatasetError, match=r'holds no <city>/\*_leftImg8bit\.png'):
        find_cityscapes(tmp_path, 'train')
    write_frame(tmp_path, 'lindau', 7)
    next((tmp_path / 'gtFine').rglob('*.png')).unlink()
    with pytest.raises(DatasetError, match=r'has no label; expected .*_gtFine_labelIds\.png'):
        find_cityscapes(tmp_path, 'val')


def instance_file(root: Path, city: str, number: int) -> Path:
    stem = f'{city}_{number:06d}_000019_gtFine_instanceIds.png'
    return root / 'gtFine' / 'val' / city / stem


def test_instances_are_read_as_stored(tmp_path: Path) -> None:
    stored = np.array([[7, 33000, 33012, 26]] * 2, np.uint16)
    for number in (1, 2):
        write_frame(tmp_path, 'ulm', number)
        cv2.imwrite(str(instance_file(tmp_path, 'ulm', number)), stored)
    samples = find_cityscapes(tmp_path, 'val')
    assert have_instances(samples)
    instances = read_instances(samples[1], (2, 4))
    assert instances.dtype == np.uint16
    np.testing.assert_array_equal(instances, stored)


def test_all_frames_have_instances_or_none(tmp_path: Path) -> None:
    write_frame(tmp_path, 'ulm', 1)
    write_frame(tmp_path, 'ulm', 2)
    samples = find_cityscapes(tmp_path, 'val')
    assert not have_instances(samples)
    cv2.imwrite(str(instance_file(tmp_path, 'ulm', 2)), np.zeros((2, 4), np.uint16))
    with pytest.raises(DatasetError, match=r'ulm_000001_.*_instanceIds\.png is missing \(1 of 2'):
        have_instances(samples)


@pytest.mark.parametrize(
    ('stored', 'text'),
    [
        (np.zeros((2, 4), np.uint8), 'is no 16-bit grey PNG; fetch it again'),
        (np.zeros((2, 4, 3), np.uint16), 'is no 16-bit grey PNG'),
        (np.zeros((3, 5), np.uint16), 'is 5x3 but its label is 4x2; they must be equal'),
        (None, 'cannot read instance image .*: No such file or directory; check the path'),
    ],
)
def test_bad_instance_images_are_explained(
    tmp_path: Path, stored: np.ndarray | None, text: str
) -> None:
    write_frame(tmp_path, 'ulm', 1)
    if stored is not None:
        cv2.imwrite(str(instance_file(tmp_path, 'ulm', 1)), stored)
    with pytest.raises(DatasetError, match=text):
        read_instances(find_cityscapes(tmp_path, 'val')[0], (2, 4))
