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

"""`auto` takes bfloat16 only where the processor is faster with it than with float32."""

from pathlib import Path

import pytest
import torch

from spssn_ros.inference import cpu_precision
from spssn_ros.inference.config import Precision

INTEL, AMD = 'vendor_id\t: GenuineIntel\n', 'vendor_id\t: AuthenticAMD\n'


@pytest.mark.parametrize(
    ('capabilities', 'vendor', 'expected'),
    [
        ({'avx2': True}, INTEL, Precision.FLOAT32),
        ({'avx2': True}, AMD, Precision.FLOAT32),
        # A Xeon whose AMX the virtual machine hides: half the rate of float32.
        ({'avx512_bf16': True, 'amx_bf16': False}, INTEL, Precision.FLOAT32),
        ({'avx512_bf16': True, 'amx_bf16': True}, INTEL, Precision.BFLOAT16),
        ({'avx512_bf16': True}, AMD, Precision.BFLOAT16),
        # ARM tells no vendor of x86.
        ({'bf16': True}, 'processor\t: 0\n', Precision.BFLOAT16),
    ],
)
def test_bfloat16_where_it_is_faster(
    capabilities: dict[str, bool],
    vendor: str,
    expected: Precision,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    cpuinfo = tmp_path / 'cpuinfo'
    cpuinfo.write_text(vendor)
    monkeypatch.setattr(cpu_precision, '_CPUINFO', cpuinfo)
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities, raising=False)
    assert cpu_precision.cpu_precision() is expected


@pytest.mark.parametrize(
    ('capabilities', 'machine', 'expected'),
    [
        ({'avx2': True}, 'x86_64', True),
        ({'avx512_bf16': True, 'amx_bf16': False}, 'x86_64', True),
        ({'avx512_bf16': True, 'amx_bf16': True}, 'x86_64', False),
        ({'bf16': True}, 'aarch64', False),
    ],
)
def test_integers_where_they_are_faster(
    capabilities: dict[str, bool], machine: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities, raising=False)
    monkeypatch.setattr(cpu_precision.platform, 'machine', lambda: machine)
    assert cpu_precision.cpu_prefers_integers() is expected


def test_a_torch_that_lists_no_capabilities(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(torch.cpu, 'get_capabilities', raising=False)
    monkeypatch.setattr(cpu_precision, '_CPUINFO', tmp_path / 'none')
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: True)
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: False)
    assert cpu_precision.cpu_precision() is Precision.BFLOAT16
    (tmp_path / 'none').write_text(INTEL)
    assert cpu_precision.cpu_precision() is Precision.FLOAT32
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: True)
    assert cpu_precision.cpu_precision() is Precision.BFLOAT16
