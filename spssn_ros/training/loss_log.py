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
"""The losses of an epoch."""

import math

import torch
from torch import Tensor

from spssn_ros.errors import TrainingError
from spssn_ros.training.config import TrainConfig

# Reading a loss waits for the device, which then has nothing to do.
_READ_EVERY = 25


class LossLog:
    """Collects an epoch's losses and looks at them: each at once on the CPU, some later on CUDA.

    Args:
        config: of the run; named where a loss is no number.
        epoch: number of epochs before this one.

    """

    def __init__(self, config: TrainConfig, epoch: int) -> None:
        self._config, self._epoch = config, epoch
        self._values: list[float] = []
        self._places: list[int] = []
        self._unread: list[Tensor] = []

    def add(self, loss: Tensor, iteration: int) -> None:
        """Take the loss of an iteration, counted from 0.

        Raises:
            TrainingError: a loss is no number.

        """
        self._places.append(iteration)
        self._unread.append(loss)
        if loss.device.type == 'cpu' or len(self._unread) == _READ_EVERY:
            self._read()

    def last(self) -> str:
        """Return the last loss that was looked at, as text, or ''."""
        return f'{self._values[-1]:.3f}' if self._values else ''

    def mean(self) -> float:
        """Return the mean loss; NaN without any.

        Raises:
            TrainingError: as `add`.

        """
        self._read()
        return sum(self._values) / len(self._values) if self._values else math.nan

    def _read(self) -> None:
        if not self._unread:
            return
        first = len(self._values)
        self._values += torch.stack(self._unread).tolist()
        self._unread = []
        for place, value in zip(self._places[first:], self._values[first:], strict=True):
            if not math.isfinite(value):
                config = self._config
                raise TrainingError(
                    f'the loss is {value} at iteration {place + 1} of epoch {self._epoch + 1}; '
                    f'lower learning_rate ({config.learning_rate:g}) or raise '
                    f'warmup_iterations ({config.warmup_iterations})'
                )
