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
"""The loss: cross entropy; soft Jaccard, hard example mining, auxiliary heads where asked for."""

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
    """Return the weight of these labels' mean loss where they are the whole batch: 1.

    None where every pixel is void.
    """
    return 1.0 if bool((labels != UNKNOWN).any()) else None


def training_loss(
    outputs: tuple[Tensor, Sequence[Tensor]],
    labels: Tensor,
    weights: Tensor,
    config: TrainConfig,
    part: Callable[[Tensor], float | None] = whole_part,
    taught: Tensor | None = None,
) -> Tensor:
    """Return the loss of the main logits plus the auxiliary heads', weighted.

    Args:
        outputs: logits (N, C, h, w) float, and those of the auxiliary heads.
        labels: (N, H, W) int64, 255 where nothing is scored.
        weights: (C,) float, of the classes.
        config: ohem, label_smoothing, jaccard_weight, auxiliary_weight, teacher_weight.
        part: gives the weight of the mean loss over some labels, see `Exchange.part`.
        taught: a teacher's logits (N, C, h, w) float, of any size, or None without one.

    """
    logits, auxiliary = outputs
    size = (labels.shape[-2], labels.shape[-1])
    upsampled = upsample(logits, size)
    terms = [(1.0, upsampled, labels)]
    for coarse in auxiliary:
        # At the heads' own size, where upsampled logits would cost as much as the main loss.
        height, width = coarse.shape[-2:]
        # The label at a cell's middle: half-pixel centres, as logits are upsampled.
        sampled = functional.interpolate(
            labels[:, None].float(), (height, width), mode='nearest-exact'
        )
        terms.append((config.auxiliary_weight, coarse, sampled[:, 0].long()))
    total = logits.new_zeros(())
    for weight, scores, truth in terms:
        counts = part(truth)
        if counts:
            loss = pixel_loss(scores, truth, weights, config)
            if scores is upsampled and config.jaccard_weight:
                loss = loss + config.jaccard_weight * jaccard_loss(scores, truth)
            if scores is upsampled and taught is not None:
                wanted = upsample(taught, size)
                loss = loss + config.teacher_weight * distillation_loss(scores, wanted, truth)
            total = total + weight * counts * loss
        else:
            # The mean over nothing is no number; the gradient is to be zero.
            total = total + 0 * scores.sum()
    return total


def upsample(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (N, C, h, w) float32 logits as (N, C, *size), bilinearly, half-pixel centres.

    On CUDA as products with two matrices, equal but for rounding: backwards, PyTorch's kernel
    would add the 64 pixels about each logit to it one by one.
    """
    if not logits.is_cuda:
        return functional.interpolate(logits, size, mode='bilinear')
    rows, columns = (
        _interpolation(length, low, logits.device)
        for length, low in zip(size, logits.shape[-2:], strict=True)
    )
    return rows @ (logits @ columns.T)


def _interpolation(length: int, low: int, device: torch.device) -> Tensor:
    """Return the (length, low) matrix that interpolates `low` values linearly."""
    position = (torch.arange(length, device=device) + 0.5) * (low / length) - 0.5
    distance = position.clamp(0, low - 1)[:, None] - torch.arange(low, device=device)
    return (1 - distance.abs()).clamp(min=0)


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


def jaccard_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return 1 - the mean soft IoU of the classes that the labels hold.

    Soft Jaccard loss (Rahman and Wang 2016), over the batch as a whole: intersection and union
    are sums of probabilities. Cross entropy leads to the most probable class, which misses most
    of a class that is never sure, such as poles; IoU is best where such a class wins earlier.

    Args:
        logits: (N, C, H, W) float.
        labels: (N, H, W) int64, 255 where nothing is scored; at least one elsewhere.

    """
    classes = logits.shape[1]
    labelled = labels != UNKNOWN
    probabilities = logits.softmax(1) * labelled[:, None]
    # Sums over fixed shapes: what depends on the labels' values, a CUDA graph could not repeat.
    of_class = labels[:, None] == torch.arange(classes, device=labels.device)[:, None, None]
    intersection = (probabilities * of_class).sum((0, 2, 3))
    true = of_class.sum((0, 2, 3))
    union = probabilities.sum((0, 2, 3)) + true - intersection
    held = true > 0
    shares = torch.where(held, intersection / union.clamp(min=1e-6), 0.0)
    return 1 - shares.sum() / held.sum()


def distillation_loss(logits: Tensor, taught: Tensor, labels: Tensor) -> Tensor:
    """Return the mean divergence of the student's probabilities from the teacher's.

    Kullback-Leibler (Hinton, Vinyals, Dean 2015, at temperature 1), of the labelled pixels. How
    probable the teacher finds the other classes tells more than a label does.

    Args:
        logits: (N, C, H, W) float, the student's.
        taught: (N, C, H, W) float, the teacher's.
        labels: (N, H, W) int64, 255 where nothing is learned; at least one elsewhere.

    """
    divergence = functional.kl_div(
        logits.log_softmax(1), taught.log_softmax(1), reduction='none', log_target=True
    ).sum(1)
    labelled = labels != UNKNOWN
    return (divergence * labelled).sum() / labelled.sum()
