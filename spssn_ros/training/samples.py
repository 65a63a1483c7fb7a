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
"""Finds the frames of a run, holds some of them out, and reads or renders them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import overload

import numpy as np
from tqdm import tqdm

from spssn_ros.datasets import sample as dataset
from spssn_ros.datasets.camvid import find_camvid
from spssn_ros.datasets.cityscapes import find_cityscapes
from spssn_ros.datasets.class_list import read_label_set
from spssn_ros.datasets.folder import find_folder
from spssn_ros.errors import ConfigError, DatasetError
from spssn_ros.labels import CAMVID, CITYSCAPES, UNKNOWN, LabelSet
from spssn_ros.synthetic import StreetScene
from spssn_ros.training.augment import Sample
from spssn_ros.training.config import DataSet, TrainConfig

# A street a seed; none of them is the demo's or a test's.
STREET_SEEDS = {'train': range(1000, 1090), 'val': range(2000, 2020)}
_FRAMES_A_STREET = 4
_STREET_SECONDS = 60.0


@dataclass(frozen=True)
class TrainingData:
    """The samples of a run: (H, W, 3) uint8 RGB with (H, W) uint8 class ids, 255 void.

    Attributes:
        label_set: the classes.
        train: trained on.
        val: validated on; may be empty.
        holdout: left out of the training split, and validated on too; may be empty.

    """

    label_set: LabelSet
    train: Sequence[Sample]
    val: Sequence[Sample] = ()
    holdout: Sequence[Sample] = ()

    def summary(self) -> str:
        """Return how many images there are for what."""
        parts = [f'{len(self.train)} images to train on']
        if self.val:
            parts.append(f'{len(self.val)} to validate on')
        if self.holdout:
            parts.append(f'{len(self.holdout)} held out')
        return ', '.join(parts)


@dataclass(frozen=True)
class Frame:
    """One frame, not read yet."""

    stem: str
    sequence: str
    read: Callable[[], Sample]


class _Files(Sequence[Sample]):
    """Frames that are read each time they are asked for."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return _Files(self.frames[index])
        return self.frames[index].read()


def read_data(config: TrainConfig, data: Path | None, quiet: bool = False) -> TrainingData:
    """Return the samples of a configuration.

    Args:
        config: dataset, splits, holdout, holdout_sequences, in_memory.
        data: folder of the data set; None for synthetic streets, which have none.
        quiet: show no progress.

    Raises:
        ConfigError: a folder that is needed is not given, a split or sequence that does not
            exist, or nothing to hold out.
        DatasetError: the folder or a file in it is not as expected.

    """
    if config.dataset is not DataSet.STREET and data is None:
        name = config.dataset.value
        raise ConfigError(f'dataset is {name} but no folder is given; give --data DIR')
    frames = [f for split in config.train_splits for f in _find(config, data, split)]
    train, held_out = hold_out(frames, config.holdout, config.holdout_sequences)
    val = list(_find(config, data, config.val_split)) if config.val_split else []
    return TrainingData(
        _label_set(config, data),
        *(
            _read(part, '' if quiet else what, config.in_memory)
            for part, what in ((train, 'train'), (val, 'val'), (held_out, 'holdout'))
        ),
    )


def check_enough(config: TrainConfig, data: TrainingData) -> None:
    """Check that a batch can be made.

    Raises:
        ConfigError: there are fewer training images than the batch size.

    """
    if len(data.train) < config.batch_size:
        raise ConfigError(
            f'{data.summary()}: fewer than batch_size {config.batch_size}; lower that'
        )


def check_labelled(data: TrainingData) -> None:
    """Check that there is something to learn, and to score on; stops at the first label.

    Raises:
        DatasetError: all images to train on, to validate on or held out are void.

    """
    parts = (data.train, 'to train on'), (data.val, 'to validate on'), (data.holdout, 'held out')
    for samples, what in parts:
        if samples and not any((labels != UNKNOWN).any() for _, labels in samples):
            raise DatasetError(
                f'of the images {what} ({len(samples)}) every pixel is void (255, or black in '
                'colours); draw their labels, or name others in the recipe'
            )


def hold_out(
    frames: Sequence[Frame], part: float, sequences: Sequence[str]
) -> tuple[list[Frame], list[Frame]]:
    """Return the frames to train on, and those to leave out, each in the given order.

    Args:
        frames: the training split.
        part: last part of every sequence, by stem, to leave out.
        sequences: to leave out whole.

    Raises:
        ConfigError: no such sequence, or nothing would be left out although that was asked for.

    """
    by_sequence: dict[str, list[Frame]] = {}
    for frame in frames:
        by_sequence.setdefault(frame.sequence, []).append(frame)
    for name in sequences:
        if name not in by_sequence:
            raise ConfigError(
                f'holdout_sequences has {name!r}, but the sequences are '
                f'{", ".join(repr(known) for known in sorted(by_sequence))}'
            )
    out: set[str] = set()
    for name, members in by_sequence.items():
        stems = sorted(frame.stem for frame in members)
        kept = 0 if name in sequences else len(stems) - round(part * len(stems))
        out.update(stems[kept:])
    if part and not out:
        raise ConfigError(
            f'holdout {part} leaves no frame out: the {len(by_sequence)} sequences (what comes '
            f'before the last _ of a name) of {len(frames)} frames are too short; give more, or '
            'name whole ones in holdout_sequences'
        )
    train = [frame for frame in frames if frame.stem not in out]
    return train, [frame for frame in frames if frame.stem in out]


def _read(frames: Sequence[Frame], what: str, in_memory: bool) -> Sequence[Sample]:
    if not in_memory:
        return _Files(frames)
    shown = tqdm(frames, desc=f'reading {what}', disable=None if what else True)
    return [frame.read() for frame in shown]


def _label_set(config: TrainConfig, data: Path | None) -> LabelSet:
    if config.dataset is DataSet.FOLDER and data is not None:
        return read_label_set(data)
    return CITYSCAPES if config.dataset is DataSet.CITYSCAPES else CAMVID


def _find(config: TrainConfig, data: Path | None, split: str) -> Iterator[Frame]:
    if config.dataset is DataSet.STREET or data is None:
        yield from _streets(config, split)
        return
    find: dict[DataSet, Callable[[Path, str], list[dataset.Sample]]] = {
        DataSet.CAMVID: find_camvid,
        DataSet.CITYSCAPES: find_cityscapes,
        DataSet.FOLDER: find_folder,
    }
    for found in find[config.dataset](data, split):
        # <drive>_<frame>; Cityscapes has <city>_<drive>_<frame> with few frames a drive.
        sequence = found.stem.rpartition('_')[0]
        if config.dataset is DataSet.CITYSCAPES:
            sequence = found.stem.partition('_')[0]
        yield Frame(found.stem, sequence, partial(dataset.read_pair, found))


def _streets(config: TrainConfig, split: str) -> Iterator[Frame]:
    if split not in STREET_SEEDS:
        raise ConfigError(f'synthetic streets have no split {split!r}; give train or val')
    for seed in STREET_SEEDS[split]:
        for time_s in np.random.default_rng(seed).uniform(0, _STREET_SECONDS, _FRAMES_A_STREET):
            read = partial(_render, seed, config.crop, float(time_s))
            yield Frame(f'{seed}_{time_s:09.6f}', str(seed), read)


def _render(seed: int, size: tuple[int, int], time_s: float) -> Sample:
    return _scene(seed, *size).render(time_s)


@lru_cache(maxsize=1)
def _scene(seed: int, width: int, height: int) -> StreetScene:
    """Keep the last street: its frames are asked for one after the other."""
    return StreetScene(seed, width, height)
