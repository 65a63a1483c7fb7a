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
"""The training loop: images and labels in, weights and a learning curve out."""

import contextlib
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.distributed import Processes
from spssn_ros.models.network import Network
from spssn_ros.training.arithmetic import Arithmetic, enough_memory, plain
from spssn_ros.training.augment import Sample
from spssn_ros.training.batches import Batch
from spssn_ros.training.checkpoint import forget_run, save_checkpoint
from spssn_ros.training.class_weights import class_weights
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.curve import Curve
from spssn_ros.training.exchange import Exchange
from spssn_ros.training.feed import make_batches
from spssn_ros.training.initial import initial_network
from spssn_ros.training.loss_log import LossLog
from spssn_ros.training.losses import training_loss
from spssn_ros.training.optimizer import make_optimizer, set_learning_rate
from spssn_ros.training.repeated_step import RepeatedStep, can_repeat
from spssn_ros.training.samples import TrainingData, check_enough, check_labelled
from spssn_ros.training.schedule import WeightAverage, poly_factor
from spssn_ros.training.state import (
    RunState,
    changed_surroundings,
    load_state,
    save_state,
    weights_digests,
)
from spssn_ros.training.teacher import Teacher
from spssn_ros.training.validate import validate

# An epoch on a fast GPU takes no longer than to write the state.
_STATE_SECONDS = 15


