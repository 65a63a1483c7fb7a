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
"""The loss follows its formulas, recomputed here pixel by pixel."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.losses import jaccard_loss, pixel_loss, training_loss

WEIGHTS = torch.tensor([1.0, 3.0, 0.5])


def case(seed: int = 0, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, 3, size, size, generator=generator)
    labels = torch.randint(0, 3, (2, size, size), generator=generator)
    labels[:, :2] = 255
    return logits, labels


def by_hand(logits: torch.Tensor, labels: torch.Tensor, kept: np.ndarray) -> float:
    log_p = logits.log_softmax(1).permute(0, 2, 3, 1).reshape(-1, 3).double().numpy()
    total = weight = 0.0
    for row, label, keep in zip(log_p, labels.reshape(-1).tolist(), kept.reshape(-1), strict=True):
        if label != 255 and keep:
            total -= float(WEIGHTS[label]) * row[label]
            weight += float(WEIGHTS[label])
    return total / weight


def true_probability(logits: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    p = logits.softmax(1).gather(1, labels.clamp(max=2)[:, None])[:, 0]
    return p.numpy()


def test_plain_loss_weighs_classes() -> None:
    logits, labels = case()
    everything = np.ones(labels.shape, bool)
    assert float(pixel_loss(logits, labels, WEIGHTS, TrainConfig())) == pytest.approx(
        by_hand(logits, labels, everything), rel=1e-5
    )


def test_hard_pixels_are_those_under_the_threshold() -> None:
    logits, labels = case()
    hard = true_probability(logits, labels) < 0.4
    assert 0.2 < hard[labels.numpy() != 255].mean() < 0.8
    loss = pixel_loss(logits, labels, WEIGHTS, TrainConfig(ohem=0.4))
    assert float(loss) == pytest.approx(by_hand(logits, labels, hard), rel=1e-5)


def test_at_least_the_hardest_sixteenth_is_kept() -> None:
    logits, labels = case()
    # All is easy: every true class has nearly all the probability, some more than others.
    easy = logits + 30 * functional.one_hot(labels.clamp(max=2), 3).permute(0, 3, 1, 2)
    p = true_probability(easy.double(), labels)
    labelled = labels.numpy() != 255
    count = round(labelled.sum() / 16)
    assert (p[labelled] > 0.99).all()
    limit = np.sort(p[labelled])[count - 1]
    loss = pixel_loss(easy.double(), labels, WEIGHTS.double(), TrainConfig(ohem=0.7))
    assert float(loss) == pytest.approx(by_hand(easy.double(), labels, p <= limit), rel=1e-3)


def test_smoothing_spreads_the_truth() -> None:
    logits, labels = case()
    loss = pixel_loss(logits, labels, torch.ones(3), TrainConfig(label_smoothing=0.1))
    log_p = logits.log_softmax(1)
    hit = log_p.gather(1, labels.clamp(max=2)[:, None])[:, 0]
    each = -(0.9 * hit + 0.1 * log_p.mean(1))
    assert float(loss) == pytest.approx(float(each[labels != 255].mean()), rel=1e-5)


def test_auxiliary_losses_are_added_at_their_own_size() -> None:
    logits, labels = case()
    coarse = torch.randn(2, 3, 4, 4)
    config = TrainConfig(auxiliary_weight=0.4)
    main = pixel_loss(logits, labels, WEIGHTS, config)
    # Each coarse pixel is judged by the label in its middle, not by that in its corner.
    extra = pixel_loss(coarse, labels[:, 2::4, 2::4], WEIGHTS, config)
    total = training_loss((logits, [coarse, coarse]), labels, WEIGHTS, config)
    assert float(total) == pytest.approx(float(main + 0.8 * extra), rel=1e-5)


def test_an_auxiliary_head_that_sees_void_only_adds_nothing() -> None:
    logits, labels = case()
    labels[:] = 255
    labels[0, 1, 1] = 2
    config = TrainConfig(auxiliary_weight=0.4)
    coarse = torch.randn(2, 3, 4, 4)
    total = training_loss((logits, [coarse]), labels, WEIGHTS, config)
    assert float(total) == pytest.approx(float(pixel_loss(logits, labels, WEIGHTS, config)))


def test_coarse_logits_are_upsampled() -> None:
    logits, labels = case(size=4)
    fine = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)
    upsampled = functional.interpolate(logits, (16, 16), mode='bilinear', align_corners=False)
    total = training_loss((logits, []), fine, WEIGHTS, TrainConfig())
    assert float(total) == pytest.approx(
        float(pixel_loss(upsampled, fine, WEIGHTS, TrainConfig()))
    )


def test_jaccard_loss_is_one_minus_the_mean_soft_iou() -> None:
    logits, labels = case()
    labels[labels == 2] = 255
    p = logits.softmax(1).permute(0, 2, 3, 1).reshape(-1, 3).double().numpy()
    truth = labels.reshape(-1).numpy()
    p, truth = p[truth != 255], truth[truth != 255]
    ious = []
    # Class 2 is nowhere, so it does not count.
    for k in (0, 1):
        intersection = p[truth == k, k].sum()
        ious.append(intersection / (p[:, k].sum() + (truth == k).sum() - intersection))
    assert float(jaccard_loss(logits, labels)) == pytest.approx(1 - np.mean(ious), rel=1e-5)


def test_jaccard_loss_of_sure_logits_is_one_minus_the_miou() -> None:
    logits, labels = case(1)
    sure = 1000 * functional.one_hot(logits.argmax(1), 3).permute(0, 3, 1, 2).float()
    matrix = ConfusionMatrix(3, 255)
    matrix.update(labels.numpy().astype(np.uint8), logits.argmax(1).numpy().astype(np.uint8))
    assert float(jaccard_loss(sure, labels)) == pytest.approx(1 - matrix.miou(), rel=1e-5)


def test_training_loss_adds_the_weighted_jaccard_loss() -> None:
    logits, labels = case()
    logits.requires_grad_()
    plain = training_loss((logits, ()), labels, WEIGHTS, TrainConfig())
    both = training_loss((logits, ()), labels, WEIGHTS, TrainConfig(jaccard_weight=0.5))
    expected = float((plain + 0.5 * jaccard_loss(logits, labels)).detach())
    assert float(both.detach()) == pytest.approx(expected, rel=1e-6)
    both.backward()
    assert logits.grad is not None
    # What is not labelled moves nothing.
    assert float(logits.grad[:, :, :2].abs().max()) == 0
    assert float(logits.grad[:, :, 2:].abs().min(1).values.min()) > 0


def test_jaccard_loss_of_no_label_at_all_is_zero_and_has_a_gradient() -> None:
    logits, labels = case()
    logits.requires_grad_()
    loss = training_loss(
        (logits, ()), torch.full_like(labels, 255), WEIGHTS, TrainConfig(jaccard_weight=1.0)
    )
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) == 0
