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
"""Whatever the fields of an image message hold: an array of the right shape or BadImageError."""

import os
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spssn_ros.errors import BadImageError
from spssn_ros.imaging import ENCODINGS, decode_compressed, to_labels, to_rgb, view
from spssn_ros.imaging import jpeg as jpeg_decoder

# The same examples in every run.
SEEDED = settings(
    max_examples=int(os.environ.get('SPSSN_EXAMPLES', '300')),
    deadline=None,
    derandomize=True,
    database=None,
)
MAX_PIXELS = 4096
EXTREMES = [0, 1, 2, 3, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1]
SIDES = st.one_of(st.integers(0, 70), st.sampled_from(EXTREMES))
NAMES = st.one_of(
    st.sampled_from(ENCODINGS),
    st.sampled_from(ENCODINGS).map(str.swapcase),
    st.sampled_from(
        ['rgb16', '32FC1', '32FC3', '64FC1', '8UC2', 'jpeg', 'mono8 ', '\0', 'x' * 9999]
    ),
    st.text(max_size=10),
)
BIG_ENDIAN = st.sampled_from([0, 1, 7, 255])


def image(
    width: int, height: int, step: int, encoding: str, big_endian: int, data: bytes
) -> SimpleNamespace:
    return SimpleNamespace(
        width=width,
        height=height,
        step=step,
        encoding=encoding,
        is_bigendian=big_endian,
        data=data,
    )


ANY_IMAGE = st.builds(image, SIDES, SIDES, SIDES, NAMES, BIG_ENDIAN, st.binary(max_size=400))


