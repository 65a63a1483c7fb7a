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
"""The loss: cross entropy, with hard example mining and auxiliary heads where asked for."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from spssn_ros.labels import UNKNOWN
from spssn_ros.training.config import TrainConfig

KEPT = 1 / 16
"""Least part of the labelled pixels that hard example mining keeps."""


def whole_part(labels: Tensor) -> float | None:
    """Return what the mean over these labels counts in the batch's: all, or None without any."""
    return 1.0 if bool((labels != UNKNOWN).any()) else None


def training_loss(
    outputs: tuple[Tensor, Sequence[Tensor]],
    labels: Tensor,
    weights: Tensor,
    config: TrainConfig,
    part: Callable[[Tensor], float | None] = whole_part,
) -> Tensor:
    """Return the loss of the main logits plus the auxiliary heads', weighted.

    Args:
        outputs: logits (N, C, h, w) float, and those of the auxiliary heads.
        labels: (N, H, W) int64, 255 where nothing is scored.
        weights: (C,) float, of the classes.
        config: ohem, label_smoothing, auxiliary_weight.
        part: gives what the mean over some labels counts in the batch's, see `Exchange.part`.

    """
    logits, auxiliary = outputs
    size = (labels.shape[-2], labels.shape[-1])
    terms = [(1.0, functional.interpolate(logits, size, mode='bilinear'), labels)]
    for coarse in auxiliary:
        # At the heads' own size, where upsampled logits would cost as much as the main loss.
        height, width = coarse.shape[-2:]
        sampled = functional.interpolate(labels[:, None].float(), (height, width))[:, 0].long()
        terms.append((config.auxiliary_weight, coarse, sampled))
    total = logits.new_zeros(())
    for weight, scores, truth in terms:
        counts = part(truth)
        if counts:
            total = total + weight * counts * pixel_loss(scores, truth, weights, config)
        else:
            # The mean over nothing is no number; the gradient is to be zero.
            total = total + 0 * scores.sum()
    return total


def pixel_loss(logits: Tensor, labels: Tensor, weights: Tensor, config: TrainConfig) -> Tensor:
    """Return the mean cross entropy of the pixels, each weighted as its class is.

    With `config.ohem`, only of the hard ones (Shrivastava, Gupta, Girshick 2016, a pixel at a
    time): those whose true class has a probability below it, and at least the hardest `KEPT`.

    Args:
        logits: (N, C, H, W) float.
        labels: (N, H, W) int64, 255 where nothing is scored.
        weights: (C,) float.
        config: ohem, label_smoothing.

    """
    if config.ohem:
        with torch.no_grad():
            # -log of the true class's probability; 0 where nothing is scored.
            hardness = functional.cross_entropy(
                logits, labels, ignore_index=UNKNOWN, reduction='none'
            )
            labelled = labels != UNKNOWN
            least = max(1, round(KEPT * int(labelled.sum())))
            hardest = hardness[labelled].topk(least).values[-1]
            limit = torch.clamp(hardest, max=-math.log(config.ohem))
            labels = labels.masked_fill(hardness < limit, UNKNOWN)
    return functional.cross_entropy(
        logits,
        labels,
        weight=weights,
        ignore_index=UNKNOWN,
        label_smoothing=config.label_smoothing,
    )
