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
"""The training loop: images and labels in memory, weights and a learning curve out."""

import csv
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.result import write_text
from spssn_ros.labels import UNKNOWN, LabelSet
from spssn_ros.models import Normalisation, WeightsInfo, create_model, save_weights
from spssn_ros.training.augment import Sample, augment
from spssn_ros.training.config import ClassWeights, Optimizer, TrainConfig
from spssn_ros.training.schedule import WeightAverage, poly_factor
from spssn_ros.training.state import load_state, save_state

LICENCE = 'Weights: Apache-2.0. The licence of the training images applies to their use.'


class Trainer:
    """Trains one network by one configuration.

    Args:
        config: the recipe.
        label_set: the classes.
        train: (H, W, 3) uint8 RGB images with (H, W) uint8 labels (255 void), in memory.
        val: the same, to validate on; may be empty.
        output: folder for `best.safetensors`, `last.safetensors`, `state.safetensors` and
            `curve.csv`; made if missing.
        recipe: further facts to store in the weights' metadata (data, command, hardware).

    Raises:
        ConfigError: fewer training images than the batch size.

    """

    def __init__(
        self,
        config: TrainConfig,
        label_set: LabelSet,
        train: list[Sample],
        val: list[Sample],
        output: Path,
        recipe: dict[str, object] | None = None,
    ) -> None:
        if len(train) < config.batch_size:
            raise ConfigError(
                f'{len(train)} training images are fewer than batch_size {config.batch_size}'
            )
        self.config, self.label_set = config, label_set
        self.train_samples, self.val_samples = train, val
        self.output, self.recipe = output, recipe or {}
        self.normalisation = Normalisation()
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        torch.manual_seed(config.seed)
        model = create_model(config.model, len(label_set), **config.options)
        self.model = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(self.model, config.ema_decay) if config.ema_decay else None
        self.optimizer = _optimizer(self.model, config)
        self.iterations_per_epoch = len(train) // config.batch_size
        self.loss_weights = self._class_weights().to(self.device)
        self.epoch, self.best, self.seconds = 0, -1.0, 0.0

    def run(self, resume: bool = False) -> float:
        """Train to the configured number of epochs; return the best validation mIoU.

        With `resume`, go on from the state in the output folder, if there is one, to the same
        result that an unbroken run gives.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        state_path, curve_path = self.output / 'state.safetensors', self.output / 'curve.csv'
        if resume and state_path.exists():
            counters = load_state(state_path, self.model, self.average, self.optimizer)
            self.epoch, self.best = counters['epoch'], counters['best']
            self.seconds = counters['seconds']
            _cut_curve(curve_path, self.epoch)
        else:
            curve_path.unlink(missing_ok=True)
        progress = tqdm(
            range(self.epoch, self.config.epochs),
            initial=self.epoch,
            total=self.config.epochs,
            unit='epoch',
            disable=None,
        )
        for _ in progress:
            start = time.perf_counter()
            loss = self._train_epoch()
            self.epoch += 1
            self.seconds += time.perf_counter() - start
            row: dict[str, object] = {'epoch': self.epoch, 'loss': round(loss, 5), 'val_miou': ''}
            last = self.epoch == self.config.epochs
            if self.val_samples and (last or self.epoch % self.config.val_every == 0):
                scores = self.validate()
                row['val_miou'] = round(scores.miou(), 5)
                if scores.miou() > self.best:
                    self.best = scores.miou()
                    self._save('best.safetensors', scores)
                if last:
                    self._save('last.safetensors', scores)
                print(f'epoch {self.epoch}: loss {loss:.4f}, val mIoU {scores.miou():.4f}')
            elif last:
                self._save('last.safetensors', None)
            progress.set_postfix(loss=f'{loss:.3f}', best=f'{self.best:.3f}')
            row['seconds'] = round(self.seconds, 1)
            _append_row(curve_path, row)
            counters = {'epoch': self.epoch, 'best': self.best, 'seconds': self.seconds}
            save_state(state_path, self.model, self.average, self.optimizer, counters)
        return self.best

    def validate(self) -> ConfusionMatrix:
        """Score the averaged weights on the validation images, at full size."""
        model = self.average.model if self.average is not None else self.model.eval()
        matrix = ConfusionMatrix(len(self.label_set))
        with torch.inference_mode():
            for image, labels in self.val_samples:
                logits = self._forward(model, torch.from_numpy(image[None]))
                logits = functional.interpolate(logits, labels.shape, mode='bilinear')
                matrix.update(labels, logits.argmax(1)[0].to(torch.uint8).cpu().numpy())
        return matrix

    def _train_epoch(self) -> float:
        self.model.train()
        # Dropout draws from torch's own generator; seeded by the epoch, a resumed run repeats it.
        sequence = np.random.SeedSequence([self.config.seed, self.epoch])
        torch.manual_seed(int(sequence.generate_state(1)[0]))
        losses = []
        total = self.iterations_per_epoch * self.config.epochs
        for i, (images, labels) in enumerate(self._batches()):
            iteration = self.epoch * self.iterations_per_epoch + i
            factor = poly_factor(
                iteration, total, self.config.warmup_iterations, self.config.poly_power
            )
            for group in self.optimizer.param_groups:
                group['lr'] = self.config.learning_rate * factor
            logits = self._forward(self.model, images)
            labels = labels.to(self.device).long()
            logits = functional.interpolate(logits, labels.shape[-2:], mode='bilinear')
            loss = functional.cross_entropy(
                logits, labels, weight=self.loss_weights, ignore_index=UNKNOWN
            )
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            if self.average is not None:
                self.average.update(self.model)
            losses.append(loss.item())
        return float(np.mean(losses))

    def _forward(self, model: nn.Module, images: Tensor) -> Tensor:
        """Map (N, H, W, 3) uint8 to float32 logits (N, C, H/8, W/8), computed in bfloat16."""
        x = images.to(self.device).permute(0, 3, 1, 2).float().div_(255)
        x = (x - 0.5) / 0.5
        with torch.autocast(self.device.type, torch.bfloat16):
            return model(x).float()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield one epoch; a background thread augments the next batch meanwhile.

        Every sample's chance comes from (seed, epoch, position), so that an epoch can be drawn
        again after a stop.
        """
        config = self.config
        order = np.random.default_rng([config.seed, self.epoch]).permutation(
            len(self.train_samples)
        )

        def batch(start: int) -> tuple[Tensor, Tensor]:
            samples = []
            for i in range(start, start + config.batch_size):
                image, labels = self.train_samples[order[i]]
                rng = np.random.default_rng([config.seed, self.epoch, i])
                samples.append(augment(image, labels, config, rng))
            return _stack([s[0] for s in samples]), _stack([s[1] for s in samples])

        starts = [i * config.batch_size for i in range(self.iterations_per_epoch)]
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(batch, starts[0])
            for start in starts[1:]:
                ready, ahead = ahead, pool.submit(batch, start)
                yield ready.result()
            yield ahead.result()

    def _class_weights(self) -> Tensor:
        n = len(self.label_set)
        if self.config.class_weights is ClassWeights.NONE:
            return torch.ones(n)
        counts = np.zeros(256, np.int64)
        for _, labels in self.train_samples:
            counts += np.bincount(labels.reshape(-1), minlength=256)
        frequency = counts[:n] / max(1, counts[:n].sum())
        return torch.from_numpy(1 / np.log(1.02 + frequency)).float()

    def _save(self, name: str, scores: ConfusionMatrix | None) -> None:
        recorded: dict[str, object] = {}
        if scores is not None:
            recorded = {
                'split': self.config.val_split,
                'miou': round(scores.miou(), 5),
                'class_average': round(scores.class_average(), 5),
                'global_average': round(scores.global_average(), 5),
                'iou': {
                    class_name: None if math.isnan(value) else round(float(value), 5)
                    for class_name, value in zip(self.label_set.names, scores.iou(), strict=True)
                },
            }
        info = WeightsInfo(
            model=self.config.model,
            options=self.config.options,
            label_set=self.label_set,
            normalisation=self.normalisation,
            input_size=self.config.crop,
            recipe=self.recipe
            | {
                'config': self.config.to_dict(),
                'epoch': self.epoch,
                'training_images': len(self.train_samples),
                'training_seconds': round(self.seconds),
                'device': str(self.device),
                'threads': torch.get_num_threads(),
                'torch': torch.__version__,
            },
            scores=recorded,
            licence=LICENCE,
        )
        model = self.average.model if self.average is not None else self.model
        save_weights(self.output / name, model, info)


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


def _stack(arrays: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def _cut_curve(path: Path, epochs: int) -> None:
    """Remove the row of an epoch that was written while its state was not."""
    if path.exists():
        lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
        write_text(path, ''.join(lines[: epochs + 1]))


def _append_row(path: Path, row: dict[str, object]) -> None:
    new = not path.exists()
    with path.open('a', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
        file.flush()
        os.fsync(file.fileno())
