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

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.labels import UNKNOWN
from spssn_ros.models import Normalisation, WeightsInfo, save_weights
from spssn_ros.models.network import Network
from spssn_ros.training.arithmetic import Arithmetic
from spssn_ros.training.augment import Sample
from spssn_ros.training.batches import Batch, HostBatches
from spssn_ros.training.config import ClassWeights, Optimizer, TrainConfig
from spssn_ros.training.curve import CURVE, append_row, cut_curve
from spssn_ros.training.initial import initial_network
from spssn_ros.training.losses import training_loss
from spssn_ros.training.paste import RareObjects
from spssn_ros.training.samples import TrainingData
from spssn_ros.training.schedule import WeightAverage, poly_factor
from spssn_ros.training.state import load_state, save_state

LICENCE = 'Weights: Apache-2.0. The licence of the training images applies to their use.'


class Trainer:
    """Trains one network by one configuration.

    Args:
        config: the recipe.
        data: what to train and to validate on.
        output: folder for `best.safetensors`, `last.safetensors`, `state.safetensors` and
            `curve.csv`; made if missing.
        recipe: further facts to store in the weights' metadata (data, command, hardware).

    Raises:
        ConfigError: fewer training images than the batch size, or a recipe that does not fit the
            network or the data.

    """

    def __init__(
        self,
        config: TrainConfig,
        data: TrainingData,
        output: Path,
        recipe: dict[str, object] | None = None,
    ) -> None:
        if len(data.train) < config.batch_size:
            raise ConfigError(
                f'{len(data.train)} training images are fewer than batch_size {config.batch_size}'
            )
        self.config, self.data = config, data
        self.output, self.recipe = output, recipe or {}
        self.normalisation = Normalisation()
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        self.arithmetic = Arithmetic(self.device, config.precision)
        self.scaler = self.arithmetic.scaler()
        torch.manual_seed(config.seed)
        model, self.beginning = initial_network(config, data.label_set)
        self.model: Network = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(self.model, config.ema_decay) if config.ema_decay else None
        self.optimizer = _optimizer(self.model, config)
        objects = None
        if config.paste:
            objects = RareObjects(data.train, data.label_set, config.paste_classes)
        self.batches = HostBatches(data.train, config, objects)
        self.loss_weights = self._class_weights().to(self.device)
        self.epoch, self.best, self.seconds = 0, -1.0, 0.0

    def run(self, resume: bool = False) -> float:
        """Train to the configured number of epochs; return the best validation mIoU.

        With `resume`, go on from the state in the output folder, if there is one, to the same
        result that an unbroken run gives. The best is that of the validation split, or of the
        hold-out where there is no such split.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        state_path, curve_path = self.output / 'state.safetensors', self.output / CURVE
        if resume and state_path.exists():
            counters = load_state(state_path, self.model, self.average, self.optimizer)
            self.epoch, self.best = counters['epoch'], counters['best']
            self.seconds = counters['seconds']
            cut_curve(curve_path, self.epoch)
        else:
            curve_path.unlink(missing_ok=True)
            if self.beginning:
                print(self.beginning)
        iterations = len(self.batches)
        with tqdm(
            initial=self.epoch * iterations,
            total=self.config.epochs * iterations,
            unit='it',
            disable=None,
        ) as progress:
            while self.epoch < self.config.epochs:
                start = time.perf_counter()
                loss = self._train_epoch(progress)
                self.epoch += 1
                self.seconds += time.perf_counter() - start
                append_row(curve_path, self._end_epoch(loss))
                counters = {'epoch': self.epoch, 'best': self.best, 'seconds': self.seconds}
                save_state(state_path, self.model, self.average, self.optimizer, counters)
        return self.best

    def _end_epoch(self, loss: float) -> dict[str, object]:
        """Validate and save where it is time to; return the epoch's row of the curve."""
        last = self.epoch == self.config.epochs
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
            tqdm.write(f'epoch {self.epoch}: loss {loss:.4f}, {told}')
        if last:
            self._save('last.safetensors', scores)
        columns = {
            column: round(scores[name].miou(), 5) if name in scores else ''
            for column, name in (
                ('val_miou', self.config.val_split),
                ('holdout_miou', 'holdout'),
            )
        }
        return {
            'epoch': self.epoch,
            'loss': round(loss, 5),
            **columns,
            'seconds': round(self.seconds, 1),
        }

    def validate(self, samples: Sequence[Sample]) -> ConfusionMatrix:
        """Score the averaged weights on some images, at full size."""
        model = self.average.model if self.average is not None else self.model.eval()
        matrix = ConfusionMatrix(len(self.data.label_set))
        with torch.inference_mode():
            for image, labels in samples:
                logits, _ = self.arithmetic.forward(model, torch.from_numpy(image[None]))
                logits = functional.interpolate(logits, labels.shape, mode='bilinear')
                matrix.update(labels, logits.argmax(1)[0].to(torch.uint8).cpu().numpy())
        return matrix

    def _train_epoch(self, progress: 'tqdm | None' = None) -> float:
        self.model.train()
        # Dropout draws from torch's own generator; seeded by the epoch, a resumed run repeats it.
        sequence = np.random.SeedSequence([self.config.seed, self.epoch])
        torch.manual_seed(int(sequence.generate_state(1)[0]))
        losses = []
        first = self.epoch * len(self.batches)
        total = self.config.epochs * len(self.batches)
        for i, batch in enumerate(self.batches.epoch(self.epoch)):
            factor = poly_factor(
                first + i, total, self.config.warmup_iterations, self.config.poly_power
            )
            for group in self.optimizer.param_groups:
                group['lr'] = self.config.learning_rate * factor
            loss = self._step(batch)
            if loss is not None:
                losses.append(loss)
            if progress is not None:
                progress.set_postfix(
                    epoch=self.epoch + 1, loss=f'{losses[-1]:.3f}' if losses else '', refresh=False
                )
                progress.update()
        return float(np.mean(losses)) if losses else math.nan

    def _step(self, batch: Batch) -> float | None:
        """Take one step; return the loss, or None for a batch without any label."""
        images, labels = batch
        labels = labels.to(self.device).long()
        if not bool((labels != UNKNOWN).any()):
            return None
        auxiliary = self.config.auxiliary_weight > 0
        outputs = self.arithmetic.forward(self.model, images, auxiliary)
        loss = training_loss(outputs, labels, self.loss_weights, self.config)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.model)
        return loss.item()

    def _class_weights(self) -> Tensor:
        n = len(self.data.label_set)
        if self.config.class_weights is ClassWeights.NONE:
            return torch.ones(n)
        counts = np.zeros(256, np.int64)
        for _, labels in self.data.train:
            counts += np.bincount(labels.reshape(-1), minlength=256)
        frequency = counts[:n] / max(1, counts[:n].sum())
        return torch.from_numpy(1 / np.log(1.02 + frequency)).float()

    def _save(self, name: str, scores: dict[str, ConfusionMatrix]) -> None:
        recorded: dict[str, object] = {}
        for split, matrix in scores.items():
            found = {'split': split} | self._summary(matrix)
            # The first split's are the scores; the hold-out's stand beside them.
            recorded = recorded | {split: found} if recorded else found
        info = WeightsInfo(
            model=self.config.model,
            options=self.config.options,
            label_set=self.data.label_set,
            normalisation=self.normalisation,
            input_size=self.config.crop,
            recipe=self.recipe
            | {
                'config': self.config.to_dict(),
                'epoch': self.epoch,
                'training_images': len(self.data.train),
                'training_seconds': round(self.seconds),
                'device': str(self.device),
                'precision': self.arithmetic.precision.value,
                'threads': torch.get_num_threads(),
                'torch': torch.__version__,
            },
            scores=recorded,
            licence=LICENCE,
        )
        model = self.average.model if self.average is not None else self.model
        save_weights(self.output / name, model, info)

    def _summary(self, matrix: ConfusionMatrix) -> dict[str, object]:
        return {
            'miou': round(matrix.miou(), 5),
            'class_average': round(matrix.class_average(), 5),
            'global_average': round(matrix.global_average(), 5),
            'iou': {
                class_name: None if math.isnan(value) else round(float(value), 5)
                for class_name, value in zip(self.data.label_set.names, matrix.iou(), strict=True)
            },
        }


def _optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {'params': decayed, 'weight_decay': config.weight_decay},
        {'params': plain, 'weight_decay': 0.0},
    ]
    if config.optimizer is Optimizer.SGD:
        return torch.optim.SGD(groups, config.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, config.learning_rate)
