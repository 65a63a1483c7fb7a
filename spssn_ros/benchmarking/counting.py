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
"""Parameters and operations of the networks."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from spssn_ros.benchmarking.published import COUNTED_AT, PUBLISHED, Published
from spssn_ros.inference.config import Size
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.models import count_parameters, create_model


@dataclass(frozen=True)
class ModelCount:
    """One network, 19 classes.

    Attributes:
        model: its name.
        parameters: without those of batch norm, as the SPSSN paper counts.
        parameters_with_batch_norm: all.
        size_mb: of all parameters in float32, 1e6 bytes.
        gflops: of one forward pass at `COUNTED_AT`, 1e9.
        published: what the papers say.

    """

    model: str
    parameters: int
    parameters_with_batch_norm: int
    size_mb: float
    gflops: float
    published: Published


def count_model(name: str) -> ModelCount:
    """Count a network of `create_model`."""
    model = create_model(name)
    total = sum(parameter.numel() for parameter in model.parameters())
    return ModelCount(
        name,
        count_parameters(model),
        total,
        round(4e-6 * total, 2),
        count_gflops(model, COUNTED_AT),
        PUBLISHED[name],
    )


def count_gflops(model: nn.Module, size: Size) -> float:
    """Return the 1e9 operations of a forward pass at (width, height), batch norm merged."""
    return round(count_flops(fold_batch_norm(model), size) / 1e9, 3)


def count_flops(model: nn.Module, size: Size) -> int:
    """Return the floating-point operations of a forward pass at (width, height).

    Those of convolutions and matrix products, by torch's counter; a multiplication and an
    addition are two.
    """
    # On the meta device only shapes are computed.
    image = torch.zeros(1, 3, size[1], size[0], device='meta')
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        copy.deepcopy(model).to('meta').eval()(image)
    return int(counter.get_total_flops())
