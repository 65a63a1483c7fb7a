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
"""Speed of the networks by the papers' protocol.

As in the SPSSN paper (sec. 5.3): one image, batch norm merged into the convolutions, the forward
pass alone, 200 iterations.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from spssn_ros.benchmarking.timing import Timing, time_calls
from spssn_ros.errors import ConfigError
from spssn_ros.inference.config import Device, InferenceConfig, Size
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.inference.plan import Plan, plan
from spssn_ros.models import MODEL_NAMES, count_parameters, create_model

WARM_UP_ITERATIONS = 10


@dataclass(frozen=True)
class ModelsBenchmark:
    """What to measure.

    Attributes:
        sizes: (width, height) of the input images.
        iterations: timed forward passes a network and size.
        device: 'auto', 'cuda' or 'cpu'.
        precision: 'auto', 'float32', 'bfloat16' or 'float16'.
        cpu_threads: of torch on the CPU; 0 leaves them as they are.
        models: names for `create_model`, 19 classes.

    Raises:
        ConfigError: an option that cannot be used.
        DeviceError: no such device here, or it lacks that precision.

    """

    sizes: tuple[Size, ...]
    iterations: int = 200
    device: str = 'auto'
    precision: str = 'float32'
    cpu_threads: int = 0
    models: tuple[str, ...] = MODEL_NAMES

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ConfigError(f'iterations is {self.iterations}; give at least 1')
        self.plan()

    def plan(self) -> Plan:
        """Return the device and precision that are meant on this machine."""
        return plan(
            InferenceConfig.parse(
                self.device, 'torch', self.precision, cpu_threads=self.cpu_threads
            )
        )


@dataclass(frozen=True)
class ModelResult:
    """One network at one size.

    Attributes:
        model: its name.
        size: (width, height).
        parameters: without those of batch norm.
        gflops: of one forward pass, 1e9; a multiplication and an addition are two.
        timing: of the forward pass.

    """

    model: str
    size: Size
    parameters: int
    gflops: float
    timing: Timing


def benchmark_models(config: ModelsBenchmark) -> Iterator[ModelResult]:
    """Measure every network at every size, one after another, by eager PyTorch."""
    resolved = config.plan()
    on_cuda = resolved.device is Device.CUDA
    if config.cpu_threads and not on_cuda:
        torch.set_num_threads(config.cpu_threads)
    dtype: torch.dtype = getattr(torch, resolved.precision.value)
    for name in config.models:
        model = create_model(name)
        parameters = count_parameters(model)
        folded = fold_batch_norm(model)
        network = copy.deepcopy(folded).to(resolved.device.value, dtype)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for size in config.sizes:
            yield ModelResult(
                name,
                size,
                parameters,
                round(count_flops(folded, size) / 1e9, 3),
                _time_forward(network, size, dtype, config.iterations, on_cuda),
            )


def count_flops(model: nn.Module, size: Size) -> int:
    """Return the floating-point operations of a forward pass at (width, height).

    Those of convolutions and matrix products; a multiplication and an addition are two.
    """
    # On the meta device only shapes are computed.
    image = torch.zeros(1, 3, size[1], size[0], device='meta')
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        copy.deepcopy(model).to('meta').eval()(image)
    return int(counter.get_total_flops())


@torch.inference_mode()
def _time_forward(
    network: nn.Module, size: Size, dtype: torch.dtype, iterations: int, on_cuda: bool
) -> Timing:
    width, height = size
    image = torch.rand(1, 3, height, width)
    image = image.to('cuda' if on_cuda else 'cpu', dtype, memory_format=torch.channels_last)
    # cuDNN tries its algorithms during the warm-up and keeps the fastest.
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        time_calls(lambda: network(image), WARM_UP_ITERATIONS, on_cuda)
        return Timing.of(time_calls(lambda: network(image), iterations, on_cuda))
