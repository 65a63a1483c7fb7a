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

import torch

from spssn_ros.inference.config import Precision


def cpu_precision() -> Precision:
    """Return the fastest floats of the CPU."""
    return Precision.BFLOAT16 if cpu_has_bfloat16() else Precision.FLOAT32


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    get_capabilities = getattr(torch.cpu, 'get_capabilities', None)
    if get_capabilities is not None:
        found = get_capabilities()
        return bool(found.get('avx512_bf16') or found.get('amx_bf16') or found.get('bf16'))
    return bool(torch.cpu._is_avx512_bf16_supported())
