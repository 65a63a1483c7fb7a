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
"""The package's own data set folder: layouts, class lists, labels as ids and as colours."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from spssn_ros.datasets.class_list import class_list, read_label_set
from spssn_ros.datasets.folder import find_folder
from spssn_ros.datasets.sample import read_labels, read_pair
from spssn_ros.errors import DatasetError
from spssn_ros.labels import CAMVID, CITYSCAPES, LabelSet

TWO = LabelSet(('traffic light', 'road'), ((250, 170, 30), (128, 64, 128)))
LABELS = np.array([[0, 1, 255], [1, 1, 0]], np.uint8)


def write_frame(
    folder: Path, stem: str, labels: np.ndarray = LABELS, suffix: str = '.png'
) -> None:
    for name in ('images', 'labels'):
        (folder / name).mkdir(parents=True, exist_ok=True)
    image = np.full((2, 3, 3), (10, 20, 30), np.uint8)
    cv2.imwrite(str(folder / 'images' / f'{stem}{suffix}'), image[..., ::-1])
    cv2.imwrite(str(folder / 'labels' / f'{stem}.png'), labels)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'classes.txt').write_text(class_list(TWO))
    return tmp_path


def stems(root: Path, split: str) -> list[str]:
    return [sample.stem for sample in find_folder(root, split)]


def test_images_and_labels_of_one_folder(root: Path) -> None:
    write_frame(root, 'b')
    write_frame(root, 'a.v2')
    (root / 'images' / '.hidden.png').write_text('')
    (root / 'images' / 'notes.txt').write_text('')
    samples = find_folder(root, 'all')
    assert [sample.stem for sample in samples] == ['a.v2', 'b']
    image, labels = read_pair(samples[0])
    assert image[1, 2].tolist() == [10, 20, 30]
    np.testing.assert_array_equal(labels, LABELS)


def test_labels_of_a_photo_as_it_is_shown_are_refused_with_the_cause(root: Path) -> None:
    write_frame(root, 'a')
    for labels, cause in (
        (LABELS.T.copy(), r' \(the orientation in EXIF data is not applied; store the pixels as'),
        (LABELS[:, :1].copy(), '$'),
    ):
        cv2.imwrite(str(root / 'labels' / 'a.png'), labels)
        with pytest.raises(DatasetError, match=rf'they must be equal{cause}'):
            read_pair(find_folder(root)[0])


def test_splits_are_folders(root: Path) -> None:
    for split, stem in (('train', 'c'), ('val', 'a'), ('night', 'b')):
        write_frame(root / split, stem)
    assert stems(root, 'train') == ['c']
    assert stems(root, 'train+val') == ['a', 'c']
    assert stems(root, 'all') == ['a', 'b', 'c']
    with pytest.raises(DatasetError, match=r"no split 'test': .* it has night, train, val, all$"):
        find_folder(root, 'test')


def test_splits_are_lists_of_stems(root: Path) -> None:
    for stem in ('a', 'b.v2', 'c'):
        write_frame(root, stem)
    (root / 'train.txt').write_text('c.png\nb.v2\n\n')
    # As editors on Windows write it.
    (root / 'night.txt').write_bytes(b'\xef\xbb\xbfa\r\nc\r\n')
    assert stems(root, 'night') == ['a', 'c']
    (root / 'night.txt').unlink()
    (root / 'val.txt').write_text('d\n')
    assert stems(root, 'train') == ['b.v2', 'c']
    with pytest.raises(DatasetError, match=r"val\.txt names frame 'd', which images/ does not"):
        find_folder(root, 'val')
    with pytest.raises(DatasetError, match=r"no split 'test': .* it has train, val, all$"):
        find_folder(root, 'test')
    # The class list is no list of frames.
    with pytest.raises(DatasetError, match="no split 'classes'"):
        find_folder(root, 'classes')


def test_labels_in_the_colours_of_the_class_list(root: Path) -> None:
    colors = TWO.color_table()[LABELS]
    write_frame(root, 'a', colors[..., ::-1])
    write_frame(root, 'b', np.dstack([colors[..., ::-1], np.full((2, 3), 255, np.uint8)]))
    for sample in find_folder(root):
        np.testing.assert_array_equal(read_labels(sample), LABELS)
    write_frame(root, 'a', colors)
    with pytest.raises(
        DatasetError, match=r'label image .*a\.png: colour \(30, 170, 250\) at row'
    ):
        read_labels(find_folder(root)[0])


def test_labels_beyond_the_class_list(root: Path) -> None:
    write_frame(root, 'a', np.array([[0, 2, 255], [1, 254, 0]], np.uint8))
    with pytest.raises(
        DatasetError, match=r'a\.png: label ids \[2, 254\] are beyond the class list'
    ):
        read_labels(find_folder(root)[0])


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(DatasetError, match=r'nowhere does not exist; check the path$'):
        find_folder(root / 'nowhere')
    with pytest.raises(DatasetError, match=r'has neither images/ nor a split with images/'):
        find_folder(root)
    (root / 'images').mkdir()
    with pytest.raises(DatasetError, match=r'images holds no PNG or JPEG image$'):
        find_folder(root)
    write_frame(root, 'a', suffix='.jpg')
    write_frame(root / 'train', 'a')
    with pytest.raises(
        DatasetError, match=r'frame a is there twice: .*a\.jpg and .*a\.png; remove'
    ):
        find_folder(root)
    (root / 'labels' / 'a.png').unlink()
    with pytest.raises(
        DatasetError, match=r'a\.jpg has no label; expected .*/labels/a\.png; draw it, delete '
    ):
        find_folder(root)
    (root / 'classes.txt').unlink()
    with pytest.raises(DatasetError, match=r'cannot read class list .*classes\.txt: No such file'):
        find_folder(root)


@pytest.mark.parametrize('label_set', [TWO, CAMVID, CITYSCAPES])
def test_a_class_list_reads_back_as_it_was(tmp_path: Path, label_set: LabelSet) -> None:
    file = tmp_path / 'mine.txt'
    file.write_text(class_list(label_set))
    assert read_label_set(file) == label_set


@pytest.mark.parametrize('text', ['traffic light 250 170 30\nroad 128 64 128\n', '# two\na\nb'])
def test_the_mark_before_a_class_list_is_no_part_of_it(tmp_path: Path, text: str) -> None:
    plain, marked = tmp_path / 'plain.txt', tmp_path / 'marked.txt'
    plain.write_text(text, encoding='utf-8')
    marked.write_text(text, encoding='utf-8-sig')
    assert read_label_set(marked) == read_label_set(plain)


def test_classes_without_colours_get_some(tmp_path: Path) -> None:
    file = tmp_path / 'classes.txt'
    file.write_text('# two classes\n\nmy class\r\nlane 2\n')
    assert read_label_set(tmp_path) == LabelSet(('my class', 'lane 2'), ((128, 0, 0), (0, 128, 0)))
    file.write_text('\n'.join(CITYSCAPES.names))
    assert read_label_set(tmp_path) == CITYSCAPES
    file.write_text('\n'.join(f'c{number}' for number in range(255)))
    palette = read_label_set(tmp_path).palette
    assert len(set(palette)) == 255
    # From the VOC development kit's colour map.
    assert (palette[14], palette[19], palette[254]) == (
        (192, 128, 128),
        (0, 64, 128),
        (224, 224, 192),
    )


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (b'', 'a label set has 1 to 255 classes, not 0'),
        (b'a\na\n', 'class names repeat: a'),
        (b'a 1 2 3\nb\n', "class 'b' has no colour R G B, but others have"),
        (b'a 1 2 300\n', 'palette colour (1, 2, 300) is not three values'),
        (b'\xff\xfe', 'is no UTF-8 text'),
    ],
)
def test_a_bad_class_list_is_named(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / 'c.txt').write_bytes(text)
    with pytest.raises(DatasetError, match=rf'^class list .*c\.txt.*{re.escape(message)}'):
        read_label_set(tmp_path / 'c.txt')
