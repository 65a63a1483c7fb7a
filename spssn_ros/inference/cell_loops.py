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
"""The loops of `upsample_cells`, compiled by numba."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from spssn_ros.inference.loop_cache import keep

_SIXTEENTH = np.float32(1 / 16)


def _compiled(function: Callable[..., Any]) -> Any:
    """Have numba compile a function at its first call, or find what an earlier process did."""
    jit = numba.njit(nogil=True, error_model='numpy', fastmath={'contract', 'nsz'})
    return keep(jit(function))


# From here on the code is for the compiler: loops over plain numbers, innermost over the pixels
# of a cell, where the processor works on several at a time. Views of arrays would be counted
# references, for which the threads would wait for one another.


@_compiled
def label_rows(  # type: ignore[no-untyped-def]
    grid, first, last, starts_y, way_y, starts_x, way_x, margin, labels, confidence
):
    """Write the labels, and the confidence unless it is empty, of cell rows [first, last).

    Args:
        grid: (h, w, C) float32.
        first: row of the grid.
        last: row of the grid.
        starts_y: (h + 1,) int64, of `_cells`.
        way_y: (H,) float32, of `_cells`.
        starts_x: (w + 1,) int64.
        way_x: (W,) float32.
        margin: how far below the winner a class still counts; 0 for labels alone.
        labels: (H, W) uint8, written.
        confidence: (H, W) uint8, written, or empty.

    """
    rows, columns, classes = grid.shape
    with_confidence = confidence.size > 0
    size = _largest(starts_x, 0, columns) * _largest(starts_y, first, last)
    # Of a cell's pixels, row by row.
    right = np.empty(size, np.float32)
    down = np.empty(size, np.float32)
    best = np.empty(size, np.float32)
    total = np.empty(size, np.float32)
    winner = np.empty(size, np.int32)
    # The classes that meet in a cell.
    meeting = np.empty(classes, np.int32)
    # Of all rows that are needed.
    winners = np.empty((last - first + 1, columns), np.int32)
    _find_winners(grid, first, winners)
    for i in range(first, last):
        below = min(i + 1, rows - 1)
        top, bottom = starts_y[i], starts_y[i + 1]
        j = 0
        while j < columns:
            if not with_confidence:
                # Cells in a row in which one class wins everywhere are written at once.
                stop = _uniform_until(winners, i - first, j)
                if stop > j:
                    label = winners[i - first, j]
                    for y in range(top, bottom):
                        for x in range(starts_x[j], starts_x[stop]):
                            labels[y, x] = label
                    j = stop
                    continue
            after = min(j + 1, columns - 1)
            start, end = starts_x[j], starts_x[j + 1]
            number = _find_meeting(grid, i, below, j, after, margin, meeting)
            if number == 1:
                for y in range(top, bottom):
                    for x in range(start, end):
                        labels[y, x] = meeting[0]
                        if with_confidence:
                            confidence[y, x] = 255
                j += 1
                continue
            count = 0
            for y in range(top, bottom):
                for x in range(start, end):
                    right[count] = way_x[x]
                    down[count] = way_y[y]
                    count += 1
            for m in range(number):
                k = meeting[m]
                a, p, q, r = _bilinear(grid, i, below, j, after, k)
                if m == 0:
                    for n in range(count):
                        best[n] = _value(a, p, q, r, right[n], down[n])
                        winner[n] = k
                else:
                    _keep_greater(k, a, p, q, r, right, down, best, winner, count)
            n = 0
            for y in range(top, bottom):
                for x in range(start, end):
                    labels[y, x] = winner[n]
                    n += 1
            if with_confidence:
                for n in range(count):
                    total[n] = 0
                for m in range(number):
                    a, p, q, r = _bilinear(grid, i, below, j, after, meeting[m])
                    _add_odds(a, p, q, r, right, down, best, total, count)
                for n in range(count):
                    winner[n] = np.int32(np.float32(255) / total[n] + np.float32(0.5))
                n = 0
                for y in range(top, bottom):
                    for x in range(start, end):
                        confidence[y, x] = winner[n]
                        n += 1
            j += 1


@_compiled
def _largest(starts, first, last):  # type: ignore[no-untyped-def]
    """Return the length of the longest cell of [first, last)."""
    found = 0
    for i in range(first, last):
        found = max(found, starts[i + 1] - starts[i])
    return found


@_compiled
def _find_winners(grid, first, winners):  # type: ignore[no-untyped-def]
    """Write the winning class at the corners of rows from `first` on; the last row repeats."""
    for i in range(winners.shape[0]):
        row = min(first + i, grid.shape[0] - 1)
        for j in range(grid.shape[1]):
            greatest = grid[row, j, 0]
            found = 0
            for k in range(1, grid.shape[2]):
                if grid[row, j, k] > greatest:
                    greatest = grid[row, j, k]
                    found = k
            winners[i, j] = found


@_compiled
def _uniform_until(winners, i, j):  # type: ignore[no-untyped-def]
    """Return the first cell of row `i`, from `j` on, in which the class at (i, j) can lose."""
    label = winners[i, j]
    columns = winners.shape[1]
    # A cell's right corners are the next one's left ones, which the next step compares.
    while j < columns and winners[i, j] == label and winners[i + 1, j] == label:
        j += 1
    return j if j == columns else j - 1


@_compiled
def _find_meeting(grid, i, below, j, after, margin, meeting):  # type: ignore[no-untyped-def]
    """Write the classes that can come within `margin` of winning in a cell; return how many."""
    least = np.float32(-np.inf)
    for k in range(grid.shape[2]):
        upper = min(grid[i, j, k], grid[i, after, k])
        least = max(least, min(upper, min(grid[below, j, k], grid[below, after, k])))
    number = 0
    for k in range(grid.shape[2]):
        upper = max(grid[i, j, k], grid[i, after, k])
        if max(upper, max(grid[below, j, k], grid[below, after, k])) >= least - margin:
            meeting[number] = k
            number += 1
    return number


@_compiled
def _bilinear(grid, i, below, j, after, k):  # type: ignore[no-untyped-def]
    """Return a, p, q, r of a sixteenth of class `k`'s values in a cell; see `_value`."""
    # A power of two rounds nothing, and is what _add_odds needs.
    a, b = grid[i, j, k] * _SIXTEENTH, grid[i, after, k] * _SIXTEENTH
    c, d = grid[below, j, k] * _SIXTEENTH, grid[below, after, k] * _SIXTEENTH
    return a, b - a, c - a, (d - c) - (b - a)


