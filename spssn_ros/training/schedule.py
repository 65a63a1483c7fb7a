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
"""The learning rate's course over a run, and the running average of the weights."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar('M', bound=nn.Module)
_Tensors = tuple[list[Tensor], list[Tensor]]


def poly_factor(iteration: int, total: int, warmup: int, power: float) -> float:
    """Return the factor of the base learning rate at `iteration` (0-based) of `total`.

    Linear warm-up over the first `warmup` iterations, times (1 - iteration / total) ** power
    (the SPSSN paper's poly policy, sec. 5.2, per iteration).
    """
    rise = min(1.0, (iteration + 1) / warmup) if warmup > 0 else 1.0
    return rise * (1 - iteration / total) ** power


class WeightAverage(Generic[M]):
    """Exponential moving average of a network's parameters and batch-norm statistics.

    Early on the decay is smaller, (1 + n) / (10 + n), so that the start is forgotten.
    """

    def __init__(self, model: M, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._pairs: tuple[_Tensors, _Tensors] | None = None
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards `model`'s present state."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        if self._pairs is None:
            self._pairs = _tensors(self.model), _tensors(model)
        (averages, counts), (values, new_counts) = self._pairs
        # All tensors at once: on a GPU there is a launch for each otherwise.
        torch._foreach_lerp_(averages, values, 1 - decay)
        torch._foreach_copy_(counts, new_counts)


def _tensors(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Return a network's floats and its integers."""
    tensors = model.state_dict().values()
    return (
        [tensor for tensor in tensors if tensor.dtype.is_floating_point],
        [tensor for tensor in tensors if not tensor.dtype.is_floating_point],
    )
