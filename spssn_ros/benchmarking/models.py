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
"""Speed of the networks: by the papers' protocol, and from frame to labels beside it.

The papers' protocol (SPSSN, sec. 5.3) is one image, batch norm merged into the convolutions, the
forward pass alone, 200 iterations: input and output stay where the network has them, as floats.
What a camera needs begins with a uint8 frame in the host's memory and ends with a label for every
pixel there: normalisation, copies, upsampling and argmax count too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch

from spssn_ros.benchmarking.counting import count_gflops
from spssn_ros.benchmarking.published import PUBLISHED, Speed
from spssn_ros.benchmarking.timing import Timing, time_calls
from spssn_ros.errors import ConfigError
from spssn_ros.inference import InferenceConfig, Segmenter
from spssn_ros.inference.config import Device, Size
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.inference.plan import Plan, plan
from spssn_ros.labels import CITYSCAPES
from spssn_ros.models import MODEL_NAMES, Network, Normalisation, WeightsInfo, create_model
from spssn_ros.synthetic import StreetScene

WARM_UP_ITERATIONS = 10


@dataclass(frozen=True)
class ModelsBenchmark:
    """What to measure.

    Attributes:
        sizes: (width, height) of the input images.
        iterations: timed calls a network, size and protocol.
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
        for name in self.models:
            create_model(name)
        self.plan()

    def inference(self) -> InferenceConfig:
        """Return the settings of the engine, whose backend is PyTorch."""
        return InferenceConfig.parse(
            self.device, 'torch', self.precision, 'native', self.cpu_threads
        )

    def plan(self) -> Plan:
        """Return the device and precision that are meant on this machine."""
        return plan(self.inference())


@dataclass(frozen=True)
class ModelResult:
    """One network at one size.

    Attributes:
        model: its name.
        size: (width, height).
        gflops: of one forward pass, 1e9; a multiplication and an addition are two.
        forward: the forward pass alone, as the papers measure.
        end_to_end: from a uint8 frame to uint8 labels of its size, both in the host's memory.
        published: speeds of the forward pass from the papers, on their hardware.

    """

    model: str
    size: Size
    gflops: float
    forward: Timing
    end_to_end: Timing
    published: tuple[Speed, ...]


def benchmark_models(config: ModelsBenchmark) -> Iterator[ModelResult]:
    """Measure every network at every size, one after another, by eager PyTorch."""
    for name in config.models:
        model = create_model(name)
        info = WeightsInfo(name, {}, CITYSCAPES, Normalisation(), config.sizes[0])
        segmenter = Segmenter(model, info, config.inference())
        for size in config.sizes:
            yield ModelResult(
                name,
                size,
                count_gflops(model, size),
                _time_forward(model, size, config),
                _time_segmenter(segmenter, size, config.iterations),
                PUBLISHED[name].speeds_at(size),
            )


@torch.inference_mode()
def _time_forward(model: Network, size: Size, config: ModelsBenchmark) -> Timing:
    resolved = config.plan()
    on_cuda = resolved.device is Device.CUDA
    dtype: torch.dtype = getattr(torch, resolved.precision.value)
    width, height = size
    network = fold_batch_norm(model).to(resolved.device.value, dtype)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(1, 3, height, width)
    image = image.to(resolved.device.value, dtype, memory_format=torch.channels_last)
    # cuDNN tries its algorithms during the warm-up and keeps the fastest.
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        time_calls(partial(network, image), WARM_UP_ITERATIONS, on_cuda)
        return Timing.of(time_calls(partial(network, image), config.iterations, on_cuda))


def _time_segmenter(segmenter: Segmenter, size: Size, iterations: int) -> Timing:
    frame = StreetScene(0, *size).render(0.0)[0]
    # The labels are in the host's memory when a call returns, on CUDA too.
    time_calls(partial(segmenter, frame), WARM_UP_ITERATIONS, on_cuda=False)
    return Timing.of(time_calls(partial(segmenter, frame), iterations, on_cuda=False))
