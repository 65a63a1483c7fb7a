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
"""`spssn convert` from the command line: what is written, and what bad input says."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from small_bags import compressed

from spssn_ros.bags.labelled import FIRST_STAMP_NS
from spssn_ros.bags.reader import BagReader
from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.bags.writer import BagWriter
from spssn_ros.datasets.camvid import find_camvid
from spssn_ros.datasets.class_list import read_label_set
from spssn_ros.datasets.folder import find_folder
from spssn_ros.datasets.sample import read_pair
from spssn_ros.imaging import decode_compressed, to_labels, to_rgb, view
from spssn_ros.tools.main import main

IMAGE, LABEL, INFO = '/camera/image_raw', '/camera/label_truth', '/camera/camera_info'
SIZE = (48, 64)


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    root = tmp_path / 'camvid'
    random = np.random.default_rng(0)
    for folder in ('val', 'valannot'):
        (root / folder).mkdir(parents=True)
    for name in ('b', 'a', 'c'):
        image = random.integers(0, 256, (*SIZE, 3), np.uint8)
        labels = random.integers(0, 12, SIZE, np.uint8)
        cv2.imwrite(str(root / 'val' / f'{name}.{"jpg" if name == "b" else "png"}'), image)
        cv2.imwrite(str(root / 'valannot' / f'{name}.png'), labels)
    return root


@pytest.fixture
def convert(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs `spssn convert` and returns what it printed."""

    def run(*arguments: object, status: int = 0) -> str:
        assert main(['convert', *map(str, arguments)]) == status
        output, errors = capsys.readouterr()
        if status == 0:
            return output
        assert output == ''
        return errors

    return run


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_camvid_to_bag(
    camvid: Path, tmp_path: Path, convert: Callable[..., str], storage: str
) -> None:
    bag = tmp_path / 'out' / 'bag'
    said = convert(
        'camvid', camvid, '--split', 'val', '--bag', bag, '--storage', storage, '--rate', 4
    )
    assert said.startswith(f'{bag}: 3 frames on {IMAGE}, {LABEL} and {INFO}, {storage}, 0.')
    assert said.count('\n') == 1
    with BagReader(bag) as reader:
        messages = list(reader.messages([IMAGE, LABEL]))
        infos = [message.message for message in reader.messages([INFO])]
    for index, sample in enumerate(find_camvid(camvid, 'val')):
        image, labels = read_pair(sample)
        stamp = FIRST_STAMP_NS + index * 250_000_000
        pair = messages[2 * index : 2 * index + 2]
        assert [message.topic for message in pair] == [IMAGE, LABEL]
        assert [header_stamp_ns(message.message) for message in pair] == [stamp] * 2
        np.testing.assert_array_equal(to_rgb(pair[0].message), image)
        np.testing.assert_array_equal(to_labels(pair[1].message), labels)
    # Nobody calibrated this camera: zero matrices say so.
    assert [(info.width, info.height, info.k.any()) for info in infos] == [(64, 48, False)] * 3


def test_compressed_images_are_the_files_themselves(
    camvid: Path, tmp_path: Path, convert: Callable[..., str]
) -> None:
    bag = tmp_path / 'bag'
    said = convert('camvid', camvid, '--split', 'val', '--bag', bag, '--compressed')
    assert f'3 frames on {IMAGE}/compressed, {LABEL}' in said
    with BagReader(bag) as reader:
        messages = [m.message for m in reader.messages([f'{IMAGE}/compressed'])]
        assert IMAGE not in reader.topics
    assert [m.format for m in messages] == ['png', 'jpeg', 'png']
    assert messages[1].data.tobytes() == (camvid / 'val' / 'b.jpg').read_bytes()
    assert header_stamp_ns(messages[1]) == FIRST_STAMP_NS + 1_000_000_000


