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
"""Batches of augmented samples, made on the CPU ahead of the network."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spssn_ros.training.augment import Sample, augment
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.paste import RareObjects

Batch = tuple[Tensor, Tensor]


class HostBatches:
    """Draws and augments batches on a background thread.

    Args:
        samples: the training images.
        config: the recipe.
        objects: to paste, if any.

    """

    def __init__(
        self, samples: Sequence[Sample], config: TrainConfig, objects: RareObjects | None
    ) -> None:
        self.samples, self.config, self.objects = samples, config, objects

    def __len__(self) -> int:
        """Batches an epoch; the images that do not fill one are left out, others each time."""
        return len(self.samples) // self.config.batch_size

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield images (N, H, W, 3) and labels (N, H, W), both uint8, of one epoch.

        Every sample's chance comes from (seed, epoch, position), so that an epoch can be drawn
        again after a stop.
        """
        config = self.config
        order = np.random.default_rng([config.seed, epoch]).permutation(len(self.samples))

        def batch(start: int) -> Batch:
            drawn = []
            for i in range(start, start + config.batch_size):
                rng = np.random.default_rng([config.seed, epoch, i])
                drawn.append(self._sample(int(order[i]), rng))
            return _stack([s[0] for s in drawn]), _stack([s[1] for s in drawn])

        starts = [i * config.batch_size for i in range(len(self))]
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(batch, starts[0])
            for start in starts[1:]:
                ready, ahead = ahead, pool.submit(batch, start)
                yield ready.result()
            yield ahead.result()

    def _sample(self, index: int, rng: np.random.Generator) -> Sample:
        sample = self.samples[index]
        if self.objects is not None:
            sample = self.objects.paste(sample, self.config.paste, rng)
        return augment(*sample, self.config, rng)


def _stack(arrays: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
