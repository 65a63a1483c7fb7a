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
"""What the processes of one training run, started by torchrun, tell one another."""

from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn

from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.distributed import Processes
from spssn_ros.labels import UNKNOWN
from spssn_ros.models.network import Network
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.losses import whole_part


class Exchange:
    """Adds up gradients, losses and scores over processes; alone, it leaves them as they are.

    Each process has its share of every batch. Their losses are weighted so that the sum of their
    gradients is the gradient of the whole batch's loss: one step is that of a single process but
    for batch-norm statistics and rounding. NCCL carries tensors on CUDA, Gloo those on the CPU.

    Args:
        processes: of this run.
        config: batch_size, sync_batch_norm.
        device: where the network is.

    Raises:
        ConfigError: the batch cannot be shared, or batch norm cannot be synchronised.

    """

    def __init__(self, processes: Processes, config: TrainConfig, device: torch.device) -> None:
        self.processes = processes
        self.alone = processes.count == 1
        share, rest = divmod(config.batch_size, processes.count)
        if rest or share < 2:
            raise ConfigError(
                f'batch_size {config.batch_size} does not give each of {processes.count} '
                f'processes the same 2 or more images; give {2 * processes.count} or another '
                f'multiple of {processes.count}'
            )
        if config.sync_batch_norm and device.type != 'cuda':
            raise ConfigError('sync_batch_norm needs CUDA; set it to false to train on the CPU')
        self._sync = config.sync_batch_norm
        on_cuda = not self.alone and device.type == 'cuda'
        self._group = distributed.new_group(backend='nccl') if on_cuda else None

    def add(self, value: Tensor) -> Tensor:
        """Add every process's tensor to it, in place, and return it; all must call this."""
        if not self.alone:
            distributed.all_reduce(value, group=self._group)
        return value

    def part(self, labels: Tensor, weights: Tensor) -> float | None:
        """Return the weight of this process's mean loss in the mean loss of the whole batch.

        Args:
            labels: (N, H, W) int64, this process's; 255 where nothing is scored.
            weights: (C,) float, of the classes.

        Returns:
            0 to 1: 0 where only this process has no label, None where no process has one.

        """
        if self.alone:
            return whole_part(labels)
        counts = torch.bincount(labels.reshape(-1), minlength=UNKNOWN + 1)[: len(weights)]
        own = (counts * weights.double()).sum()
        whole = float(self.add(own.clone()))
        return float(own) / whole if whole else None

    def synchronised(self, model: Network) -> Network:
        """Return the network with batch norm over all processes, where that is asked for."""
        if self.alone or not self._sync:
            return model
        converted: Network = nn.SyncBatchNorm.convert_sync_batchnorm(model, self._group)
        return converted

    def add_gradients(self, model: nn.Module) -> None:
        """Replace each gradient by the sum of every process's."""
        if self.alone:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in parameters if p.grad is not None]
        # One message for all: a light network's are a few megabytes.
        total = self.add(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        parts = total.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def average_statistics(self, models: Iterable[nn.Module]) -> None:
        """Replace batch-norm statistics by their mean over the processes."""
        if self.alone:
            return
        for model in models:
            for buffer in model.buffers():
                if buffer.dtype.is_floating_point:
                    buffer.copy_(self.add(buffer.clone()) / self.processes.count)

    def merge(self, matrix: ConfusionMatrix) -> ConfusionMatrix:
        """Return the sum of every process's confusion matrix."""
        first, *others = self.processes.gather(matrix)
        for other in others:
            first.merge(other)
        return first
