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
"""How frequent the classes are, and how much the loss makes of each."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spssn_ros.training.augment import Sample
from spssn_ros.training.config import ClassWeights, TrainConfig
from spssn_ros.training.samples import TrainingData


def class_shares(samples: Sequence[Sample], classes: int) -> NDArray[np.float64]:
    """Return each class's share of the labelled pixels, (classes,) in [0, 1]."""
    counts = np.zeros(256, np.int64)
    for _, labels in samples:
        counts += np.bincount(labels.reshape(-1), minlength=256)
    return counts[:classes] / max(1, counts[:classes].sum())


def class_weights(config: TrainConfig, data: TrainingData) -> tuple[Tensor, str]:
    """Return the weights, (classes,) float32, see `ClassWeights`, and a sentence on what is amiss.

    The sentence names the classes that do not occur, where frequencies count; '' for none.
    """
    n = len(data.label_set)
    if config.class_weights is ClassWeights.NONE:
        return torch.ones(n), ''
    shares = class_shares(data.train, n)
    weights = (1 / np.log(1.02 + shares)) ** config.class_weight_power
    missing = [name for name, share in zip(data.label_set.names, shares, strict=True) if not share]
    note = ''
    if missing:
        # Masks of 0 and 255 are usual elsewhere.
        note = (
            f'note: no image to train on has a pixel of {", ".join(missing)} (in label images, '
            '255 is void)'
        )
    return torch.from_numpy(weights).float(), note
