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
"""Upsampling and argmax in one pass over the cells of the logits' grid.

A cell lies between four neighbouring logits. Bilinear interpolation is a convex combination of
them: a class that wins at all four corners wins at every pixel of the cell, and one whose greatest
corner is below another's least corner wins at none. What is left, the cells on borders between
classes and the few classes that meet there, is all that needs arithmetic.
"""

import contextlib
import functools
import itertools
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from spssn_ros.inference.cell_loops import label_rows
from spssn_ros.inference.config import Size

# Finer than one part a thread: borders between classes are not spread evenly.
_PARTS_PER_THREAD = 4
# Handing a part to a thread costs as much as labelling this many pixels, or an eighth as many with
# confidence.
_PIXELS_PER_PART = 1 << 17
# Classes left out of a probability's sum change it by less than e**-7, a quarter of a step of
# 1 / 255.
_LOGARITHMIC_MARGIN = 7.0


def upsample_cells(
    logits: NDArray[np.float32], size: Size, with_confidence: bool, threads: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return labels, and on demand the winners' softmax probability x 255.

    Args:
        logits: (C, h, w) float32, fastest where its memory has the classes last.
        size: (width, height) of the results, which are (H, W) uint8.
        with_confidence: whether the second result is wanted; None otherwise.
        threads: that share the rows, at least 1.

    """
    grid = np.ascontiguousarray(logits.transpose(1, 2, 0))
    rows, columns, classes = grid.shape
    labels = np.empty(size[::-1], np.uint8)
    confidence = np.empty(labels.shape if with_confidence else (0, 0), np.uint8)
    margin = np.log(classes) + _LOGARITHMIC_MARGIN if with_confidence else 0.0
    shared = (
        *_cells(rows, size[1]),
        *_cells(columns, size[0]),
        np.float32(margin),
        labels,
        confidence,
    )
    parts = _parts(labels.size, rows, with_confidence, threads)
    left = deque(itertools.pairwise(rows * part // parts for part in range(parts + 1)))

    def work() -> None:
        while True:
            try:
                first, last = left.popleft()
            except IndexError:
                return
            label_rows(grid, first, last, *shared)

    helping: list[Future[None]] = []
    # Where Python is ending, in the middle of a frame, no other thread takes work any more.
    with contextlib.suppress(RuntimeError):
        for _ in range(min(threads, parts) - 1):
            helping.append(_pool(threads - 1).submit(work))
    # This thread works too: it is on a core already, where a further one would have to be woken.
    work()
    for helper in helping:
        helper.result()
    return labels, confidence if with_confidence else None


def _parts(pixels: int, rows: int, with_confidence: bool, threads: int) -> int:
    """Return into how many parts the rows are cut."""
    if threads == 1:
        return 1
    worth = pixels * (8 if with_confidence else 1) // _PIXELS_PER_PART
    return max(1, min(worth, rows, _PARTS_PER_THREAD * threads))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, 'upsample')


# A forked process has the pool but not its threads.
os.register_at_fork(after_in_child=_pool.cache_clear)


@functools.lru_cache(16)
def _cells(samples: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return where the cells of one axis start, and how far each pixel is into its cell.

    Half-pixel centres, clamped at the edge, as torch's interpolate(align_corners=False). The last
    cell has but one corner.

    Returns:
        (samples + 1,) first pixel of each cell, and (length,) positions in [0, 1).

    """
    position = np.maximum((np.arange(length) + 0.5) * (samples / length) - 0.5, 0)
    cell = np.minimum(position.astype(np.int64), samples - 1)
    starts = np.searchsorted(cell, np.arange(samples + 1))
    return starts.astype(np.int64), np.minimum(position - cell, 1).astype(np.float32)
