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
"""Which device, backend and precision serve a configuration on this machine."""

import importlib
import importlib.util
from dataclasses import dataclass, replace

import torch

from spssn_ros.errors import ConfigError, DeviceError, one_line
from spssn_ros.inference.backend import Backend
from spssn_ros.inference.config import BackendName, Device, InferenceConfig, Precision
from spssn_ros.inference.cpu_precision import cpu_precision
from spssn_ros.inference.cuda_backend import CudaBackend
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.inference.say_once import say_once
from spssn_ros.inference.torch_backend import TorchBackend
from spssn_ros.models import QuantizedGraph


@dataclass(frozen=True)
class Plan:
    """A configuration with every `auto` resolved on this machine.

    Attributes:
        device: CUDA or CPU.
        backend: torch or OpenVINO.
        precision: of the arithmetic.

    """

    device: Device
    backend: BackendName
    precision: Precision


def plan(config: InferenceConfig) -> Plan:
    """Resolve what is `auto`.

    Raises:
        DeviceError: CUDA or OpenVINO asked for but not usable, or a combination that none has.

    """
    has_cuda = torch.cuda.is_available()
    device, backend, precision = config.device, config.backend, config.precision
    if device is Device.CUDA and not has_cuda:
        raise DeviceError(
            "device is 'cuda' but torch sees no CUDA GPU (check nvidia-smi and that torch is a "
            "CUDA build); give device 'cpu' or 'auto'"
        )
    if precision is Precision.INT8:
        if device is Device.CUDA or backend is BackendName.TORCH:
            raise DeviceError(
                "precision 'int8' runs by OpenVINO on the CPU; leave backend and device to "
                "'auto', or give another precision"
            )
        backend = BackendName.OPENVINO
    if backend is BackendName.OPENVINO:
        lack = _lack_of_openvino()
        if lack is not None:
            raise DeviceError(f"backend is 'openvino' but it {lack.what}; {lack.remedy}")
        if device is Device.CUDA:
            raise DeviceError("backend 'openvino' runs on the CPU; give device 'cpu' or 'auto'")
        device = Device.CPU
    if device is Device.AUTO:
        device = Device.CUDA if has_cuda else Device.CPU
    if backend is BackendName.AUTO:
        # Where a GPU serves, OpenVINO need not even be imported.
        lack = _lack_of_openvino() if device is Device.CPU else None
        if lack is not None:
            say_once(
                f'openvino {lack.what}, so PyTorch runs the network, several times slower; '
                f'{lack.remedy}'
            )
        on_cpu = BackendName.TORCH if lack else BackendName.OPENVINO
        backend = on_cpu if device is Device.CPU else BackendName.TORCH
    if precision is Precision.AUTO:
        precision = Precision.FLOAT16 if device is Device.CUDA else cpu_precision()
    if device is Device.CPU and precision is Precision.FLOAT16:
        raise DeviceError("precision 'float16' needs CUDA; on the CPU give bfloat16 or float32")
    return Plan(device, backend, precision)


@dataclass(frozen=True)
class _Lack:
    what: str
    remedy: str


def _lack_of_openvino() -> _Lack | None:
    """Return why OpenVINO cannot serve here, None if it can."""
    if importlib.util.find_spec('openvino') is None:
        return _Lack('is not installed', 'pip install openvino')
    try:
        _import_openvino()
    except (ImportError, AttributeError) as error:  # what an old version lacks is either
        return _Lack(
            f'cannot be imported ({one_line(error, 300)})',
            'pip install --upgrade --force-reinstall openvino',
        )
    return None


def _import_openvino() -> None:
    """Import all of OpenVINO that serves; that it is there does not say that it loads."""
    importlib.import_module('spssn_ros.inference.openvino_backend')


def create_backend(
    network: FromUint8, config: InferenceConfig, graph: QuantizedGraph | None = None
) -> tuple[Backend, Plan]:
    """Return the backend that runs `network`, on the CPU so far, as configured.

    Args:
        network: in floats.
        config: how to run it.
        graph: the same network in 8-bit integers, for precision int8.

    Raises:
        ConfigError: int8 without a graph.
        DeviceError: as `plan`.
        GpuMemoryError: the network does not fit into the GPU's memory.

    """
    resolved = plan(config)
    if resolved.precision is not Precision.INT8:
        graph = None
    elif graph is None:
        raise ConfigError(
            "precision is 'int8' but the network comes without an 8-bit graph; take weights made "
            'by `spssn quantize`, or give another precision'
        )
    if resolved.backend is BackendName.OPENVINO:
        # OpenVINO need not be installed where PyTorch serves.
        from spssn_ros.inference.openvino_backend import OpenVinoBackend

        backend = OpenVinoBackend(network, resolved.precision, config.cpu_threads, graph)
        return backend, replace(resolved, precision=backend.precision)
    if resolved.device is Device.CUDA:
        return CudaBackend(network, resolved.precision, config.cpu_threads), resolved
    return TorchBackend(network, resolved.precision, config.cpu_threads), resolved
