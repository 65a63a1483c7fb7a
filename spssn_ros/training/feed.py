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
"""Chooses what makes a recipe's batches: the GPU, a thread or several processes."""

import torch

from spssn_ros.evaluation.distributed import Processes
from spssn_ros.training.batches import Batches, HostBatches, ProcessBatches
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.device_augment import DeviceBatches, fits
from spssn_ros.training.paste import RareObjects
from spssn_ros.training.samples import TrainingData


def make_batches(
    config: TrainConfig, data: TrainingData, device: torch.device, processes: Processes
) -> Batches:
    """Return the batches of one process.

    Args:
        config: resident, workers, paste, and all of the augmentation.
        data: what is trained on.
        device: where the network is.
        processes: those that train together.

    """
    objects = None
    if config.paste:
        objects = RareObjects(data.train, data.label_set, config.paste_classes)
    share = processes.rank, processes.count
    if config.resident and device.type == 'cuda' and fits(data.train, device):
        return DeviceBatches(data.train, config, objects, device, *share)
    batches = HostBatches(data.train, config, objects, *share)
    return batches if config.workers == 1 else ProcessBatches(batches)
