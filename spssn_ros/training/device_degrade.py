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
"""Degradations of `spssn_ros.imaging.degradation` as tensor operations, for pictures on a GPU."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spssn_ros.imaging.degradation import (
    Damage,
    Degradation,
    motion_kernel,
    sensor_noise,
    tone_table,
)

# Quantisation tables of the JPEG standard (ITU-T T.81, annex K.1), luminance and chrominance.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# JFIF's RGB to YCbCr; 128 is added to the latter two.
_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


def degrade_tensor(image: Tensor, damage: Damage) -> Tensor:
    """Return (3, H, W) float RGB in 0..255, degraded as `degrade` does it to an array.

    Equal up to rounding, but for noise (the same distribution, other numbers) and JPEG (what the
    standard says, without an encoder's short cuts).
    """
    amount, unit = damage.amount, image.shape[-1] / 480
    if damage.kind is Degradation.BLUR:
        reach = math.ceil(3 * amount * unit)
        positions = torch.arange(-reach, reach + 1, device=image.device)
        line = torch.exp(-0.5 * (positions / (amount * unit)) ** 2)
        line = line / line.sum()
        return _convolve(_convolve(image, line[:, None]), line[None])
    if damage.kind is Degradation.MOTION_BLUR:
        kernel = torch.from_numpy(motion_kernel(amount * unit, damage.angle))
        return _convolve(image, kernel.to(image.device))
    if damage.kind is Degradation.NOISE:
        return _add_noise(image, amount, damage.seed)
    if damage.kind in (Degradation.DARK, Degradation.OVEREXPOSED):
        table = torch.from_numpy(tone_table(damage).astype(np.float32)).to(image.device)
        toned = table[image.round().long()]
        if damage.kind is Degradation.OVEREXPOSED:
            return toned
        return _add_noise(toned, sensor_noise(amount), damage.seed)
    if damage.kind is Degradation.JPEG:
        return compress_jpeg(image, round(amount))
    height, width = image.shape[-2:]
    rows, columns = (
        _averaging(side, max(1, round(side / amount)), image) for side in (height, width)
    )
    reduced = (rows @ image @ columns.T).round()
    return functional.interpolate(reduced[None], (height, width), mode='bilinear')[0]


def compress_jpeg(image: Tensor, quality: int) -> Tensor:
    """Return (3, H, W) float RGB in 0..255 as baseline JPEG with half chrominance keeps it."""
    height, width = image.shape[-2:]
    convert = image.new_tensor(_YCBCR)
    # Whole blocks of the halved chrominance, and so of everything.
    padding = (0, -width % 16, 0, -height % 16)
    padded = functional.pad(image[None], padding, mode='replicate')[0]
    planes = torch.einsum('ij,jhw->ihw', convert, padded)
    luminance = _quantise(planes[:1] - 128, _LUMINANCE, quality) + 128
    halved = functional.avg_pool2d(planes[1:], 2)
    chrominance = _quantise(halved, _CHROMINANCE, quality)
    full = functional.interpolate(chrominance[None], scale_factor=2, mode='bilinear')[0]
    rgb = torch.einsum('ij,jhw->ihw', convert.inverse(), torch.cat([luminance, full]))
    return rgb[:, :height, :width].clamp(0, 255)


def _quantise(planes: Tensor, table: tuple[tuple[int, ...], ...], quality: int) -> Tensor:
    """Round the cosine transform's coefficients of every 8x8 block, (C, H, W)."""
    # The Independent JPEG Group's scaling, which quality means everywhere.
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = ((planes.new_tensor(table) * percent + 50) / 100).floor().clamp(1, 255)
    n = torch.arange(8, device=planes.device)
    dct = torch.cos((2 * n[None] + 1) * n[:, None] * math.pi / 16) / 2
    dct[0] /= math.sqrt(2)
    blocks = planes.unfold(1, 8, 8).unfold(2, 8, 8)
    kept = ((dct @ blocks @ dct.T) / steps).round() * steps
    restored = dct.T @ kept @ dct
    return restored.transpose(2, 3).reshape(planes.shape)


def _averaging(length: int, parts: int, like: Tensor) -> Tensor:
    """Return the (parts, length) matrix that averages over equal parts of a line of pixels.

    A pixel on a border counts in both parts for what each has of it, unlike in `mode='area'`.
    """
    borders = torch.arange(parts + 1, device=like.device)[:, None] * (length / parts)
    pixels = torch.arange(length, device=like.device)
    inside = torch.minimum(borders[1:], pixels + 1) - torch.maximum(borders[:-1], pixels)
    return (inside.clamp(min=0) * (parts / length)).to(like)


def _convolve(image: Tensor, kernel: Tensor) -> Tensor:
    rows, columns = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = functional.pad(image[:, None], (columns, columns, rows, rows), mode='reflect')
    return functional.conv2d(padded, kernel[None, None].to(image))[:, 0]


def _add_noise(image: Tensor, sigma: float, seed: int) -> Tensor:
    generator = torch.Generator(image.device).manual_seed(seed)
    noise = torch.randn(image.shape, generator=generator, device=image.device)
    return (image + sigma * noise).clamp(0, 255)
