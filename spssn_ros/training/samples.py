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
"""Reads or renders the samples of a run into memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from spssn_ros.datasets.camvid import find_camvid, read_pair
from spssn_ros.errors import ConfigError
from spssn_ros.synthetic import StreetScene
from spssn_ros.training.augment import Sample
from spssn_ros.training.config import DataSet, TrainConfig

# A street a seed; none of them is the demo's or a test's.
STREET_SEEDS = {'train': range(1000, 1090), 'val': range(2000, 2020)}
_FRAMES_A_STREET = 4
_STREET_SECONDS = 60.0


def read_samples(config: TrainConfig, data: Path | None) -> tuple[list[Sample], list[Sample]]:
    """Return the training and the validation samples of a configuration.

    Each is an (H, W, 3) uint8 RGB image with (H, W) uint8 class ids, 255 void.

    Args:
        config: names the data set and its splits.
        data: its folder; None for synthetic streets, which have none.

    Raises:
        ConfigError: a folder that is needed is not given, or a split that does not exist.
        DatasetError: the folder is not as expected.

    """
    if config.dataset is DataSet.CAMVID and data is None:
        raise ConfigError('dataset is camvid but no folder is given; give --data CAMVID')
    train = [s for split in config.train_splits for s in _read_split(config, data, split)]
    val = list(_read_split(config, data, config.val_split)) if config.val_split else []
    return train, val


def _read_split(config: TrainConfig, data: Path | None, split: str) -> Iterator[Sample]:
    if data is not None and config.dataset is DataSet.CAMVID:
        for sample in tqdm(find_camvid(data, split), desc=f'reading {split}', disable=None):
            yield read_pair(sample)
        return
    if split not in STREET_SEEDS:
        raise ConfigError(f'synthetic streets have no split {split!r}; give train or val')
    for seed in tqdm(STREET_SEEDS[split], desc=f'rendering {split}', disable=None):
        scene = StreetScene(seed, *config.crop)
        for time_s in np.random.default_rng(seed).uniform(0, _STREET_SECONDS, _FRAMES_A_STREET):
            yield scene.render(float(time_s))
