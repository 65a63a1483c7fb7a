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
from torch import nn

from spssn_ros.training.config import Optimizer, TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return SGD with momentum 0.9, or AdamW.

    Biases and batch norm do not decay; depthwise convolutions unless `decay_depthwise`.
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
    if config.optimizer is Optimizer.SGD:
        return torch.optim.SGD(groups, config.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, config.learning_rate)
