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
"""In which floats the processor is fastest."""

import platform
from pathlib import Path
from typing import Any

import torch

from spssn_ros.inference.config import Precision

_CPUINFO = Path('/proc/cpuinfo')


def cpu_precision() -> Precision:
    """Return the fastest floats of the CPU."""
    return Precision.BFLOAT16 if cpu_prefers_bfloat16() else Precision.FLOAT32


def cpu_prefers_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 faster than float32.

    It does with matrix units (AMX), on ARM, and on AMD with AVX-512. Intel's AVX-512 instruction
    for it has half the rate of float32's: a large product on a Xeon whose AMX is off, as many
    virtual machines have it, ran at 149 instead of 304 GFLOP/s.
    """
    found = _capabilities()
    always = found.get('amx_bf16') or found.get('bf16')
    return bool(always or (found.get('avx512_bf16') and not _is_intel()))


def cpu_prefers_integers() -> bool:
    """Whether the CPU is clearly faster with a graph of 8-bit integers than with its floats.

    On x86 without matrix units (docs/speed.md: 1.3 to 2 times). With them (AMX) bfloat16 is as
    fast; ARM has not been measured.
    """
    return platform.machine() in ('x86_64', 'AMD64') and not _capabilities().get('amx_bf16')


def _capabilities() -> dict[str, Any]:
    get_capabilities = getattr(torch.cpu, 'get_capabilities', None)
    if get_capabilities is not None:
        return dict(get_capabilities())
    return {
        'amx_bf16': torch.cpu._is_amx_tile_supported(),
        'avx512_bf16': torch.cpu._is_avx512_bf16_supported(),
    }


def _is_intel() -> bool:
    try:
        return 'GenuineIntel' in _CPUINFO.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return False
