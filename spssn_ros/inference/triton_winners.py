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
"""Labels and confidence from logits by one kernel of Triton's."""

from torch import Tensor

try:
    import triton  # type: ignore[import-not-found]
    from triton import language as tl
except ImportError:
    # It comes with PyTorch for CUDA on most platforms; elsewhere only the call below fails.
    triton = None

# Pixels of a row to a program, one or two to a thread.
_BLOCK = 256


def write_winners(logits: Tensor, inverse_temperature: Tensor, result: Tensor) -> None:
    """See `device_winners.write_winners`: upsampled in registers, in float32.

    Waits for nothing and takes nothing from the host but sizes, so that a CUDA graph can hold it.
    The first call compiles, which may fail in many ways (no C compiler, a home that cannot be
    written to); no CUDA graph may be captured meanwhile.

    Args:
        logits: (N, C, h, w) float16, bfloat16 or float32, at most 256 classes, any strides.
        inverse_temperature: one float32 above 0, where the logits are.
        result: (1 or 2, N, H, W) uint8, contiguous. Written in place.

    Raises:
        ImportError: Triton is not installed.

    """
    if triton is None:
        raise ImportError('triton is not installed')
    count, classes, low, narrow = logits.shape
    height, width = result.shape[-2:]
    # Rows come first: the other axes of a grid end at 65535.
    _winners_of_row[(count * height, triton.cdiv(width, _BLOCK))](
        logits,
        inverse_temperature,
        result,
        *logits.stride(),
        low,
        narrow,
        height,
        width,
        low / height,
        narrow / width,
        result.stride(0),
        classes=classes,
        with_confidence=len(result) > 1,
        block=_BLOCK,
    )


if triton is not None:
    # Not specialised: sizes are many, and each kind of number would be compiled anew.
    @triton.jit(  # type: ignore[untyped-decorator]
        do_not_specialize=(
            *('stride_n', 'stride_c', 'stride_y', 'stride_x', 'low', 'narrow', 'height', 'width'),
            *('scale_y', 'scale_x', 'stride_plane'),
        )
    )
    def _winners_of_row(  # type: ignore[no-untyped-def]
        logits,
        inverse_temperature,
        result,
        stride_n,
        stride_c,
        stride_y,
        stride_x,
        low,
        narrow,
        height,
        width,
        scale_y,
        scale_x,
        stride_plane,
        classes: tl.constexpr,
        with_confidence: tl.constexpr,
        block: tl.constexpr,
    ):
        row = tl.program_id(0).to(tl.int64)
        n, y = row // height, row % height
        x = tl.program_id(1) * block + tl.arange(0, block)

        # Half-pixel centres, and the border repeated.
        at_y = tl.minimum(tl.maximum((y.to(tl.float32) + 0.5) * scale_y - 0.5, 0.0), low - 1.0)
        at_x = tl.minimum(tl.maximum((x.to(tl.float32) + 0.5) * scale_x - 0.5, 0.0), narrow - 1.0)
        above, left = at_y.to(tl.int32), at_x.to(tl.int32)
        below, right = tl.minimum(above + 1, low - 1), tl.minimum(left + 1, narrow - 1)
        down, along = at_y - above.to(tl.float32), at_x - left.to(tl.float32)

        upper = logits + n * stride_n + above * stride_y
        lower = logits + n * stride_n + below * stride_y
        left, right = left * stride_x, right * stride_x
        sharpness = tl.load(inverse_temperature)
        best = tl.full((block,), float('-inf'), tl.float32)
        # Sum over the classes of exp(score - best): its inverse is the winner's probability.
        total = tl.full((block,), 0.0, tl.float32)
        winner = tl.full((block,), 0, tl.int32)
        for c in range(classes):
            # Columns beyond the width read the last one of the map: no mask is needed.
            upper_left = tl.load(upper + left).to(tl.float32)
            upper_right = tl.load(upper + right).to(tl.float32)
            lower_left = tl.load(lower + left).to(tl.float32)
            lower_right = tl.load(lower + right).to(tl.float32)
            first = upper_left + (lower_left - upper_left) * down
            second = upper_right + (lower_right - upper_right) * down
            score = first + (second - first) * along
            # Of equal ones the first wins, as in argmax.
            wins = score > best
            if with_confidence:
                # The greater of the two counts 1, so that no exponential overflows.
                part = tl.exp(-tl.abs(score - best) * sharpness)
                total = tl.where(wins, total * part + 1.0, total + part)
            best = tl.where(wins, score, best)
            winner = tl.where(wins, c, winner)
            upper += stride_c
            lower += stride_c

        target = result + row * width + x
        tl.store(target, winner.to(tl.uint8), mask=x < width)
        if with_confidence:
            confidence = (255.0 / total + 0.5).to(tl.int32).to(tl.uint8)
            tl.store(target + stride_plane, confidence, mask=x < width)
