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

import contextlib
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

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

    def close(self) -> None:
        """End what makes batches ahead, if anything does."""
        return

    def draws(self, epoch: int) -> Iterator[list[Draw]]:
        """Yield what this process makes of each batch of an epoch."""
        return (self.draw(epoch, batch) for batch in range(len(self)))

    def draw(self, epoch: int, batch: int) -> list[Draw]:
        """Return what this process makes of one batch.

        Every sample's chance comes from (seed, epoch, position), so that an epoch can be drawn
        again after a stop, and by any number of processes.
        """
        config = self.config
        order = np.random.default_rng([config.seed, epoch]).permutation(len(self.samples))
        share = config.batch_size // self.world_size
        first = batch * config.batch_size + self.rank * share
        return [
            Draw(int(order[i]), np.random.default_rng([config.seed, epoch, i]))
            for i in range(first, first + share)
        ]


class HostBatches(Batches):
    """Augments the next batch by OpenCV on another thread while the network trains."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """See `Batches.epoch`."""
        with ThreadPoolExecutor(1) as pool:
            ahead: Future[Batch] | None = None
            for draws in self.draws(epoch):
                ready, ahead = ahead, pool.submit(self.make, draws)
                if ready is not None:
                    yield ready.result()
            if ahead is not None:
                yield ahead.result()

    def make(self, draws: Sequence[Draw]) -> Batch:
        """Return a batch as it was drawn."""
        samples = [self._sample(draw) for draw in draws]
        images, labels = (np.stack([sample[part] for sample in samples]) for part in (0, 1))
        return torch.from_numpy(images), torch.from_numpy(labels)

    def _sample(self, draw: Draw) -> Sample:
        sample, rng = self.samples[draw.index], draw.rng
        if self.objects is not None:
            size = (sample[1].shape[1], sample[1].shape[0])
            sample = paste(sample, self.objects.draw(size, self.config.paste, rng))
        return augment(*sample, self.config, rng)


class ProcessBatches(Batches):
    """The batches of a `HostBatches`, each made by one of `config.workers` processes."""

    def __init__(self, maker: HostBatches) -> None:
        super().__init__(maker.samples, maker.config, maker.objects, maker.rank, maker.world_size)
        self._maker = maker
        self._ahead: Iterator[Batch] = iter(())
        self._next_epoch = -1

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """See `Batches.epoch`; the processes go on with the epochs after it meanwhile."""
        if epoch != self._next_epoch:
            self.close()
            with _without_threads():
                self._ahead = iter(self._loader(epoch))
        # An epoch that is left before its end is no place to go on from.
        self._next_epoch = -1
        yield from itertools.islice(self._ahead, len(self))
        self._next_epoch = epoch + 1

    def close(self) -> None:
        """See `Batches.close`.

        A loader that the garbage collector ends, with others, waits for its processes in vain.
        """
        self._ahead, self._next_epoch = iter(()), -1

    def _loader(self, epoch: int) -> 'DataLoader[Batch]':
        return DataLoader(
            _Made(self._maker),
            batch_size=None,
            # Endless: a loader waits for all of its processes where it comes to an end.
            sampler=_keys(epoch, len(self)),
            num_workers=min(self.config.workers, os.cpu_count() or 1),
            pin_memory=torch.cuda.is_available(),
            # The images are there in every process without a copy.
            multiprocessing_context='fork',
            # Its processes' seeds, of no use here, would be drawn from torch's own generator, and
            # dropout would draw other numbers behind them.
            generator=torch.Generator(),
        )


def _keys(epoch: int, batches: int) -> Iterator[tuple[int, int]]:
    # Not a method: in a cycle with this class, a loader's end would take seconds a process.
    return ((e, b) for e in itertools.count(epoch) for b in range(batches))


class _Made(Dataset[Batch]):
    """Batches by (epoch, number)."""

    def __init__(self, maker: HostBatches) -> None:
        self.maker = maker

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        return self.maker.make(self.maker.draw(*key))


@contextlib.contextmanager
def _without_threads() -> Iterator[None]:
    """Have OpenCV use no threads: a process forked meanwhile would wait for its parent's."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