class Trainer:
    """Trains one network by one configuration.

    Args:
        config: the recipe.
        data: what to train and to validate on.
        output: folder for `best.safetensors`, `last.safetensors`, `state.safetensors` and the
            learning curve; made if missing.
        recipe: further facts to store in the weights' metadata (data, command, hardware).
        device: CUDA or CPU; none given: CUDA where there is a GPU.
        processes: those that train together; each has all the data, and its share of the work.

    Raises:
        ConfigError: fewer training images than the batch size, or a recipe that does not fit the
            network, the data or the device.
        DatasetError: no image that is trained or scored on has a label.

    """

    def __init__(
        self,
        config: TrainConfig,
        data: TrainingData,
        output: Path,
        recipe: dict[str, object] | None = None,
        device: torch.device | None = None,
        processes: Processes | None = None,
    ) -> None:
        check_enough(config, data)
        check_labelled(data)
        self.config, self.data, self.output = config, data, output
        self.recipe = recipe or {}
        self.device = device or torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        self.processes = processes or Processes()
        self.exchange = Exchange(self.processes, config, self.device)
        self.arithmetic = Arithmetic(self.device, config.precision)
        self.scaler = self.arithmetic.scaler()
        torch.manual_seed(config.seed)
        model, self.beginning = initial_network(config, data.label_set)
        self.digests = weights_digests(config)
        with enough_memory(config):
            self.model: Network = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.average = None
            if config.ema_decay:
                self.average = WeightAverage(self.model, config.ema_decay)
            self.model = self.exchange.synchronised(self.model)
            self.batches = make_batches(config, data, self.device, self.processes)
            self.teacher = None
            if config.teacher:
                self.teacher = Teacher(config, data.label_set, self.arithmetic)
        network = self.model.forward_auxiliary if config.auxiliary_weight else plain(self.model)
        self.network = torch.compile(network) if config.compile else network
        repeated = can_repeat(config, self.device, self.processes.count)
        self.optimizer = make_optimizer(self.model, config, repeated)
        networks = [self.model, self.teacher.network] if self.teacher else [self.model]
        self.repeated = RepeatedStep(self._take, networks) if repeated else None
        weights, self.missing = class_weights(config, data)
        self.loss_weights = weights.to(self.device)
        self.epoch, self.best, self.seconds = 0, -1.0, 0.0

    def run(self, resume: bool = False) -> float:
        """Train to the configured number of epochs; return the best validation mIoU.

        With `resume`, go on from the state in the output folder, if there is one, to the same
        result that an unbroken run gives. The best is that of the validation split, or of the
        hold-out where there is no such split.

        Raises:
            TrainingError: the loss is no number, or GPU memory is out.
            WeightsError: the state is damaged, or of another recipe or data.

        """
        first = self.processes.is_first
        if first:
            self.output.mkdir(parents=True, exist_ok=True)
            if not resume:
                forget_run(self.output)
        state_path = self.output / 'state.safetensors'
        self.processes.gather(None)
        if resume and state_path.exists():
            counters = load_state(state_path, self._state())
            self.epoch, self.best = counters['epoch'], counters['best']
            self.seconds = counters['seconds']
            self.beginning = changed_surroundings(counters, self._facts())
        curve = Curve(self.output, self.epoch) if first else None
        taught = self.teacher.sentence if self.teacher else ''
        for note in (self.beginning, taught, self.missing, curve.note if curve else ''):
            if note and first:
                print(note)
        iterations, saved = len(self.batches), -math.inf
        with (
            contextlib.closing(self.batches),
            # Of a run that is interrupted or fails there is a picture, too.
            contextlib.closing(curve) if curve else contextlib.nullcontext(),
            tqdm(
                initial=self.epoch * iterations,
                total=self.config.epochs * iterations,
                unit='it',
                disable=None if first else True,
            ) as progress,
        ):
            while self.epoch < self.config.epochs:
                start = time.perf_counter()
                loss = self._train_epoch(progress)
                self.epoch += 1
                self.seconds += time.perf_counter() - start
                row = self._end_epoch(loss)
                last_epoch = self.epoch == self.config.epochs
                if curve is not None:
                    curve.append(row)
                    if last_epoch or time.monotonic() - saved > _STATE_SECONDS:
                        save_state(state_path, self._state())
                        saved = time.monotonic()
        # A next stage starts, in every process, from what the first one has written.
        self.processes.gather(None)
        return self.best

    def validate(self, samples: Sequence[Sample]) -> ConfusionMatrix:
        """Score the averaged weights on some images, at full size."""
        rank, count = self.processes.rank, self.processes.count
        part = (samples[i] for i in range(rank, len(samples), count))
        size, classes = self.config.input_size, len(self.data.label_set)
        return self.exchange.merge(
            validate(self._result().eval(), part, size, self.arithmetic, classes)
        )

    def _end_epoch(self, loss: float) -> dict[str, object]:
        """Validate and save where it is time to; return the epoch's row of the curve."""
        last = self.epoch == self.config.epochs
        models = [self.model] if self.average is None else [self.model, self.average.model]
        self.exchange.average_statistics(models)
        scores: dict[str, ConfusionMatrix] = {}
        if last or self.epoch % self.config.val_every == 0:
            parts = {self.config.val_split: self.data.val, 'holdout': self.data.holdout}
            scores = {name: self.validate(samples) for name, samples in parts.items() if samples}
        if scores:
            found = next(iter(scores.values())).miou()
            if found > self.best:
                self.best = found
                self._save('best.safetensors', scores)
            told = ', '.join(f'{name} mIoU {s.miou():.4f}' for name, s in scores.items())
            if self.processes.is_first:
                tqdm.write(f'epoch {self.epoch}: loss {loss:.4f}, {told}')
        if last:
            self._save('last.safetensors', scores)
        columns = (('val_miou', self.config.val_split), ('holdout_miou', 'holdout'))
        return {
            'epoch': self.epoch,
            'loss': round(loss, 5),
            **{c: round(scores[name].miou(), 5) if name in scores else '' for c, name in columns},
            'seconds': round(self.seconds, 1),
        }

    def _train_epoch(self, progress: 'tqdm | None' = None) -> float:
        self.model.train()
        # Dropout draws from torch's own generator; seeded by the epoch, a resumed run repeats it.
        rank = self.processes.rank
        seeds = [self.config.seed, self.epoch, *([rank] if rank else [])]
        torch.manual_seed(int(np.random.SeedSequence(seeds).generate_state(1)[0]))
        losses = LossLog(self.config, self.epoch)
        first = self.epoch * len(self.batches)
        total = self.config.epochs * len(self.batches)
        for i, batch in enumerate(self.batches.epoch(self.epoch)):
            factor = poly_factor(
                first + i, total, self.config.warmup_iterations, self.config.poly_power
            )
            set_learning_rate(self.optimizer, self.config.learning_rate * factor)
            with enough_memory(self.config):
                loss = self._step(batch)
            if loss is not None:
                losses.add(loss, i)
            if progress is not None:
                progress.set_postfix(epoch=self.epoch + 1, loss=losses.last(), refresh=False)
                progress.update()
        return losses.mean()

    def _step(self, batch: Batch) -> Tensor | None:
        """Take one step; return the loss, or None for a batch without any label."""
        images, labels = batch
        if not self.exchange.alone:
            labels = labels.to(self.device)
        # Alone, the labels are looked at where they are: a GPU would have to be waited for.
        if self._part(labels) is None:
            return None
        images = images.to(self.device, non_blocking=True)
        take = self.repeated or self._take
        loss = take(images, labels.to(self.device, non_blocking=True))
        if self.average is not None:
            self.average.update(self.model)
        return self.exchange.add(loss)

    def _take(self, images: Tensor, labels: Tensor) -> Tensor:
        """Go forward, back and down the gradient; return the loss."""
        labels = labels.long()
        outputs = self.arithmetic.forward(self.network, images)
        # Asked before the step; a graph cannot ask.
        part = self._part if self.repeated is None else _all
        taught = self.teacher(images) if self.teacher else None
        loss = training_loss(outputs, labels, self.loss_weights, self.config, part, taught)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.exchange.add_gradients(self.model)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def _part(self, labels: Tensor) -> float | None:
        return self.exchange.part(labels, self.loss_weights)

    def _facts(self) -> dict[str, Any]:
        """Return what is neither in the recipe nor in the tensors."""
        return {
            'epoch': self.epoch,
            'training_images': len(self.data.train),
            'device': str(self.device),
            'precision': self.arithmetic.precision.value,
            'processes': self.processes.count,
            'threads': torch.get_num_threads(),
            'torch': torch.__version__,
        }

    def _state(self) -> RunState:
        counters = {
            'best': self.best,
            'seconds': self.seconds,
            'classes': list(self.data.label_set.names),
            **self.digests,
            **self._facts(),
        }
        return RunState(
            self.config, self.model, self.average, self.optimizer, self.scaler, counters
        )

    def _result(self) -> Network:
        """Return the network that is scored and saved."""
        return self.model if self.average is None else self.average.model

    def _save(self, name: str, scores: dict[str, ConfusionMatrix]) -> None:
        if not self.processes.is_first:
            return
        recipe = {**self.recipe, **self._facts(), 'training_seconds': round(self.seconds)}
        save_checkpoint(
            self.output / name, self._result(), self.config, self.data.label_set, recipe, scores
        )


def _all(_: Tensor) -> float:
    return 1.0
