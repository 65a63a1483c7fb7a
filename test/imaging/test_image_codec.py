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
"""Image messages of every encoding become the RGB that they mean, and bad ones are refused."""

import re
import sys
from array import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from spssn_ros.errors import BadImageError
from spssn_ros.imaging import ENCODINGS, to_labels, to_rgb, view

Make = Callable[..., Any]
HEIGHT, WIDTH = 6, 8
RGB = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
ALPHA = np.random.default_rng(4).integers(0, 256, (HEIGHT, WIDTH, 1), np.uint8)
GRAY = RGB[..., 0]
GRAY16 = np.random.default_rng(5).integers(0, 2**16, (HEIGHT, WIDTH), np.uint16)
# Luma a pixel; chroma a pair of pixels in a row.
Y = np.random.default_rng(6).integers(16, 236, (HEIGHT, WIDTH), np.uint8)
U, V = np.random.default_rng(7).integers(64, 193, (2, HEIGHT, WIDTH // 2), np.uint8)
# An even mix, so that no value is clipped and each pattern's cells tell apart.
BAYER_COLOR = {'r': 200, 'g': 120, 'b': 40}


def gray_to_rgb(gray: np.ndarray) -> np.ndarray:
    return np.repeat(gray[..., None], 3, axis=2)


def yuv_to_rgb(y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Convert full-size BT.601 studio-range planes, as ITU-R BT.601 defines it."""
    y, u, v = y.astype(float) - 16, u.astype(float) - 128, v.astype(float) - 128
    scale, chroma = 255 / 219, 255 / 224
    red = scale * y + chroma * 1.402 * v
    green = scale * y - chroma * (0.344136 * u + 0.714136 * v)
    blue = scale * y + chroma * 1.772 * u
    return np.stack([red, green, blue], -1).round().clip(0, 255)


def interleave(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.stack([first, second], -1).reshape(len(first), -1)


def bytes_of(values: np.ndarray, order: str) -> np.ndarray:
    return values.astype(f'{order}u2').view(np.uint8).reshape(len(values), -1)


def mosaic(pattern: str) -> np.ndarray:
    cell = np.array([BAYER_COLOR[letter] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(cell, (HEIGHT // 2, WIDTH // 2))


def rows(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(HEIGHT, -1)


YUV422_RGB = yuv_to_rgb(Y, U.repeat(2, 1), V.repeat(2, 1))
UYVY = interleave(interleave(U, V), Y)
YUYV = interleave(Y, interleave(U, V))
NV12_RGB = yuv_to_rgb(Y, *(c[::2].repeat(2, 0).repeat(2, 1) for c in (U, V)))
NV12 = np.vstack([Y, interleave(U[::2], V[::2])])
BAYER_RGB = np.zeros((HEIGHT, WIDTH, 3)) + list(BAYER_COLOR.values())

# Encoding -> rows of the message, the RGB they mean, and how far rounding may lead.
CASES: dict[str, tuple[np.ndarray, np.ndarray, int]] = {
    'rgb8': (rows(RGB), RGB, 0),
    'bgr8': (rows(RGB[..., ::-1]), RGB, 0),
    '8UC3': (rows(RGB[..., ::-1]), RGB, 0),
    'rgba8': (rows(np.concatenate([RGB, ALPHA], 2)), RGB, 0),
    'bgra8': (rows(np.concatenate([RGB[..., ::-1], ALPHA], 2)), RGB, 0),
    '8UC4': (rows(np.concatenate([RGB[..., ::-1], ALPHA], 2)), RGB, 0),
    'mono8': (GRAY, gray_to_rgb(GRAY), 0),
    '8UC1': (GRAY, gray_to_rgb(GRAY), 0),
    'mono16': (bytes_of(GRAY16, '<'), gray_to_rgb(GRAY16 / 65535 * 255), 1),
    '16UC1': (bytes_of(GRAY16, '<'), gray_to_rgb(GRAY16 / 65535 * 255), 1),
    'bayer_rggb8': (mosaic('rggb'), BAYER_RGB, 0),
    'bayer_bggr8': (mosaic('bggr'), BAYER_RGB, 0),
    'bayer_gbrg8': (mosaic('gbrg'), BAYER_RGB, 0),
    'bayer_grbg8': (mosaic('grbg'), BAYER_RGB, 0),
    'yuv422': (UYVY, YUV422_RGB, 2),
    'uyvy': (UYVY, YUV422_RGB, 2),
    'yuv422_yuy2': (YUYV, YUV422_RGB, 2),
    'yuyv': (YUYV, YUV422_RGB, 2),
    'nv12': (NV12, NV12_RGB, 2),
}


@pytest.fixture
def make(image_message: Make) -> Make:
    """Return a function that makes the message of a case."""

    def message(encoding: str, padding: int = 0) -> Any:
        return image_message(encoding, CASES[encoding][0], WIDTH, HEIGHT, padding)

    return message


def test_every_encoding_is_tried() -> None:
    assert set(CASES) == set(ENCODINGS)


@pytest.mark.parametrize('padding', [0, 5, 64])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_the_picture_is_what_the_message_means(make: Make, encoding: str, padding: int) -> None:
    _, expected, tolerance = CASES[encoding]
    rgb = to_rgb(make(encoding, padding))
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert rgb.dtype == np.uint8
    assert np.abs(rgb - expected.astype(float)).max() <= tolerance


def test_the_reference_of_yuv_knows_its_colours() -> None:
    # Studio-range BT.601: white, black, and pure red (81, 90, 240).
    y, u, v = np.array([[235, 16, 81]]), np.array([[128, 128, 90]]), np.array([[128, 128, 240]])
    assert np.abs(yuv_to_rgb(y, u, v)[0] - [[255] * 3, [0] * 3, [254, 0, 0]]).max() <= 1


def test_cv_bridge_agrees_wherever_it_knows_the_encoding(make: Make) -> None:
    cv_bridge = pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
    compared = set()
    for encoding in ENCODINGS:
        message = make(encoding)
        try:
            expected = cv_bridge.CvBridge().imgmsg_to_cv2(message, 'rgb8')
        except (KeyError, TypeError, RuntimeError, cv2.error):
            continue
        # 16 bits are rounded there and cut off here.
        tolerance = 1 if '16' in encoding else 0
        assert np.abs(to_rgb(message).astype(int) - expected).max() <= tolerance, encoding
        compared.add(encoding)
    assert compared >= {'rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'bayer_rggb8', 'bayer_bggr8'}


def test_big_endian_16_bits(image_message: Make) -> None:
    message = image_message('mono16', bytes_of(GRAY16, '>'), WIDTH, padding=3, is_bigendian=1)
    np.testing.assert_array_equal(view(message), GRAY16)
    np.testing.assert_array_equal(to_rgb(message), gray_to_rgb(GRAY16 >> 8))
    little = image_message('mono16', bytes_of(GRAY16, '<'), WIDTH, padding=3)
    np.testing.assert_array_equal(view(little), GRAY16)


def test_the_byte_order_of_single_bytes_is_of_no_account(image_message: Make) -> None:
    message = image_message('rgb8', rows(RGB), WIDTH, is_bigendian=1)
    np.testing.assert_array_equal(to_rgb(message), RGB)


@pytest.mark.parametrize('container', ['bytes', 'bytearray', 'array', 'numpy'])
@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'mono8'])
def test_views_share_the_message_s_memory(make: Make, encoding: str, container: str) -> None:
    message = make(encoding, padding=7)
    convert: dict[str, Callable[[bytes], Any]] = {
        'bytes': bytes,
        'bytearray': bytearray,
        'array': lambda data: array('B', data),
        'numpy': lambda data: np.frombuffer(data, np.uint8),
    }
    message.data = convert[container](message.data)
    memory = np.frombuffer(message.data, np.uint8)
    pixels = view(message)
    assert np.shares_memory(pixels, memory)
    assert pixels.shape == ((HEIGHT, WIDTH) if encoding == 'mono8' else (HEIGHT, WIDTH, 3))
    np.testing.assert_array_equal(pixels.reshape(HEIGHT, -1), CASES[encoding][0])
    assert np.shares_memory(to_rgb(message), memory) == (encoding == 'rgb8')


def test_converting_leaves_the_message_alone(make: Make) -> None:
    for encoding in ENCODINGS:
        message = make(encoding)
        before = message.data = bytearray(message.data)
        to_rgb(message)
        assert message.data == bytearray(before)


def test_labels_are_the_stored_ids(image_message: Make) -> None:
    ids = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    for encoding in ('mono8', '8UC1'):
        message = image_message(encoding, ids, WIDTH, padding=3)
        labels = to_labels(message)
        np.testing.assert_array_equal(labels, ids)
        assert np.shares_memory(labels, np.frombuffer(message.data, np.uint8))
    with pytest.raises(
        BadImageError, match=r"^image 8x6 'rgb8': a label image must be mono8 class ids$"
    ):
        to_labels(image_message('rgb8', rows(RGB), WIDTH))


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_data_shorter_than_its_rows(make: Make, encoding: str) -> None:
    message = make(encoding, padding=2)
    whole, lines = len(message.data), len(CASES[encoding][0])
    message.data = message.data[:-1]
    text = (
        f'image 8x6 {encoding!r}: {whole - 1} bytes of data, but {lines} rows of step '
        f'{message.step} are {whole}'
    )
    for read in (view, to_rgb):
        with pytest.raises(BadImageError, match=f'^{re.escape(text)}$'):
            read(message)
    message.data = b''
    with pytest.raises(BadImageError, match=': 0 bytes of data'):
        view(message)


def test_data_longer_than_its_rows(make: Make) -> None:
    message = make('rgb8')
    message.data += b'more'
    np.testing.assert_array_equal(to_rgb(message), RGB)


@pytest.mark.parametrize(
    ('encoding', 'row'), [('rgb8', 24), ('bgra8', 32), ('mono8', 8), ('mono16', 16), ('yuyv', 16)]
)
def test_a_step_shorter_than_a_row(make: Make, encoding: str, row: int) -> None:
    message = make(encoding)
    message.step = row - 1
    text = f'image 8x6 {encoding!r}: step {row - 1} is shorter than a row of {row} bytes'
    with pytest.raises(BadImageError, match=f'^{text}$'):
        to_rgb(message)


@pytest.mark.parametrize(('width', 'height'), [(0, 6), (8, 0), (0, 0)])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_no_pixels(make: Make, encoding: str, width: int, height: int) -> None:
    message = make(encoding)
    message.width, message.height = width, height
    text = f'^image {width}x{height} {encoding!r}: an image needs at least one pixel$'
    with pytest.raises(BadImageError, match=text):
        to_rgb(message)


@pytest.mark.parametrize('encoding', ['', 'RGB8', 'rgb', 'jpeg', '32FC7'])
def test_an_unknown_encoding_lists_the_known(make: Make, encoding: str) -> None:
    message = make('rgb8')
    message.encoding = encoding
    known = re.escape(', '.join(ENCODINGS))
    for read in (view, to_rgb):
        with pytest.raises(
            BadImageError, match=f'^image 8x6 {encoding!r}: unsupported encoding.*of {known}$'
        ):
            read(message)


def bridge(convert: Callable[..., Any]) -> Any:
    """Return a module cv_bridge that converts so."""
    methods = {'imgmsg_to_cv2': lambda self, message, encoding: convert(message, encoding)}
    return SimpleNamespace(CvBridge=type('CvBridge', (), methods))


def test_cv_bridge_is_asked_for_what_is_not_known_here(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(message: Any, encoding: str) -> np.ndarray:
        assert (message.encoding, encoding) == ('new', 'rgb8')
        return RGB

    monkeypatch.setitem(sys.modules, 'cv_bridge', bridge(convert))
    message = make('rgb8')
    message.encoding = 'new'
    np.testing.assert_array_equal(to_rgb(message), RGB)
    with pytest.raises(
        BadImageError, match=r"^image 8x6 'new': more than the 4\.7e-05 megapixels"
    ):
        to_rgb(message, WIDTH * HEIGHT - 1)


@pytest.mark.parametrize(
    ('error', 'reason'),
    [
        (KeyError('new'), "'new'"),
        (KeyError(), 'KeyError'),
        (RuntimeError('over\ntwo  lines'), 'over two lines'),
        (RuntimeError('x' * 200), 'x' * 200),
        (RuntimeError('x' * 201), 'x' * 200 + '...'),
    ],
    ids=['key', 'no text', 'lines', '200', '201'],
)
def test_what_cv_bridge_cannot_convert_is_told_in_a_sentence(
    make: Make, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def convert(message: Any, encoding: str) -> np.ndarray:
        raise error

    monkeypatch.setitem(sys.modules, 'cv_bridge', bridge(convert))
    message = make('rgb8')
    message.encoding = 'new'
    text = f"image 8x6 'new': unsupported encoding, by cv_bridge too ({reason}); use one of rgb8,"
    with pytest.raises(BadImageError, match=f'^{re.escape(text)}'):
        to_rgb(message)


def test_a_picture_of_another_size_from_cv_bridge_is_refused(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'cv_bridge', bridge(lambda message, encoding: RGB[:2]))
    message = make('rgb8')
    message.encoding = 'new'
    text = r"^image 8x6 'new': cv_bridge made \(2, 8, 3\) of it$"
    with pytest.raises(BadImageError, match=text):
        to_rgb(message)


def test_without_cv_bridge_the_text_is_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)
    message = make('rgb8')
    message.encoding = 'new'
    with pytest.raises(BadImageError, match=r"^image 8x6 'new': unsupported encoding; use one of"):
        to_rgb(message)


@pytest.mark.parametrize(
    ('encoding', 'row_bytes', 'text'),
    [
        ('yuv422', 14, r"^image 7x6 'yuv422': yuv422 needs an even width$"),
        ('yuyv', 14, r"^image 7x6 'yuyv': yuyv needs an even width$"),
        ('nv12', 7, r"^image 7x6 'nv12': nv12 needs even sides$"),
    ],
)
def test_odd_sides_of_halved_chroma(
    image_message: Make, encoding: str, row_bytes: int, text: str
) -> None:
    message = image_message(encoding, np.zeros((9, row_bytes), np.uint8), 7, height=6)
    with pytest.raises(BadImageError, match=text):
        to_rgb(message)
