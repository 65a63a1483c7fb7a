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
"""How the C library keeps memory for images."""

import ctypes
from collections.abc import Mapping

# malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8
_ARENAS = 2
_MIB = 2**20
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have glibc's malloc keep what images took for the next one; False where there is no glibc.

    By default a block of more than 128 KiB, at most 32 MiB, comes fresh from the kernel each time,
    which clears every page of it when it is first touched: for a 6 MB image that costs several
    times what copying it does. Now each arena, which is a heap that threads share, keeps up to
    128 MiB. There are two arenas instead of eight a core: threads come and go with subscribers and
    weights, and with more arenas each new thread would fill another one, so that memory would grow
    for hours. What the user has set by the environment variables of mallopt(3) is overridden.
    """
    return _set_options(
        {
            # The largest that every glibc accepts: half a heap.
            _M_MMAP_THRESHOLD: 32 * _MIB,
            _M_TRIM_THRESHOLD: 128 * _MIB,
            _M_ARENA_MAX: _ARENAS,
        }
    )


def keep_all_freed_memory() -> bool:
    """Have glibc's malloc keep up to 2 GiB of the main thread's; False where there is no glibc.

    For training on the CPU: every step takes and frees activations and logits of 100 MiB and more,
    and what clearing their pages anew costs is a quarter of it. Peak memory grows by a sixth. What
    the user has set by the environment variables of mallopt(3) is overridden.
    """
    return _set_options({_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _MOST})


def give_back_freed_memory() -> None:
    """Give the kernel every free page, also those between blocks in use; nothing without glibc.

    For when a network has gone: what it took would stay, in pieces that images do not fit into.
    Takes milliseconds; the next images' pages come fresh once.
    """
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _set_options(options: Mapping[int, int]) -> bool:
    """Give every option of mallopt(3) its value; return whether all were taken."""
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    # All are tried, also behind one that is refused.
    taken = [mallopt(option, value) for option, value in options.items()]
    return all(taken)
