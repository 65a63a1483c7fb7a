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
"""5x5 max pooling by kernels of Triton's.

PyTorch's own kernel for channels-last maps took half of SPSSN's time on an H100.
"""

import torch
from torch import Tensor

try:
    import triton  # type: ignore[import-not-found]
    from triton import language as tl
except ImportError:
    # It comes with PyTorch for CUDA on most platforms; elsewhere only the calls below fail.
    triton = None

# Pixels of a row, and channels, to a program.
_PIXELS, _CHANNELS = 8, 64


class TritonMaxPool5(torch.autograd.Function):
    """`max_pool2d(x, 5, stride=1, padding=2)`: (N, C, H, W) -> the same, channels last.

    float16, bfloat16 or float32. Raises ImportError where Triton is not installed.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        """Pool; of equal values the first in reading order gets the gradient, as in PyTorch."""
        x = x.contiguous(memory_format=torch.channels_last)
        pooled = torch.empty_like(x)
        trains = ctx.needs_input_grad[0]  # type: ignore[attr-defined]
        places = torch.empty_like(x, dtype=torch.uint8) if trains else x
        _launch(_pool, x, x, pooled, places, trains)
        if trains:
            ctx.save_for_backward(places)
        return pooled

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:  # type: ignore[override]
        """Give every pixel the gradients of the windows that it was the maximum of."""
        (places,) = ctx.saved_tensors  # type: ignore[attr-defined]
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        result = torch.empty_like(gradient)
        _launch(_unpool, gradient, gradient, places, result)
        return result


def _launch(kernel: object, like: Tensor, *arguments: object) -> None:
    if triton is None:
        raise ImportError('triton is not installed')
    count, channels, height, width = like.shape
    grid = (count * height, triton.cdiv(width, _PIXELS), triton.cdiv(channels, _CHANNELS))
    kernel[grid](*arguments, height, width, channels, pixels=_PIXELS, block=_CHANNELS)  # type: ignore[index]


if triton is not None:

    @triton.jit(do_not_specialize=('height', 'width'))  # type: ignore[untyped-decorator]
    def _pool(  # type: ignore[no-untyped-def]
        x_pointer,
        pooled,
        places,
        with_places: tl.constexpr,
        height,
        width,
        channels,
        pixels: tl.constexpr,
        block: tl.constexpr,
    ):
        row = tl.program_id(0).to(tl.int64)
        y = (row % height).to(tl.int32)
        x = (tl.program_id(1) * pixels + tl.arange(0, pixels))[:, None]
        c = (tl.program_id(2) * block + tl.arange(0, block))[None, :]
        own = (row * width + x) * channels + c
        best = tl.full((pixels, block), float('-inf'), tl.float32)
        place = tl.full((pixels, block), 0, tl.int32)
        for i in tl.static_range(25):
            dy, dx = i // 5 - 2, i % 5 - 2
            inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
            at = own + (dy * width + dx) * channels
            value = tl.load(x_pointer + at, inside & (c < channels), float('-inf')).to(tl.float32)
            # What is no number wins, so that it is not hidden.
            wins = (value > best) | (value != value)
            best = tl.where(wins, value, best)
            if with_places:
                place = tl.where(wins, i, place)
        written = (x < width) & (c < channels)
        tl.store(pooled + own, best.to(pooled.dtype.element_ty), written)
        if with_places:
            tl.store(places + own, place.to(tl.uint8), written)

    @triton.jit(do_not_specialize=('height', 'width'))  # type: ignore[untyped-decorator]
    def _unpool(  # type: ignore[no-untyped-def]
        gradient,
        places,
        result,
        height,
        width,
        channels,
        pixels: tl.constexpr,
        block: tl.constexpr,
    ):
        row = tl.program_id(0).to(tl.int64)
        y = (row % height).to(tl.int32)
        x = (tl.program_id(1) * pixels + tl.arange(0, pixels))[:, None]
        c = (tl.program_id(2) * block + tl.arange(0, block))[None, :]
        own = (row * width + x) * channels + c
        total = tl.full((pixels, block), 0.0, tl.float32)
        for i in tl.static_range(25):
            # The window whose place i this pixel is.
            dy, dx = 2 - i // 5, 2 - i % 5
            inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
            at = own + (dy * width + dx) * channels
            inside = inside & (c < channels)
            chosen = inside & (tl.load(places + at, inside, 255) == i)
            total += tl.load(gradient + at, chosen, 0.0).to(tl.float32)
        written = (x < width) & (c < channels)
        tl.store(result + own, total.to(result.dtype.element_ty), written)