@_compiled
def _value(a, p, q, r, right, down):  # type: ignore[no-untyped-def]
    """Return what `_bilinear` describes at one place in the cell, both ways in [0, 1)."""
    return a + right * p + down * (q + right * r)


# Both loops below interpolate anew: keeping the values between them took 1.5 times as long. They
# touch four arrays each, so few that the compiler can afford to check that these do not overlap,
# without which it works on one pixel at a time.


@_compiled
def _keep_greater(k, a, p, q, r, right, down, best, winner, count):  # type: ignore[no-untyped-def]
    """Let class `k` win where its value is the greatest so far."""
    for n in range(count):
        value = _value(a, p, q, r, right[n], down[n])
        wins = value > best[n]
        winner[n] = k if wins else winner[n]
        best[n] = value if wins else best[n]


@_compiled
def _add_odds(a, p, q, r, right, down, best, total, count):  # type: ignore[no-untyped-def]
    """Add a class's probability relative to the winner's."""
    for n in range(count):
        value = _value(a, p, q, r, right[n], down[n])
        # exp(x) as exp(x / 16) ** 16: unlike a library's, it is several pixels at a time.
        t = max(value - best[n], np.float32(-1))
        e = np.float32(1 / 6) + t * np.float32(1 / 24)
        e = np.float32(1) + t * (np.float32(1) + t * (np.float32(0.5) + t * e))
        e *= e
        e *= e
        e *= e
        total[n] += e * e
