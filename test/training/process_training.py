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
"""Runs whose batches processes make beside that of a thread; a program, since loaders fork."""

import contextlib
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from spssn_ros.inference.config import Precision
from spssn_ros.labels import LabelSet
from spssn_ros.training import train
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.samples import TrainingData
from spssn_ros.training.train import Trainer


class Killed(BaseException):
    """What ends a run."""


def trainer(output: Path, workers: int) -> Trainer:
    """Return a run of two epochs, of a network with dropout."""
    rng = np.random.default_rng(0)
    samples = [
        (rng.integers(0, 256, (64, 64, 3), np.uint8), rng.integers(0, 2, (64, 64), np.uint8))
        for _ in range(4)
    ]
    config = TrainConfig(
        options={'chain_length': 1, 'dropout': 0.5},
        epochs=2,
        batch_size=2,
        crop=(64, 64),
        warmup_iterations=0,
        precision=Precision.FLOAT32,
        workers=workers,
    )
    labels = LabelSet(('dark', 'light'), ((0, 0, 0), (255, 255, 255)))
    return Trainer(config, TrainingData(labels, samples), output, device=torch.device('cpu'))


def kill_in_second_epoch(run: Trainer) -> None:
    """Have a run end at its second epoch's first step."""
    step = run._step

    def stopping(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor | None:
        if run.epoch:
            raise Killed
        return step(batch)

    run._step = stopping  # type: ignore[method-assign]


def main() -> None:
    """Train by a thread, by processes, and by processes in two goes; compare the states."""
    folder = Path(sys.argv[1])
    train._STATE_SECONDS = 0
    trainer(folder / 'thread', 1).run()
    trainer(folder / 'processes', 2).run()
    broken = trainer(folder / 'resumed', 2)
    kill_in_second_epoch(broken)
    with contextlib.suppress(Killed):
        broken.run()
    print(f'killed after epoch {broken.epoch}')
    trainer(folder / 'resumed', 2).run(resume=True)
    expected = load_file(folder / 'thread' / 'state.safetensors')
    for name in ('processes', 'resumed'):
        found = load_file(folder / name / 'state.safetensors')
        differing = sum(not torch.equal(found[key], tensor) for key, tensor in expected.items())
        print(f'{name}: {differing} of {len(found)} tensors differ')


if __name__ == '__main__':
    main()
