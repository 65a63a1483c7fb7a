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
"""Where training computes, and in which arithmetic."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from spssn_ros.errors import ConfigError, TrainingError
from spssn_ros.inference.config import Precision
from spssn_ros.inference.cpu_precision import cpu_prefers_bfloat16
from spssn_ros.training.config import TrainConfig

_DTYPES = {Precision.BFLOAT16: torch.bfloat16, Precision.FLOAT16: torch.float16}


Outputs = tuple[Tensor, tuple[Tensor, ...]]
Run = Callable[[Tensor], Outputs]


def plain(model: nn.Module) -> Run:
    """Return the network as a function that gives no auxiliary logits."""
    return lambda x: (model(x), ())


class Arithmetic:
    """Runs a network forward on a device, in a precision.

    Args:
        device: CUDA or CPU.
        precision: `auto` is bfloat16 where the device has instructions for it, else float32.

    Attributes:
        device: as given.
        precision: never `auto`.

    Raises:
        ConfigError: float16 on the CPU.

    """

    def __init__(self, device: torch.device, precision: Precision) -> None:
        if precision is Precision.AUTO:
            native = _gpu_has_bfloat16 if device.type == 'cuda' else cpu_prefers_bfloat16
            precision = Precision.BFLOAT16 if native() else Precision.FLOAT32
        if precision is Precision.FLOAT16 and device.type == 'cpu':
            raise ConfigError(
                "precision 'float16' needs CUDA; give bfloat16, float32 or auto to train on the "
                'CPU'
            )
        self.device, self.precision = device, precision

    def scaler(self) -> torch.amp.GradScaler:
        """Return the loss scaling of float16; with the others it leaves everything as it is."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision is Precision.FLOAT16)

    def forward(self, network: Run, images: Tensor) -> Outputs:
        """Run a network on (N, H, W, 3) uint8 images, normalised as `Normalisation()` says.

        Returns:
            float32 logits (N, C, H/stride, W/stride), and those of the auxiliary heads.

        """
        x = images.to(self.device).permute(0, 3, 1, 2).float().div_(255)
        x = (x - 0.5) / 0.5
        with self.autocast():
            logits, extra = network(x)
            return logits.float(), tuple(head.float() for head in extra)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return a context in which PyTorch computes in the precision."""
        if self.precision is Precision.FLOAT32:
            return contextlib.nullcontext()
        # Every weight is used once; a CUDA graph must not find what was cast before it.
        return torch.autocast(self.device.type, _DTYPES[self.precision], cache_enabled=False)


@contextlib.contextmanager
def enough_memory(config: TrainConfig) -> Iterator[None]:
    """Say what to lower when a GPU's memory is out."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            f'out of GPU memory at batch_size {config.batch_size} and crop '
            f'{config.crop[0]}x{config.crop[1]}; lower batch_size or crop, or set resident to '
            'false, which leaves the images in main memory'
        ) from error


def _gpu_has_bfloat16() -> bool:
    # By default PyTorch says yes to GPUs older than Ampere too, which only emulate it, slowly.
    return torch.cuda.is_bf16_supported(including_emulation=False)