def test_street_to_bag_repeats(tmp_path: Path, convert: Callable[..., str]) -> None:
    arguments = ('street', '--frames', 2, '--size', '96x72', '--seed', 3, '--bag')
    said = convert(*arguments, tmp_path / 'one')
    assert said.startswith(f'{tmp_path}/one: 2 frames on {IMAGE}, {LABEL} and {INFO}, mcap, ')
    convert(*arguments, tmp_path / 'two')
    both = []
    for name in ('one', 'two'):
        with BagReader(tmp_path / name) as reader:
            both.append([(m.topic, m.stamp_ns, m.cdr) for m in reader.serialized_messages()])
            image = next(reader.messages([IMAGE])).message
            labels = to_labels(next(reader.messages([LABEL])).message)
            info = next(reader.messages([INFO])).message
    assert both[0] == both[1]
    assert both[0][3][1] - both[0][0][1] == 33_333_333
    assert (image.width, image.height, image.encoding) == (96, 72, 'rgb8')
    assert (info.width, info.height) == (96, 72)
    assert info.k[0] > 0
    assert set(np.unique(labels).tolist()) <= {*range(11), 255}
    assert labels.std() > 0


def test_cityscapes_to_bag(tmp_path: Path, convert: Callable[..., str]) -> None:
    for kind, end in (('leftImg8bit', 'leftImg8bit'), ('gtFine', 'gtFine_labelIds')):
        folder = tmp_path / kind / 'val' / 'ulm'
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / f'ulm_1_{end}.png'), np.full(SIZE, 26, np.uint8))
    convert('cityscapes', tmp_path, '--split', 'val', '--bag', tmp_path / 'bag')
    with BagReader(tmp_path / 'bag') as reader:
        labels = to_labels(next(reader.messages([LABEL])).message)
        assert '/camera/instance_truth' not in reader.topics
    assert np.unique(labels).tolist() == [13]


def test_cityscapes_instances_to_bag(tmp_path: Path, convert: Callable[..., str]) -> None:
    instances = np.tile(np.array([26000, 26001, 7, 26], np.uint16), (SIZE[0], SIZE[1] // 4))
    pictures = {
        'leftImg8bit': np.full(SIZE, 9, np.uint8),
        'gtFine_labelIds': np.full(SIZE, 26, np.uint8),
        'gtFine_instanceIds': instances,
    }
    for end, picture in pictures.items():
        folder = tmp_path / end.split('_')[0] / 'val' / 'ulm'
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f'ulm_1_{end}.png'), picture)
    said = convert('cityscapes', tmp_path, '--split', 'val', '--bag', tmp_path / 'bag')
    assert f'1 frames on {IMAGE}, {LABEL}, /camera/instance_truth and {INFO}' in said
    with BagReader(tmp_path / 'bag') as reader:
        messages = {message.topic: message.message for message in reader.messages()}
    assert len({header_stamp_ns(message) for message in messages.values()}) == 1
    assert messages['/camera/instance_truth'].encoding == 'mono16'
    np.testing.assert_array_equal(view(messages['/camera/instance_truth']), instances)


def test_bag_to_data_set(tmp_path: Path, camvid: Path, convert: Callable[..., str]) -> None:
    convert('camvid', camvid, '--split', 'val', '--bag', tmp_path / 'bag')
    said = convert('bag', tmp_path / 'bag', '--dataset', tmp_path / 'set')
    assert said == (f'{tmp_path}/set: 3 images and their labels; unmatched: 0 images, 0 labels\n')
    names = [f'{FIRST_STAMP_NS + index * 10**9}.png' for index in range(3)]
    assert sorted(p.name for p in (tmp_path / 'set' / 'images').iterdir()) == names
    classes = (tmp_path / 'set' / 'classes.txt').read_text().split('\n')
    assert classes[:2] == ['sky 128 128 128', 'building 128 0 0']
    assert len(classes) == 12
    for name, sample in zip(names, find_camvid(camvid, 'val'), strict=True):
        image, labels = read_pair(sample)
        written = cv2.imread(str(tmp_path / 'set' / 'images' / name))
        np.testing.assert_array_equal(written[..., ::-1], image)
        written = cv2.imread(str(tmp_path / 'set' / 'labels' / name), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(written, labels)


def test_class_names_are_written_in_any_locale(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image(IMAGE, 1, 'f', np.zeros((2, 3, 3), np.uint8))
        bag.write_image(LABEL, 1, 'f', np.zeros((2, 3), np.uint8))
    (tmp_path / 'mine.txt').write_text('Straße 9 8 7\n', encoding='utf-8')
    words = ['bag', tmp_path / 'bag', '--classes', tmp_path / 'mine.txt']
    words += ['--dataset', tmp_path / 'set']
    code = 'import sys; from spssn_ros.tools.main import main; sys.exit(main(sys.argv[1:]))'
    # ASCII, unless something else is asked for.
    locale = {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}
    done = subprocess.run(
        [sys.executable, '-c', code, 'convert', *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path)), **locale},
    )
    assert done.returncode == 0, done.stderr
    assert read_label_set(tmp_path / 'set').names == ('Straße',)


