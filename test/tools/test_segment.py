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
"""`spssn segment` from the command line: what is written, and what bad input says."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spssn_ros.bags.labelled import IMAGE_TOPIC, INSTANCE_TOPIC, LABEL_TOPIC
from spssn_ros.bags.writer import BagWriter
from spssn_ros.inference import Segmenter
from spssn_ros.labels import LabelSet
from spssn_ros.models import Normalisation, WeightsInfo, create_model, save_weights
from spssn_ros.tools.main import main

LABELS = LabelSet(('road', 'car', 'sky'), ((250, 0, 0), (0, 250, 0), (0, 0, 250)))
ENGINE = ('--backend', 'torch', '--device', 'cpu', '--precision', 'float32')

Rgb = NDArray[np.uint8]
Segment = Callable[..., tuple[str, str]]


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = create_model('spssn', len(LABELS), chain_length=1)
    # Untrained, but with statistics and biases such that every picture shows several classes.
    images = torch.from_numpy(np.stack([picture(seed) for seed in range(8)]))
    images = images.permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        for _ in range(20):
            model(images)
        model.eval()
        model.classifier[-1].bias -= model(images).mean((0, 2, 3))
    info = WeightsInfo('spssn', {'chain_length': 1}, LABELS, Normalisation(), (96, 64))
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_weights(path, model, info)
    return path


@pytest.fixture(scope='module')
def segmenter(weights: Path) -> Segmenter:
    return Segmenter.from_weights(weights, 'cpu', 'float32', 'torch')


@pytest.fixture
def segment(weights: Path, capsys: pytest.CaptureFixture[str]) -> Segment:
    """Return a function that runs `spssn segment` and returns what it printed."""

    def run(*arguments: object, status: int = 0) -> tuple[str, str]:
        assert (
            main(['segment', *map(str, arguments), '--weights', str(weights), *ENGINE]) == status
        )
        return capsys.readouterr()

    return run


def picture(seed: int, size: tuple[int, int] = (64, 96)) -> Rgb:
    """Return (H, W, 3) blotches, which the tiny network tells apart."""
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX)


def save(path: Path, rgb: Rgb) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1])


def load(path: Path) -> Rgb:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return image[..., ::-1] if image.ndim == 3 else image


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


def check(output: Path, stem: str, rgb: Rgb, segmenter: Segmenter) -> None:
    labels = segmenter(rgb).labels
    assert len(np.unique(labels)) > 1
    np.testing.assert_array_equal(load(output / 'labels' / f'{stem}.png'), labels)
    color = np.array(LABELS.palette)[labels]
    overlay = load(output / 'overlays' / f'{stem}.png').astype(int)
    np.testing.assert_allclose(overlay, (rgb + color) / 2, atol=0.51)


def test_an_image(tmp_path: Path, segment: Segment, segmenter: Segmenter) -> None:
    save(tmp_path / 'a.PNG', picture(0, (65, 97)))
    output = tmp_path / 'new' / 'out'
    said, errors = segment(tmp_path / 'a.PNG', '--output', output)
    assert said == (
        f'{output}: 1 frame in labels/ and overlays/, and classes.json, by torch float32 on cpu\n'
    )
    assert errors == ''
    assert files(output) == ['classes.json', 'labels/a.png', 'overlays/a.png']
    check(output, 'a', picture(0, (65, 97)), segmenter)
    classes = json.loads((output / 'classes.json').read_text())
    assert classes[1] == {'id': 1, 'name': 'car', 'color': [0, 250, 0]}
    assert [entry['id'] for entry in classes] == [0, 1, 2]


def test_nothing_of_another_origin_is_replaced(tmp_path: Path, segment: Segment) -> None:
    for name in ('yard/images/a.png', 'yard/labels/a.png', 'mine/overlays/a.png', 'b.png'):
        save(tmp_path / name, picture(0))
    yard, mine = tmp_path / 'yard', tmp_path / 'mine'
    (yard / 'classes.txt').write_text('road')
    kept = {path: path.read_bytes() for path in tmp_path.rglob('*.png')}
    for source, output, reason in (
        (yard / 'images', yard, 'yard holds a data set, whose labels would be replaced; give'),
        (mine / 'overlays', mine, f'{mine}/overlays lies in {mine}/overlays; give another'),
        (tmp_path / 'b.png', mine, 'overlays holds images that are not of an earlier run'),
    ):
        _, errors = segment(source, '--output', output, status=2)
        assert reason in errors
        assert errors.count('\n') == 1
    (yard / 'classes.txt').unlink()
    _, errors = segment(yard / 'images', '--output', yard, status=2)
    assert 'yard/labels holds images that are not of an earlier run' in errors
    assert {path: path.read_bytes() for path in tmp_path.rglob('*.png')} == kept


def test_labels_of_several_runs_mean_the_same(tmp_path: Path, segment: Segment) -> None:
    output = tmp_path / 'out'
    for name in ('a', 'b'):
        save(tmp_path / f'{name}.png', picture(0))
        segment(tmp_path / f'{name}.png', '--output', output)
    assert len(list((output / 'labels').iterdir())) == 2
    classes = output / 'classes.json'
    for told in (classes.read_bytes().replace(b'car', b'bus'), b'\xff no text'):
        classes.write_bytes(told)
        _, errors = segment(tmp_path / 'a.png', '--output', output, status=2)
        assert 'out holds labels of other classes (classes.json); give another --output' in errors


def test_a_folder(tmp_path: Path, segment: Segment, segmenter: Segmenter) -> None:
    source = tmp_path / 'images'
    for seed, name in enumerate(('b.png', 'a.bmp', 'c.v2.tif')):
        save(source / name, picture(seed))
    (source / 'notes.txt').write_text('no image')
    save(source / 'deeper' / 'd.png', picture(9))
    said, _ = segment(source, '--output', tmp_path / 'out')
    assert f'{tmp_path}/out: 3 frames in' in said
    assert files(tmp_path / 'out') == [
        'classes.json',
        *(f'{kind}/{stem}.png' for kind in ('labels', 'overlays') for stem in ['a', 'b', 'c.v2']),
    ]
    for seed, stem in enumerate(('b', 'a', 'c.v2')):
        check(tmp_path / 'out', stem, picture(seed), segmenter)


def test_a_photo_is_turned_as_it_is_shown(tmp_path: Path, segment: Segment) -> None:
    # An APP1 segment whose only EXIF entry says orientation 6: turn by 90 degrees.
    exif = b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
    jpeg = cv2.imencode('.jpg', picture(0))[1].tobytes()
    segment_bytes = b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif
    (tmp_path / 'a.jpg').write_bytes(jpeg[:2] + segment_bytes + jpeg[2:])
    segment(tmp_path / 'a.jpg', '--output', tmp_path / 'out')
    assert load(tmp_path / 'out' / 'labels' / 'a.png').shape == (96, 64)


def write_video(path: Path, frames: list[Rgb], rate_hz: float) -> None:
    size = (frames[0].shape[1], frames[0].shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), rate_hz, size)
    for rgb in frames:
        writer.write(np.ascontiguousarray(rgb[..., ::-1]))
    writer.release()


def read_video(path: Path) -> tuple[list[Rgb], float]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (image := capture.read()[1]) is not None:
        frames.append(image[..., ::-1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


def test_a_video(tmp_path: Path, segment: Segment, segmenter: Segmenter) -> None:
    write_video(tmp_path / 'v.avi', [picture(seed) for seed in range(3)], 12.5)
    output = tmp_path / 'out'
    said, errors = segment(tmp_path / 'v.avi', '--output', output)
    assert ': 3 frames in labels/ and overlays/, overlay.mp4, and classes.json, by' in said
    assert errors == ''
    stems = ['000000', '000001', '000002']
    assert files(output) == [
        'classes.json',
        *(f'labels/{stem}.png' for stem in stems),
        'overlay.mp4',
        *(f'overlays/{stem}.png' for stem in stems),
    ]
    for stem, rgb in zip(stems, read_video(tmp_path / 'v.avi')[0], strict=True):
        check(output, stem, rgb, segmenter)
    frames, rate_hz = read_video(output / 'overlay.mp4')
    assert rate_hz == pytest.approx(12.5)
    assert len(frames) == 3
    for stem, frame in zip(stems, frames, strict=True):
        difference = frame.astype(int) - load(output / 'overlays' / f'{stem}.png')
        assert np.abs(difference).mean() < 12


def test_a_video_that_is_cut_off(tmp_path: Path, segment: Segment) -> None:
    video = tmp_path / 'v.avi'
    write_video(video, [picture(0)] * 40, 10)
    data = video.read_bytes()
    video.write_bytes(data[: len(data) // 2])
    _, errors = segment(video, '--output', tmp_path / 'out')
    count = len(files(tmp_path / 'out' / 'labels'))
    assert 5 < count < 25
    assert errors == (
        f'spssn: {video} promises 40 frames and only {count} could be read; it may be cut off\n'
    )
    assert len(read_video(tmp_path / 'out' / 'overlay.mp4')[0]) == count


def write_bag(path: Path, topics: tuple[str, ...] = (IMAGE_TOPIC,)) -> None:
    with BagWriter(path) as bag:
        for number in range(3):
            for topic in topics:
                bag.write_image(topic, 10**9 + number * 10**8, 'f', picture(number))
            bag.write_image(LABEL_TOPIC, 10**9 + number * 10**8, 'f', picture(0)[..., 0])
            bag.write_camera_info('/info', 10**9 + number * 10**8, 'f', 96, 64, None)


def test_a_bag(tmp_path: Path, segment: Segment, segmenter: Segmenter) -> None:
    write_bag(tmp_path / 'bag')
    # The truth beside it is no camera; a file of the bag does as well as its folder.
    for source in (tmp_path / 'bag', next((tmp_path / 'bag').glob('*.mcap'))):
        output = tmp_path / f'out_{source.name}'
        said, _ = segment(source, '--output', output)
        assert ': 3 frames in' in said
        stems = [f'000000000{stamp}00000000' for stamp in (10, 11, 12)]
        assert sorted(p.stem for p in (output / 'labels').iterdir()) == stems
        for number, stem in enumerate(stems):
            check(output, stem, picture(number), segmenter)
        frames, rate_hz = read_video(output / 'overlay.mp4')
        assert (len(frames), rate_hz) == (3, pytest.approx(10))


def test_truth_and_instances_are_no_cameras(tmp_path: Path, segment: Segment) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_image(IMAGE_TOPIC, 10**9, 'f', picture(0))
        bag.write_image(LABEL_TOPIC, 10**9, 'f', picture(0)[..., 0])
        bag.write_image(INSTANCE_TOPIC, 10**9, 'f', picture(0)[..., 0].astype(np.uint16))
    said, _ = segment(tmp_path / 'bag', '--output', tmp_path / 'out')
    assert '1 frame in labels/' in said


def test_a_bag_with_several_cameras(tmp_path: Path, segment: Segment) -> None:
    write_bag(tmp_path / 'bag', ('/front', '/rear'))
    to = ('--output', tmp_path / 'out')
    _, errors = segment(tmp_path / 'bag', *to, status=2)
    assert errors == (
        f'spssn: bag {tmp_path}/bag has 2 image topics (/front, /rear); say which one with '
        '--image-topic\n'
    )
    segment(tmp_path / 'bag', *to, '--image-topic', '/rear')
    assert len(files(tmp_path / 'out' / 'labels')) == 3
    said, _ = segment(
        tmp_path / 'bag', '--output', tmp_path / 'both', '--image-topic', '/front', '/rear'
    )
    assert [line.split(':')[0] for line in said.splitlines()] == [
        f'{tmp_path}/both/{name}' for name in ('front', 'rear')
    ]
    one = files(tmp_path / 'out')
    assert files(tmp_path / 'both') == [f'{n}/{f}' for n in ('front', 'rear') for f in one]
    _, errors = segment(
        *(tmp_path / 'bag', '--output', tmp_path / 'x', '--image-topic', '/a/b', '/a_b'), status=2
    )
    assert errors == 'spssn: --image-topic /a/b /a_b: two of these have one folder name\n'


def test_frames_of_odd_size(tmp_path: Path, segment: Segment, segmenter: Segmenter) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for number in range(2):
            bag.write_image('/i', number * 10**8, 'f', picture(number, (67, 99)))
    segment(tmp_path / 'bag', '--output', tmp_path / 'out')
    frames, _ = read_video(tmp_path / 'out' / 'overlay.mp4')
    for number, frame in enumerate(frames):
        stem = f'{number * 10**8:019d}'
        check(tmp_path / 'out', stem, picture(number, (67, 99)), segmenter)
        # The codec has even sides only; the picture is not skewed by that.
        assert frame.shape == (66, 98, 3)
        overlay = load(tmp_path / 'out' / 'overlays' / f'{stem}.png')[:66, :98]
        assert np.abs(frame.astype(int) - overlay).mean() < 12


@pytest.mark.parametrize(
    ('size', 'video'), [((40, 9000), (36, 8190)), ((9000, 40), (8190, 36)), ((1, 64), (2, 64))]
)
def test_frames_of_sizes_that_no_video_has(
    tmp_path: Path, segment: Segment, size: tuple[int, int], video: tuple[int, int]
) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for number in range(2):
            bag.write_image('/i', number * 10**8, 'f', np.full((*size, 3), 90, np.uint8))
    segment(tmp_path / 'bag', '--output', tmp_path / 'out')
    frames, _ = read_video(tmp_path / 'out' / 'overlay.mp4')
    assert [frame.shape[:2] for frame in frames] == [video] * 2
    overlays = [load(path) for path in sorted((tmp_path / 'out' / 'overlays').iterdir())]
    assert [overlay.shape[:2] for overlay in overlays] == [size] * 2


def test_images_of_every_kind_and_size_in_one_folder(tmp_path: Path, segment: Segment) -> None:
    rgb = picture(0)
    kinds = {
        'gray': rgb[..., 0],
        'alpha': np.dstack([rgb, rgb[..., :1]]),
        'deep': rgb.astype(np.uint16) * 257,
        'pixel': rgb[:1, :1],
        'wide': np.tile(rgb[:3], (1, 4, 1)),
    }
    (tmp_path / 'in').mkdir()
    for name, pixels in kinds.items():
        assert cv2.imwrite(str(tmp_path / 'in' / f'{name}.png'), pixels)
    segment(tmp_path / 'in', '--output', tmp_path / 'out')
    for name, pixels in kinds.items():
        assert load(tmp_path / 'out' / 'labels' / f'{name}.png').shape == pixels.shape[:2]
        assert load(tmp_path / 'out' / 'overlays' / f'{name}.png').shape == (*pixels.shape[:2], 3)


def test_compressed_frames_of_one_stamp_and_changing_size(
    tmp_path: Path, segment: Segment, segmenter: Segmenter
) -> None:
    pictures = [picture(0), picture(1, (80, 120)), picture(2)]
    with BagWriter(tmp_path / 'bag') as bag:
        for rgb in pictures:
            png = cv2.imencode('.png', rgb[..., ::-1])[1].tobytes()
            bag.write_compressed('/i', 0, 'f', png, 'png')
    segment(tmp_path / 'bag', '--output', tmp_path / 'out')
    for rgb, end in zip(pictures, ('', '_1', '_2'), strict=True):
        check(tmp_path / 'out', f'{0:019d}{end}', rgb, segmenter)
    frames, rate_hz = read_video(tmp_path / 'out' / 'overlay.mp4')
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 3
    assert rate_hz == pytest.approx(25)


def test_what_was_finished_before_a_damaged_frame_is_whole(
    tmp_path: Path, segment: Segment, segmenter: Segmenter
) -> None:
    for seed, name in enumerate('ab'):
        save(tmp_path / 'images' / f'{name}.png', picture(seed))
    damaged = tmp_path / 'images' / 'b.png'
    damaged.write_bytes(damaged.read_bytes()[:2000])
    said, errors = segment(tmp_path / 'images', '--output', tmp_path / 'out', status=2)
    assert said == ''
    assert errors.endswith(
        f'spssn: image {damaged} (2000 bytes) is damaged or of a kind that OpenCV does not '
        'decode; replace or remove it\n'
    )
    assert files(tmp_path / 'out') == ['classes.json', 'labels/a.png', 'overlays/a.png']
    check(tmp_path / 'out', 'a', picture(0), segmenter)


@pytest.mark.parametrize(('name', 'size'), [('a.mp4', 3), ('a.avi', 400)])
def test_decoders_add_nothing_to_the_line_about_a_damaged_video(
    tmp_path: Path, name: str, size: int
) -> None:
    video = tmp_path / name
    write_video(tmp_path / 'whole.avi', [picture(0)], 10.0)
    # Cut off within the header of an AVI file, or what is none.
    video.write_bytes((tmp_path / 'whole.avi').read_bytes()[:size])
    # FFmpeg's level of words is set once a process.
    command = [sys.executable, '-m', 'spssn_ros.tools.main', 'segment', str(video)]
    done = subprocess.run(
        [*command, '--output', str(tmp_path / 'out')], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f'spssn: video {video} cannot be opened')
    assert done.stderr.count('\n') == 1


def test_a_damaged_frame_in_a_bag_leaves_no_video(tmp_path: Path, segment: Segment) -> None:
    jpeg = cv2.imencode('.jpg', picture(0))[1].tobytes()
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_compressed('/i', 1_500_000_000, 'f', jpeg)
        bag.write_compressed('/i', 2_500_000_000, 'f', b'no jpeg')
    _, errors = segment(tmp_path / 'bag', '--output', tmp_path / 'out', status=2)
    assert f'spssn: bag {tmp_path}/bag, frame with stamp 2.500000000: compressed' in errors
    assert files(tmp_path / 'out') == [
        'classes.json',
        *(f'{kind}/0000000001500000000.png' for kind in ('labels', 'overlays')),
    ]


def test_bad_input_writes_nothing(tmp_path: Path, segment: Segment) -> None:
    save(tmp_path / 'twins' / 'a.png', picture(0))
    save(tmp_path / 'twins' / 'a.jpg', picture(0))
    save(tmp_path / 'one' / 'a.png', picture(0))
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'a.txt').write_text('text')
    (tmp_path / 'a.png').write_bytes(b'')
    (tmp_path / 'a.mp4').write_text('no video')
    (tmp_path / 'file').write_text('in the way')
    write_bag(tmp_path / 'bag')
    before = files(tmp_path)
    for name, arguments, message in (
        ('none', (), f'input {tmp_path}/none does not exist'),
        ('a.txt', (), f'input {tmp_path}/a.txt is of no known kind; give an image (.bmp, '),
        ('a.png', (), f'image {tmp_path}/a.png (0 bytes) is damaged'),
        ('a.mp4', (), f'video {tmp_path}/a.mp4 cannot be opened'),
        ('empty', (), f'folder {tmp_path}/empty holds no image'),
        ('twins', (), f'a.jpg and a.png of folder {tmp_path}/twins would give files of one name'),
        ('one', ('--image-topic', '/x'), f'--image-topic /x is for bags, and {tmp_path}/one is'),
        ('one', ('--input-size', '8x8'), "input_size is '8x8'"),
        ('one', ('--output', tmp_path / 'file'), f'{tmp_path}/file'),
        ('bag', ('--image-topic', '/x'), f"topic '/x' is not in bag {tmp_path}/bag"),
        ('bag', ('--image-topic', '/info'), "topic '/info' of bag"),
    ):
        said, errors = segment(tmp_path / name, '--output', tmp_path / 'out', *arguments, status=2)
        assert said == ''
        assert errors.startswith('spssn: ')
        assert message in errors
        assert errors.count('\n') == 1
        assert files(tmp_path) == before
        assert not (tmp_path / 'out').exists()