@st.composite
def plausible_images(draw: st.DrawFn) -> SimpleNamespace:
    """Images whose data are about as long as they should be, so that many are decoded."""
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    step = width * draw(st.integers(1, 4)) + draw(st.integers(0, 3))
    length = max(0, step * height * draw(st.sampled_from([2, 3])) // 2 + draw(st.integers(-1, 1)))
    fill = draw(st.integers(0, 255))
    data = bytes([fill]) * length
    return image(width, height, step, draw(NAMES), draw(BIG_ENDIAN), data)


def check_sentence(error: BadImageError) -> None:
    assert len(str(error)) < 600
    assert '\n' not in str(error)


@SEEDED
@given(st.one_of(ANY_IMAGE, plausible_images()))
@example(image(2**32 - 1, 2**32 - 1, 2**32 - 1, 'rgb8', 0, b''))
@example(image(2**31, 2, 0, 'mono16', 0, b'1234'))
@example(image(1, 1, 1, 'bayer_rggb8', 0, b'1'))
@example(image(64, 65, 64, 'mono8', 0, bytes(64 * 65)))
def test_fields_of_any_value(message: Any) -> None:
    for read, kinds in ((to_rgb, {np.uint8}), (view, {np.uint8, np.uint16})):
        try:
            pixels = read(message, MAX_PIXELS)
        except BadImageError as error:
            check_sentence(error)
            continue
        assert message.width * message.height <= MAX_PIXELS
        assert pixels.dtype.type in kinds
        if read is to_rgb:
            assert pixels.shape == (message.height, message.width, 3)
        else:
            rows = message.height * 3 // 2 if message.encoding == 'nv12' else message.height
            assert pixels.shape[:2] == (rows, message.width)
    try:
        labels = to_labels(message)
    except BadImageError:
        return
    assert message.encoding in ('mono8', '8UC1')
    assert labels.shape == (message.height, message.width)


PICTURE = cv2.resize(np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8), (48, 32))
FILES = {suffix: cv2.imencode(suffix, PICTURE)[1].tobytes() for suffix in ('.jpg', '.png')}


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """JPEG and PNG with bytes changed, cut out, put in or cut off."""
    data = bytearray(FILES[draw(st.sampled_from(sorted(FILES)))])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.sampled_from([len(data), len(data) // 2, 30]))])


@SEEDED
@given(st.one_of(damaged_files(), st.binary(max_size=200)), st.text(max_size=60))
def test_compressed_bytes_of_any_kind(data: bytes, name: str) -> None:
    try:
        rgb = decode_compressed(data, name, MAX_PIXELS)
    except BadImageError as error:
        check_sentence(error)
        return
    assert rgb.dtype == np.uint8
    assert rgb.ndim == 3
    assert rgb.shape[2] == 3
    assert 0 < rgb.shape[0] * rgb.shape[1] <= MAX_PIXELS


def test_damaged_files_are_refused_without_a_word_on_stderr(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip('simplejpeg', reason='simplejpeg is not installed')
    rng, refused, tried = np.random.default_rng(2), 0, 0
    for data in FILES.values():
        for _ in range(500):
            damaged = bytearray(data)
            for place in rng.integers(len(data) // 3, len(data), 3):
                damaged[place] ^= int(rng.integers(1, 256))
            tried += 1
            try:
                decode_compressed(bytes(damaged[: int(rng.integers(40, 3 * len(data)))]), 'x')
            except BadImageError as error:
                check_sentence(error)
                refused += 1
    assert refused > 0.7 * tried
    captured = capfd.readouterr()
    assert captured.err == captured.out == ''


def test_filling_at_the_end_of_a_webcam_s_jpeg_is_no_damage() -> None:
    data = FILES['.jpg']
    filled = data[:-2] + bytes(10) + data[-2:]
    np.testing.assert_array_equal(decode_compressed(filled, 'jpeg'), decode_compressed(data, ''))
    with pytest.raises(BadImageError, match=r'is damaged \(Corrupt JPEG data: 9\d extraneous byt'):
        decode_compressed(data[:-2] + bytes(100) + data[-2:], 'jpeg')


def with_restarts() -> bytes:
    """Return a JPEG of several slices, as webcams send."""
    # A side that no block divides, of 20 blocks.
    rgb = np.random.default_rng(1).integers(0, 256, (60, 75, 3), np.uint8)
    done, data = cv2.imencode('.jpg', rgb, [cv2.IMWRITE_JPEG_RST_INTERVAL, 1])
    assert done
    return data.tobytes()


def grey_with_restarts() -> bytes:
    """Return one of grey alone that names a sampling of 2x2, which has no say there."""
    gray = np.random.default_rng(1).integers(0, 256, (60, 75), np.uint8)
    done, data = cv2.imencode('.jpg', gray, [cv2.IMWRITE_JPEG_RST_INTERVAL, 1])
    assert done
    return after(data.tobytes(), b'\xff\xc0', 11, b'\x22')


def after(data: bytes, marker: bytes, offset: int, new: bytes) -> bytes:
    """Put bytes in some way behind a marker."""
    place = data.index(marker) + offset
    return data[:place] + new + data[place + len(new) :]


def stuffed(data: bytes, count: int) -> bytes:
    """Put zeros in before the first restart."""
    place = data.index(b'\xff\xd0')
    return data[:place] + bytes(count) + data[place:]


def without_a_packet(data: bytes) -> bytes:
    """Cut out what lies between the third restart and the sixth, as one lost on its way."""
    return data[: data.index(b'\xff\xd2')] + data[data.index(b'\xff\xd5') :]


@pytest.mark.parametrize(
    'change',
    [
        lambda data: stuffed(data, 3),
        lambda data: after(data, b'\xff\xda', 12, b'\0'),
        lambda data: data[:-2] + bytes(40) + data[-2:],
        lambda data: stuffed(data, 3) + bytes(1000),
        lambda data: data[:-2] + bytes(40) + data[-2:] + bytes(9000),
    ],
    ids=['before a restart', 'spectral end', 'before the end', 'behind the end', 'both'],
)
def test_what_cameras_do_to_good_jpegs_is_no_damage(change: Callable[[bytes], bytes]) -> None:
    data = with_restarts()
    np.testing.assert_array_equal(
        decode_compressed(change(data), 'jpeg'), decode_compressed(data, 'jpeg')
    )


def test_filling_before_a_restart_of_grey_is_no_damage() -> None:
    data = grey_with_restarts()
    found = decode_compressed(stuffed(data, 3), 'jpeg')
    np.testing.assert_array_equal(found, decode_compressed(data, 'jpeg'))


@pytest.mark.parametrize(
    'change',
    [
        lambda data: stuffed(data, 30),
        lambda data: without_a_packet(stuffed(data, 3)),
        lambda data: without_a_packet(after(data, b'\xff\xda', 12, b'\0')),
        lambda data: stuffed(data, 3)[: len(data) * 2 // 3],
        lambda data: after(data, b'\xff\xda', 12, b'\0')[: len(data) * 2 // 3],
    ],
    ids=[
        *('much before a restart', 'lost behind it', 'lost behind the spectral end'),
        *('cut off behind it', 'cut off behind the spectral end'),
    ],
)
def test_such_jpegs_are_refused_where_data_is_lost(change: Callable[[bytes], bytes]) -> None:
    pytest.importorskip('simplejpeg', reason='simplejpeg is not installed')
    with pytest.raises(BadImageError, match=r'is damaged \((Corrupt|Premature)'):
        decode_compressed(change(with_restarts()), 'jpeg')


def test_jpegs_are_read_without_simplejpeg_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = decode_compressed(FILES['.jpg'], 'jpeg')
    monkeypatch.setattr(jpeg_decoder, '_decode', None)
    np.testing.assert_array_equal(decode_compressed(FILES['.jpg'], 'jpeg'), with_it)
    with pytest.raises(BadImageError, match=r'is damaged \(OpenCV cannot decode it\)$'):
        decode_compressed(FILES['.jpg'][:-100], 'jpeg')


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (lambda data: data[:-13], 'the file ends too early'),
        (lambda data: data[:60] + b'?' + data[61:], "chunk b'IDAT' does not fit its checksum"),
        (lambda data: data[:33] + chunk(b'ABCD', b'') + data[33:], "chunk b'ABCD' is unknown"),
        (
            lambda data: data[:8] + chunk(b'IHDR', data[16:24] + b'\3\2\0\0\0') + data[33:],
            'the header has values that no PNG has',
        ),
        (
            lambda data: data[:33] + 70_000 * chunk(b'tEXt', b'') + data[33:],
            'it has more than 65536 chunks',
        ),
    ],
    ids=['cut', 'changed', 'unknown', 'depth', 'endless'],
)
def test_a_damaged_png_says_where(damage: Callable[[bytes], bytes], reason: str) -> None:
    with pytest.raises(BadImageError, match=re.escape(f'is damaged ({reason})')):
        decode_compressed(damage(FILES['.png']), 'png')


def test_what_a_png_says_beside_its_pixels_is_left_unread(
    capfd: pytest.CaptureFixture[str],
) -> None:
    odd = chunk(b'gAMA', bytes(4)) + chunk(b'iCCP', b'no profile') + chunk(b'acTL', b'')
    data = FILES['.png']
    image = decode_compressed(data[:33] + odd + data[33:], 'png')
    np.testing.assert_array_equal(image, PICTURE[..., ::-1])
    assert capfd.readouterr().err == ''


def png(width: int, height: int) -> bytes:
    """Return a PNG of some kilobytes that claims to be of that size, all zeros."""
    fields = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(4_000_000), 9)
    return (
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', fields) + chunk(b'IDAT', rows) + chunk(b'IEND', b'')
    )


def jpeg(width: int, height: int) -> bytes:
    """Return a JPEG whose frame header claims to be of that size."""
    data = FILES['.jpg']
    at = data.index(b'\xff\xc0') + 5
    return data[:at] + struct.pack('>HH', height, width) + data[at + 4 :]


@pytest.mark.parametrize('data', [png(50_000, 50_000), jpeg(65_500, 65_500)], ids=['png', 'jpeg'])
def test_a_decompression_bomb_is_refused_before_memory_is_taken(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: Any) -> None:
        raise AssertionError('the decoder would take the memory')

    monkeypatch.setattr(cv2, 'imdecode', decode)
    assert len(data) < 10_000
    tracemalloc.start()
    with pytest.raises(BadImageError, match=r'50000x50000|65500x65500.*more than the 64 megapix'):
        decode_compressed(data, 'png')
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_raw_images_above_the_limit_are_refused_and_those_at_it_read() -> None:
    message = image(64, 64, 64, 'mono8', 0, bytes(64 * 64))
    assert to_rgb(message, 64 * 64).shape == (64, 64, 3)
    text = (
        r"^image 64x64 'mono8': more than the 0\.004095 megapixels that are allowed; send smaller "
        r'images or raise the limit \(max_image_megapixels of segment_node\)$'
    )
    for read in (to_rgb, view):
        with pytest.raises(BadImageError, match=text):
            read(message, 64 * 64 - 1)


@pytest.mark.parametrize('size', [(1, 1), (2, 1), (2, 2), (50, 2)])
def test_bayer_images_that_opencv_would_make_black_are_refused(size: tuple[int, int]) -> None:
    width, height = size
    message = image(width, height, width, 'bayer_rggb8', 0, b'\x77' * width * height)
    text = f"^image {width}x{height} 'bayer_rggb8': a Bayer image needs at least 3x3 pixels$"
    with pytest.raises(BadImageError, match=text):
        to_rgb(message)


def test_other_kinds_of_files_are_refused_without_decoding_them() -> None:
    for suffix in ('.bmp', '.tiff', '.webp'):
        data = cv2.imencode(suffix, PICTURE)[1].tobytes()
        with pytest.raises(BadImageError, match='of a kind that is not decoded; send jpeg or png'):
            decode_compressed(data, suffix)


def test_a_jpeg_of_endless_segments_ends() -> None:
    with pytest.raises(BadImageError, match='is damaged'):
        decode_compressed(b'\xff\xd8' + b'\xff\xe0\x00\x02' * 5_000_000, 'jpeg')


def test_the_size_is_found_behind_metadata_and_filling() -> None:
    data = FILES['.jpg']
    metadata = b'\xff\xe1\x00\x10' + b'\xff\xc0' * 7 + b'\xff\xff'
    picture = decode_compressed(data[:2] + metadata + data[2:], 'jpeg')
    np.testing.assert_array_equal(picture, decode_compressed(data, 'jpeg'))


def test_names_of_any_length_leave_a_short_sentence() -> None:
    with pytest.raises(BadImageError, match=r"^image 1x1 'x{40}\.\.\.': unsupp") as caught:
        to_rgb(image(1, 1, 1, 'x' * 10**6, 0, b'1'))
    assert len(str(caught.value)) < 600
