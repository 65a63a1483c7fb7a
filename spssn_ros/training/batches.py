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
"""Batches of augmented samples: their order and chance, and how the CPU makes them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spssn_ros.training.augment import Sample, augment
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.paste import RareObjects, paste

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Draw:
    """One sample to make: the image's index, and its source of chance."""

    index: int
    rng: np.random.Generator


class Batches(ABC):
    """Draws the batches of an epoch.

    Args:
        samples: the training images.
        config: the recipe.
        objects: to paste, if any.
        rank: which of the processes that train together this is.
        world_size: how many they are; each makes its share of every batch.

    """

    def __init__(
        self,
        samples: Sequence[Sample],
        config: TrainConfig,
        objects: RareObjects | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.samples, self.config, self.objects = samples, config, objects
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        """Batches an epoch; the images that do not fill one are left out, others each time."""
        return len(self.samples) // self.config.batch_size

    @abstractmethod
    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield images (N, H, W, 3) and labels (N, H, W), both uint8, of one epoch."""

    def draws(self, epoch: int) -> Iterator[list[Draw]]:
        """Yield what this process makes of each batch of an epoch.

        Every sample's chance comes from (seed, epoch, position), so that an epoch can be drawn
        again after a stop, and by any number of processes.
        """
        config = self.config
        order = np.random.default_rng([config.seed, epoch]).permutation(len(self.samples))
        share = config.batch_size // self.world_size
        for batch in range(len(self)):
            first = batch * config.batch_size + self.rank * share
            yield [
                Draw(int(order[i]), np.random.default_rng([config.seed, epoch, i]))
                for i in range(first, first + share)
            ]


class HostBatches(Batches):
    """Augments the next batch by OpenCV, on `workers` threads, while the network trains."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """See `Batches.epoch`."""
        with ThreadPoolExecutor(self.config.workers) as pool:
            ahead: list[Future[Sample]] = []
            for draws in self.draws(epoch):
                ready, ahead = ahead, [pool.submit(self._sample, draw) for draw in draws]
                if ready:
                    yield _stacked(ready)
            yield _stacked(ahead)

    def _sample(self, draw: Draw) -> Sample:
        sample, rng = self.samples[draw.index], draw.rng
        if self.objects is not None:
            size = (sample[1].shape[1], sample[1].shape[0])
            sample = paste(sample, self.objects.draw(size, self.config.paste, rng))
        return augment(*sample, self.config, rng)


def _stacked(futures: list[Future[Sample]]) -> Batch:
    samples = [future.result() for future in futures]
    images, labels = (np.stack([sample[part] for sample in samples]) for part in (0, 1))
    return torch.from_numpy(images), torch.from_numpy(labels)