def test_frames_are_paired_by_exact_stamp(tmp_path: Path, convert: Callable[..., str]) -> None:
    labels = np.zeros(SIZE, np.uint8)
    jpeg = cv2.imencode('.jpg', np.full((*SIZE, 3), (0, 0, 250), np.uint8))[1].tobytes()
    with BagWriter(tmp_path / 'bag') as bag:
        for stamp in (10, 20, 31, 40):
            bag.write_compressed('/i', stamp, 'f', jpeg)
        for stamp in (20, 30, 40):
            bag.write_image('/l', stamp, 'f', labels)
    topics = ('--image-topic', '/i', '--label-topic', '/l')
    said = convert('bag', tmp_path / 'bag', '--dataset', tmp_path / 'set', *topics)
    assert said.endswith(': 2 images and their labels; unmatched: 2 images, 1 labels\n')
    for folder in ('images', 'labels'):
        names = sorted(p.name for p in (tmp_path / 'set' / folder).iterdir())
        assert names == [f'{20:019d}.png', f'{40:019d}.png']
    image = cv2.imread(str(tmp_path / 'set' / 'images' / f'{20:019d}.png'))
    np.testing.assert_array_equal(image[..., ::-1], decode_compressed(jpeg, 'jpeg'))


def contents(bag: Path) -> list[tuple[str, int, str, tuple, bytes]]:
    """Return topic, stamp, encoding, size and pixels of a bag's images and labels."""
    with BagReader(bag) as reader:
        return [
            (m.topic, header_stamp_ns(i), i.encoding, (i.width, i.height), i.data.tobytes())
            for m in reader.messages([IMAGE, LABEL])
            for i in [m.message]
        ]


@pytest.mark.parametrize(
    ('layout', 'back'),
    [
        ((), ('folder',)),
        (('--split', 'night'), ('folder', '--split', 'night')),
        (('--label-colors',), ('folder', '--storage', 'sqlite3')),
        (('--layout', 'camvid'), ('camvid', '--split', 'train')),
        (('--layout', 'camvid', '--split', 'val', '--label-colors'), ('camvid', '--split', 'val')),
    ],
)
def test_a_bag_comes_back_from_a_data_set_pixel_by_pixel(
    tmp_path: Path, camvid: Path, convert: Callable[..., str], layout: tuple, back: tuple
) -> None:
    # Stamps that no frame rate gives.
    with BagWriter(tmp_path / 'bag') as bag:
        for number, sample in enumerate(find_camvid(camvid, 'val')):
            stamp = FIRST_STAMP_NS + number**3 * 123_456_789
            for topic, pixels in zip((IMAGE, LABEL), read_pair(sample), strict=True):
                bag.write_image(topic, stamp, 'camera', pixels)
    convert('bag', tmp_path / 'bag', '--dataset', tmp_path / 'set', *layout)
    convert(back[0], tmp_path / 'set', *back[1:], '--bag', tmp_path / 'again')
    assert contents(tmp_path / 'again') == contents(tmp_path / 'bag')


def test_names_of_19_digits_that_are_no_time_of_ros_give_no_stamps(
    tmp_path: Path, convert: Callable[..., str]
) -> None:
    rgb, labels = np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), np.uint8)
    (tmp_path / 'set').mkdir()
    (tmp_path / 'set' / 'classes.txt').write_text('road\n')
    stamps = []
    # The last nanosecond that a header can tell, and the next one.
    for number, stem in enumerate(('2147483647999999999', '2147483648000000000')):
        for folder, pixels in (('images', rgb), ('labels', labels)):
            (tmp_path / 'set' / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / 'set' / folder / f'{stem}.png'), pixels)
        convert('folder', tmp_path / 'set', '--bag', tmp_path / str(number))
        with BagReader(tmp_path / str(number)) as bag:
            stamps.append([header_stamp_ns(m.message) for m in bag.messages([IMAGE])])
    assert stamps == [[2147483647999999999], [FIRST_STAMP_NS, FIRST_STAMP_NS + 10**9]]


