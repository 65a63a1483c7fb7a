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
"""The machine that numbers come from."""

import importlib.metadata
import os
import platform
from pathlib import Path

import torch


def describe_machine() -> dict[str, object]:
    """Return what speed depends on.

    Keys: cpu, cores (that this process may use), load_1min (average number of busy threads in
    the last minute: near 0 on a quiet machine), gpu (None without), python, torch, openvino
    (None where it is not installed), system.
    """
    try:
        openvino: str | None = importlib.metadata.version('openvino')
    except importlib.metadata.PackageNotFoundError:
        openvino = None
    return {
        'cpu': cpu_model(),
        'cores': len(os.sched_getaffinity(0)),
        'load_1min': round(os.getloadavg()[0], 2),
        'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        'python': platform.python_version(),
        'torch': torch.__version__,
        'openvino': openvino,
        'system': f'{platform.system()} {platform.machine()}',
    }


def cpu_model(cpuinfo: Path = Path('/proc/cpuinfo')) -> str:
    """Return the processor's name; its architecture where the kernel tells no name (Arm)."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding='utf-8', errors='replace').splitlines():
            key, _, value = line.partition(':')
            if key.strip() == 'model name':
                return value.strip()
    return platform.machine()
