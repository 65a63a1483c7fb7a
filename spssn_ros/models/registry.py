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
"""Networks by name."""

import difflib
import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from spssn_ros.errors import ConfigError
from spssn_ros.models.deeplab import (
    MobileNetV2Basic,
    MobileNetV2DPC,
    ShuffleNetV2Basic,
    ShuffleNetV2DPC,
)
from spssn_ros.models.fast_scnn import FastSCNN
from spssn_ros.models.network import Network
from spssn_ros.models.spssn import SPSSN
from spssn_ros.models.spssn_stream import SPSSNStream

_MODELS: dict[str, Callable[..., Network]] = {
    'spssn': SPSSN,
    'spssn_stream': SPSSNStream,
    'fast_scnn': FastSCNN,
    'shufflenetv2_basic': ShuffleNetV2Basic,
    'shufflenetv2_dpc': ShuffleNetV2DPC,
    'mobilenetv2_basic': MobileNetV2Basic,
    'mobilenetv2_dpc': MobileNetV2DPC,
}

MODEL_NAMES: tuple[str, ...] = tuple(_MODELS)


def create_model(name: str, num_classes: int = 19, **options: Any) -> Network:
    """Return the network `name`, freshly initialised.

    Its attribute `output_stride` relates (N, 3, H, W) float input to
    (N, num_classes, ceil(H/stride), ceil(W/stride)) float logits.

    Args:
        name: one of `MODEL_NAMES`.
        num_classes: number of output channels.
        options: the network's own arguments, such as `chain_length` of SPSSN. Those with
            auxiliary heads take `auxiliary=True`, for training.

    Raises:
        ConfigError: unknown name or option, or an option out of range or of the wrong type.

    """
    if name not in _MODELS:
        near = difflib.get_close_matches(str(name), MODEL_NAMES, n=1)
        hint = f'; did you mean {near[0]!r}?' if near else ''
        raise ConfigError(f'no network {name!r}; there are {", ".join(MODEL_NAMES)}{hint}')
    _, *known = inspect.signature(_MODELS[name]).parameters
    strange = ', '.join(repr(option) for option in options if option not in known)
    if strange:
        raise ConfigError(f'{name} takes no such option: {strange}; it takes {", ".join(known)}')
    try:
        return _MODELS[name](num_classes=num_classes, **options)
    except TypeError as error:
        raise ConfigError(
            f'{name} has an option of the wrong type among {options} ({error})'
        ) from error


def count_parameters(model: nn.Module) -> int:
    """Count parameters as the SPSSN paper does: without those of batch norm (sec. 5.3)."""
    return sum(
        parameter.numel()
        for module in model.modules()
        if not isinstance(module, nn.BatchNorm2d)
        for parameter in module.parameters(recurse=False)
    )