def test_label_colours_read_back_as_the_ids(
    tmp_path: Path, camvid: Path, convert: Callable[..., str]
) -> None:
    convert('camvid', camvid, '--split', 'val', '--bag', tmp_path / 'bag')
    to = ('bag', tmp_path / 'bag', '--label-colors', '--dataset')
    convert(*to, tmp_path / 'set')
    convert(*to, tmp_path / 'camvid_set', '--layout', 'camvid', '--split', 'val')
    # As the labels of a folder, and as the original layout of CamVid.
    shutil.rmtree(tmp_path / 'set' / 'labels')
    (tmp_path / 'set' / 'label_colors').rename(tmp_path / 'set' / 'labels')
    shutil.rmtree(tmp_path / 'camvid_set' / 'valannot')
    colored = min((tmp_path / 'camvid_set' / 'val_labels').iterdir())
    assert colored.name == f'{FIRST_STAMP_NS}_L.png'
    convert('folder', tmp_path / 'set', '--bag', tmp_path / 'one')
    convert('camvid', tmp_path / 'camvid_set', '--split', 'val', '--bag', tmp_path / 'two')
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two') == contents(tmp_path / 'bag')


def test_classes_of_ones_own(tmp_path: Path, convert: Callable[..., str]) -> None:
    labels = np.array([[0, 1, 255], [1, 1, 0]], np.uint8)
    colors = np.array([(9, 9, 9), (200, 0, 1)], np.uint8)
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image('/i', 5, 'f', np.zeros((2, 3, 3), np.uint8))
        bag.write_image('/ids', 5, 'f', labels)
        painted = np.where((labels == 255)[..., None], 0, colors[labels % 2]).astype(np.uint8)
        bag.write_image('/colors', 5, 'f', painted)
    (tmp_path / 'mine.txt').write_text('my lane 9 9 9\ncone 200 0 1\n')
    for topic in ('/ids', '/colors'):
        out = tmp_path / topic[1:]
        topics = ('--image-topic', '/i', '--label-topic', topic)
        mine = ('--classes', tmp_path / 'mine.txt', '--label-colors')
        convert('bag', tmp_path / 'bag', '--dataset', out, *topics, *mine)
        (sample,) = find_folder(out, 'all')
        np.testing.assert_array_equal(read_pair(sample)[1], labels)
        assert sample.label_set is not None
        assert sample.label_set.names == ('my lane', 'cone')
        written = cv2.imread(str(out / 'label_colors' / f'{5:019d}.png'))
        np.testing.assert_array_equal(written[..., ::-1], painted)


def test_truth_is_read_and_paired_as_asked(tmp_path: Path, convert: Callable[..., str]) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image(IMAGE, 10_000_000, 'f', np.zeros((1, 3, 3), np.uint8))
        bag.write_image(LABEL, 12_000_000, 'f', np.array([[7, 33, 0]], np.uint8))
    options = ('--classes', 'cityscapes', '--truth', 'cityscapes-ids', '--slop', '2.5')
    convert('bag', tmp_path / 'bag', '--dataset', tmp_path / 'set', *options)
    (sample,) = find_folder(tmp_path / 'set', 'all')
    assert sample.stem == f'{10_000_000:019d}'
    assert read_pair(sample)[1].tolist() == [[0, 18, 255]]


def test_images_only_are_for_labelling(
    tmp_path: Path, camvid: Path, convert: Callable[..., str]
) -> None:
    convert('camvid', camvid, '--split', 'val', '--bag', tmp_path / 'bag')
    to = ('bag', tmp_path / 'bag', '--images-only', '--dataset')
    assert convert(*to, tmp_path / 'set') == f'{tmp_path}/set: 3 images\n'
    assert sorted(p.name for p in (tmp_path / 'set').iterdir()) == ['classes.txt', 'images']
    stems = sorted(p.stem for p in (tmp_path / 'set' / 'images').iterdir())
    assert stems == [f'{FIRST_STAMP_NS + i * 10**9}' for i in range(3)]
    # Whoever labels them adds labels/.
    (tmp_path / 'set' / 'labels').mkdir()
    for number, stem in enumerate(stems):
        cv2.imwrite(
            str(tmp_path / 'set' / 'labels' / f'{stem}.png'), np.full(SIZE, number, np.uint8)
        )
    convert('folder', tmp_path / 'set', '--bag', tmp_path / 'labelled')
    images = [m for m in contents(tmp_path / 'bag') if m[0] == IMAGE]
    assert [m for m in contents(tmp_path / 'labelled') if m[0] == IMAGE] == images


