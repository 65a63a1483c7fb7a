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
"""The optimiser of a recipe."""

import torch
from torch import Tensor, nn

from spssn_ros.training.config import Optimizer, TrainConfig


def make_optimizer(
    model: nn.Module, config: TrainConfig, repeated: bool = False
) -> torch.optim.Optimizer:
    """Return SGD with momentum 0.9, or AdamW.

    Biases and batch norm do not decay; depthwise convolutions unless `decay_depthwise`.
    `repeated`: all that its steps depend on lies on the GPU, where a CUDA graph finds it.
    """
    plain = {id(p) for p in model.parameters() if p.ndim <= 1}
    if not config.decay_depthwise:
        plain |= {
            id(module.weight)
            for module in model.modules()
            if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
        }
    parameters = list(model.parameters())
    groups = [
        {
            'params': [p for p in parameters if id(p) not in plain],
            'weight_decay': config.weight_decay,
        },
        {'params': [p for p in parameters if id(p) in plain], 'weight_decay': 0.0},
    ]
    rate: float | Tensor = config.learning_rate
    if repeated:
        rate = torch.tensor(rate, device=parameters[0].device)
    if config.optimizer is Optimizer.SGD:
        return torch.optim.SGD(groups, rate, momentum=0.9, fused=repeated)
    return torch.optim.AdamW(groups, rate, fused=repeated, capturable=repeated)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group, in place where it lies on a GPU."""
    for group in optimizer.param_groups:
        if isinstance(group['lr'], Tensor):
            group['lr'].fill_(rate)
        else:
            group['lr'] = rate
