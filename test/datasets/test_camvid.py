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
"""CamVid folders of either layout are found, paired and read; bad ones are named."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from spssn_ros.datasets.camvid import find_camvid
from spssn_ros.datasets.sample import LabelFormat, read_image, read_labels, read_pair
from spssn_ros.errors import DatasetError

RGB = np.zeros((4, 6, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
IDS = np.array([[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]] * 2, np.uint8)
TRUTH = np.where(IDS == 11, 255, IDS)
# Sky, Building, Car, Void, LaneMkgsDriv (road) and Child (pedestrian).
COLORS = np.array(
    [[[128, 128, 128], [128, 0, 0], [64, 0, 128], [0, 0, 0], [128, 0, 192], [192, 128, 64]]] * 4,
    np.uint8,
)
COLOR_TRUTH = np.array([[0, 1, 8, 255, 3, 9]] * 4, np.uint8)


def write(path: Path, rgb_or_ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = rgb_or_ids[..., ::-1] if rgb_or_ids.ndim == 3 else rgb_or_ids
    assert cv2.imwrite(str(path), stored)


def stems(root: Path, split: str) -> list[str]:
    return [sample.stem for sample in find_camvid(root, split)]


@pytest.fixture
def segnet(tmp_path: Path) -> Path:
    for split, names in (('train', ('b', 'a')), ('val', ('c',))):
        for name in names:
            write(tmp_path / split / f'{name}.png', RGB)
            write(tmp_path / f'{split}annot' / f'{name}.png', IDS)
    return tmp_path


def test_segnet_layout(segnet: Path) -> None:
    assert stems(segnet, 'train') == ['a', 'b']
    assert stems(segnet, 'val') == ['c']
    assert stems(segnet, 'val+train') == ['a', 'b', 'c']
    assert stems(segnet, 'all') == ['a', 'b', 'c']
    sample = find_camvid(segnet, 'train')[1]
    assert sample.image_path == segnet / 'train' / 'b.png'
    assert sample.label_path == segnet / 'trainannot' / 'b.png'
    assert sample.label_format is LabelFormat.INDEX
    image, labels = read_pair(sample)
    np.testing.assert_array_equal(image, RGB)
    np.testing.assert_array_equal(labels, TRUTH)
    assert image.dtype == labels.dtype == np.uint8


def test_jpeg_images_with_png_labels(tmp_path: Path) -> None:
    write(tmp_path / 'test' / 'a.JPG', RGB)
    write(tmp_path / 'testannot' / 'a.png', IDS)
    image, labels = read_pair(find_camvid(tmp_path, 'test')[0])
    assert np.abs(image.astype(int) - RGB).max() < 10
    np.testing.assert_array_equal(labels, TRUTH)


@pytest.mark.parametrize(
    ('images', 'labels', 'split'),
    [
        ('train', 'train_labels', 'train'),
        ('701_StillsRaw_full', 'LabeledApproved_full', 'all'),
        ('raw/701_StillsRaw_full', 'raw/LabeledApproved_full', 'all'),
        ('.', '.', 'all'),
        ('train', 'train', 'train'),
        ('train', 'LabeledApproved_full', 'train'),
    ],
)
def test_original_layout(tmp_path: Path, images: str, labels: str, split: str) -> None:
    for name in ('0016E5_2', '0016E5_1'):
        write(tmp_path / images / f'{name}.png', RGB)
        write(tmp_path / labels / f'{name}_L.png', COLORS)
    samples = find_camvid(tmp_path, split)
    assert [sample.stem for sample in samples] == ['0016E5_1', '0016E5_2']
    assert samples[0].image_path == tmp_path / images / '0016E5_1.png'
    assert samples[0].label_format is LabelFormat.COLOR
    np.testing.assert_array_equal(read_labels(samples[0]), COLOR_TRUTH)


def test_of_copied_labels_the_shallowest_counts_then_the_first_by_name(tmp_path: Path) -> None:
    write(tmp_path / 'images' / 'a.png', RGB)
    for folder in ('z/deep', 'c', 'b', '.'):
        write(tmp_path / folder / 'a_L.png', COLORS)
        expected = tmp_path / folder / 'a_L.png'
        assert [sample.label_path for sample in find_camvid(tmp_path, 'all')] == [expected]


def test_split_lists_divide_the_original_layout(tmp_path: Path) -> None:
    for name in ('a', 'b', 'c', 'd'):
        write(tmp_path / 'images' / f'{name}.png', RGB)
        write(tmp_path / 'labels' / f'{name}_L.png', COLORS)
    (tmp_path / 'train.txt').write_bytes(b'\xef\xbb\xbfd\r\na\n\n')
    (tmp_path / 'val.txt').write_text('/SegNet/CamVid/val/c.png /SegNet/CamVid/valannot/c.png\n')
    assert stems(tmp_path, 'train') == ['a', 'd']
    assert stems(tmp_path, 'val') == ['c']
    assert stems(tmp_path, 'all') == ['a', 'b', 'c', 'd']
    (tmp_path / 'val.txt').write_text('x\n')
    with pytest.raises(DatasetError, match=r"val\.txt names frame 'x', but .* no such image"):
        find_camvid(tmp_path, 'val')
    (tmp_path / 'val.txt').write_text('\n')
    with pytest.raises(DatasetError, match=r'val\.txt is empty'):
        find_camvid(tmp_path, 'val')


def test_without_splits_only_all_is_known(tmp_path: Path) -> None:
    write(tmp_path / 'a.png', RGB)
    write(tmp_path / 'a_L.png', COLORS)
    with pytest.raises(DatasetError, match=r"neither a folder val/ nor a list val\.txt.*'all'"):
        find_camvid(tmp_path, 'val')


def test_folders_that_are_no_camvid(tmp_path: Path, segnet: Path) -> None:
    with pytest.raises(DatasetError, match=r'nowhere does not exist'):
        find_camvid(tmp_path / 'nowhere', 'train')
    with pytest.raises(DatasetError, match=r"no split 'tran'; it has train, val, all"):
        find_camvid(segnet, 'tran')
    (tmp_path / 'empty' / 'train').mkdir(parents=True)
    with pytest.raises(DatasetError, match=r'train holds no PNG or JPEG image'):
        find_camvid(tmp_path / 'empty', 'train')
    (tmp_path / 'other').mkdir()
    write(tmp_path / 'other' / 'a.png', RGB)
    with pytest.raises(DatasetError, match=r'other is no CamVid folder'):
        find_camvid(tmp_path / 'other', 'all')
    write(tmp_path / 'other' / 'b_L.png', COLORS)
    with pytest.raises(DatasetError, match=r'but none of their images'):
        find_camvid(tmp_path / 'other', 'all')


def test_a_missing_label_is_named(segnet: Path) -> None:
    (segnet / 'trainannot' / 'a.png').unlink()
    with pytest.raises(DatasetError, match=r'train/a\.png has no label; expected trainannot/a\.'):
        find_camvid(segnet, 'train')


def test_a_frame_that_is_there_twice_is_named(segnet: Path) -> None:
    write(segnet / 'val' / 'a.png', RGB)
    write(segnet / 'valannot' / 'a.png', IDS)
    assert stems(segnet, 'val') == ['a', 'c']
    with pytest.raises(DatasetError, match=r'frame a is there twice: .*train/a.*val/a'):
        find_camvid(segnet, 'train+val')


def test_sizes_that_differ_are_named(segnet: Path) -> None:
    write(segnet / 'valannot' / 'c.png', IDS[:, :5])
    with pytest.raises(DatasetError, match=r'val/c\.png is 6x4 but .*valannot/c\.png is 5x4'):
        read_pair(find_camvid(segnet, 'val')[0])


def test_bad_label_values_name_their_file(segnet: Path, tmp_path: Path) -> None:
    write(segnet / 'valannot' / 'c.png', IDS + 1)
    with pytest.raises(DatasetError, match=r'valannot/c\.png: label ids \[12\]'):
        read_labels(find_camvid(segnet, 'val')[0])
    write(tmp_path / 'o' / 'a.png', RGB)
    write(tmp_path / 'o' / 'a_L.png', COLORS + 1)
    with pytest.raises(DatasetError, match=r'a_L\.png: colour \(129, 129, 129\)'):
        read_labels(find_camvid(tmp_path / 'o', 'all')[0])


def test_bad_image_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r'gone\.png: No such file or directory; check'):
        read_image(tmp_path / 'gone.png')
    for content in (b'', b'not an image'):
        (tmp_path / 'bad.png').write_bytes(content)
        with pytest.raises(DatasetError, match=r'bad\.png is damaged or no image'):
            read_image(tmp_path / 'bad.png')


def test_the_real_data_set(camvid_root: Path) -> None:
    train, val = find_camvid(camvid_root, 'train'), find_camvid(camvid_root, 'val')
    assert (len(train), len(val)) == (367, 101)
    image, labels = read_pair(val[0])
    assert image.shape == (*labels.shape, 3)
    present = set(np.unique(labels).tolist())
    assert present <= {*range(11), 255}
    # Any street has sky, building and road; the sky is above the road.
    assert {0, 1, 3} <= present
    rows = np.arange(labels.shape[0])[:, None] * np.ones_like(labels)
    assert rows[labels == 0].mean() < rows[labels == 3].mean()