def test_images_may_be_written_some_time_apart(
    tmp_path: Path, convert: Callable[..., str]
) -> None:
    # Recorded in this order; the clock is set back once.
    stamps_ms = (1000, 1400, 1500, 2600, 2900, 100, 300, 700)
    with BagWriter(tmp_path / 'stamps') as bag:
        for number, stamp in enumerate(stamps_ms):
            bag.write_image(IMAGE, stamp * 10**6, 'f', np.full((1, 3, 3), number, np.uint8))
    with BagReader(tmp_path / 'stamps') as reader:
        of_stamp = {item.stamp_ns // 10**6: item for item in reader.serialized_messages()}
    recorded = [replace(of_stamp[stamp], stamp_ns=i) for i, stamp in enumerate(stamps_ms)]
    compressed(tmp_path / 'bag', recorded, StoragePlugin.MCAP, CompressionMode.STORAGE)
    to = ('bag', tmp_path / 'bag', '--images-only', '--every', '0.5', '--dataset')
    assert convert(*to, tmp_path / 'set') == f'{tmp_path}/set: 5 images\n'
    written = sorted((tmp_path / 'set' / 'images').iterdir())
    assert [int(path.stem) // 10**6 for path in written] == [100, 700, 1000, 1500, 2600]
    assert [int(cv2.imread(str(path)).flat[0]) for path in written] == [5, 7, 0, 2, 3]


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'dataset'])
def test_a_full_disk(
    tmp_path: Path,
    camvid: Path,
    convert: Callable[..., str],
    tiny_disk: Path,
    kind: str,
) -> None:
    if kind == 'dataset':
        convert('camvid', camvid, '--split', 'val', '--bag', tmp_path / 'bag')
        said = convert('bag', tmp_path / 'bag', '--dataset', tiny_disk / 'out', status=2)
        full = 'No space left on device; make room or give another path'
        assert said == f'spssn: cannot write data set {tiny_disk}/out: {full}\n'
    else:
        arguments = ('street', '--frames', 3, '--size', '96x72', '--bag', tiny_disk / 'out')
        said = convert(*arguments, '--storage', kind, status=2)
        assert said.startswith(f'spssn: cannot write bag {tiny_disk}/out: ')
        assert said.count('\n') == 1
    assert list(tiny_disk.iterdir()) == []


def test_a_data_set_that_cannot_be_made_is_told_by_its_own_name(
    tmp_path: Path, camvid: Path, convert: Callable[..., str]
) -> None:
    convert('camvid', camvid, '--split', 'val', '--bag', tmp_path / 'bag')
    (tmp_path / 'file').touch()
    for target, reason in (
        # Nobody, root included, makes folders in /proc.
        (Path('/proc/out'), 'No such file or directory; check the path'),
        (tmp_path / 'file' / 'out', 'File exists; give another path'),
    ):
        said = convert('bag', tmp_path / 'bag', '--dataset', target, status=2)
        assert said == f'spssn: cannot write data set {target}: {reason}\n'


def test_bad_input_leaves_nothing(
    tmp_path: Path, camvid: Path, convert: Callable[..., str]
) -> None:
    bag, out = tmp_path / 'bag', tmp_path / 'out'
    camvid_bag = ('camvid', camvid, '--split', 'val', '--bag')
    convert(*camvid_bag, bag)
    with BagWriter(tmp_path / 'apart') as apart:
        apart.write_image(IMAGE, 1, 'f', np.zeros(SIZE, np.uint8))
        apart.write_image(LABEL, 2, 'f', np.zeros(SIZE, np.uint8))
    with BagWriter(tmp_path / 'strange') as strange:
        strange.write_image(IMAGE, 1, 'f', np.zeros(SIZE, np.uint8))
        strange.write_image(LABEL, 1, 'f', np.full(SIZE, 12, np.uint8))
    with BagWriter(tmp_path / 'sizes') as sizes:
        sizes.write_image(IMAGE, 1, 'f', np.zeros(SIZE, np.uint8))
        sizes.write_image(LABEL, 1, 'f', np.zeros((2, 3), np.uint8))
    with BagWriter(tmp_path / 'twice') as twice:
        for _ in range(2):
            twice.write_image(IMAGE, 1, 'f', np.zeros(SIZE, np.uint8))
    before = sorted(tmp_path.iterdir())
    for arguments, message in (
        ((*camvid_bag, bag), f'{bag} exists already; remove it'),
        ((*camvid_bag, out, '--rate', 0), 'rate 0.0 Hz is not positive'),
        ((*camvid_bag, out, '--rate', 1e-12), 'at a rate of 1e-12 Hz, frame 1 is later than 2038'),
        (('camvid', camvid, '--split', 'test', '--bag', out), "no split 'test'"),
        (('camvid', out, '--split', 'test', '--bag', out), f'{out} does not exist'),
        (('street', '--size', '10', '--bag', out), "--size '10' is no size"),
        (('street', '--frames', 0, '--bag', out), 'would hold no frame'),
        (('bag', out, '--dataset', out), f'bag {out} does not exist'),
        (('bag', bag, '--dataset', camvid), f'{camvid} exists already'),
        (('bag', bag, '--dataset', out, '--label-topic', '/x'), "topic '/x' is not in bag"),
        (('bag', bag, '--dataset', out, '--label-topic', INFO), 'is sensor_msgs/msg/CameraI'),
        (
            ('bag', tmp_path / 'apart', '--dataset', out),
            'no stamp is on both /camera/image_raw (1 messages)',
        ),
        (
            ('bag', tmp_path / 'strange', '--dataset', out),
            'with stamp 0.000000001: the label holds ids [12], but the classes are 0..10',
        ),
        (('bag', tmp_path / 'sizes', '--dataset', out), 'is 64x48 but its label is 3x2'),
        (
            ('bag', bag, '--dataset', out, '--classes', 'x.txt'),
            "--classes is 'x.txt', which is no",
        ),
        (
            ('bag', bag, '--dataset', out, '--classes', 'cityscapes', '--layout', 'camvid'),
            "--layout camvid has CamVid's classes, not those of 'cityscapes'",
        ),
        (
            ('bag', bag, '--dataset', out, '--classes', 'cityscapes', '--truth', 'camvid-colors'),
            "truth 'camvid-colors' tells the classes sky, ",
        ),
        (('bag', bag, '--dataset', out, '--slop', '-1'), '--slop is -1.0 ms; give 0 or more'),
        (('bag', bag, '--dataset', out, '--every', '-2'), '--every is -2.0 s; give 0 or more'),
        (('bag', bag, '--dataset', out, '--every', '2'), 'add --images-only'),
        (('bag', bag, '--dataset', out, '--split', '../a'), "--split is '../a'; give the name"),
        (
            ('bag', tmp_path / 'twice', '--dataset', out, '--images-only'),
            'have the stamp 1 ns, which names their files',
        ),
        (('folder', camvid, '--bag', out), 'cannot read class list'),
    ):
        said = convert(*arguments, status=2)
        assert message in said
        assert said.startswith('spssn: ')
        assert said.count('\n') == 1
        assert sorted(tmp_path.iterdir()) == before
    # The second frame's label is bad, when the first is written already.
    cv2.imwrite(str(camvid / 'valannot' / 'b.png'), np.zeros((3, 3), np.uint8))
    assert 'val/b.jpg is 64x48 but its label' in convert(*camvid_bag, out, status=2)
    assert sorted(tmp_path.iterdir()) == before


def test_the_real_data_set(camvid_root: Path, tmp_path: Path, convert: Callable[..., str]) -> None:
    said = convert('camvid', camvid_root, '--split', 'val', '--bag', tmp_path / 'bag')
    assert f'bag: {len(find_camvid(camvid_root, "val"))} frames on' in said
    sample = find_camvid(camvid_root, 'val')[-1]
    with BagReader(tmp_path / 'bag') as reader:
        *_, label = reader.messages([LABEL])
    np.testing.assert_array_equal(to_labels(label.message), read_pair(sample)[1])
