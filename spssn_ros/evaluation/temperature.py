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
"""Temperature scaling: one number that makes a network's confidence honest.

Guo et al., "On calibration of modern neural networks" (2017), sec. 4.2: logits are divided by a
temperature that minimises the negative log-likelihood on images not trained on. No label changes.
"""

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from spssn_ros.errors import BadImageError, BagError, ConfigError
from spssn_ros.evaluation.calibration import Calibration
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.evaluation.evaluate import EvaluationConfig, decoded_frames
from spssn_ros.inference.config import InputSize
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.labels import UNKNOWN
from spssn_ros.models import Network, WeightsInfo

_PIXELS = 1000
"""Drawn from each frame: neighbours say the same, and so little fits into memory."""


@dataclass(frozen=True)
class Fit:
    """A temperature and what it does.

    Attributes:
        temperature: above 1 for a network that was too sure.
        error_before, error_after: expected calibration error without and with it, on the pixels
            that it was fitted to.
        frames: that these pixels come from.

    """

    temperature: float
    error_before: float
    error_after: float
    frames: int


def fit_temperature(logits: Tensor, truth: Tensor) -> float:
    """Return the temperature that minimises the negative log-likelihood.

    Args:
        logits: (N, C) float.
        truth: (N,) int64 class ids.

    Raises:
        ConfigError: there is none, as for a network that is always right, or never.

    """
    logits = logits.double()
    # The likelihood is convex in the inverse of the temperature.
    inverse = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([inverse], max_iter=200, line_search_fn='strong_wolfe')

    def closure() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits * inverse, truth)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer.step(closure)
    found = float(inverse.detach())
    if not (math.isfinite(found) and 1e-3 < found < 1e3):
        raise ConfigError(
            f'no temperature fits these frames (its inverse came out as {found:.3g}); give more '
            'frames, which the network has not been trained on'
        )
    return 1 / found


def calibrate(
    config: EvaluationConfig,
    model: Network,
    info: WeightsInfo,
    input_size: InputSize | None = None,
    progress: Callable[[], Any] = lambda: None,
) -> Fit:
    """Fit the temperature of a network on bags with truth.

    Args:
        config: the bags.
        model: the network, in evaluation mode.
        info: its weights' metadata; the temperature in them is not looked at.
        input_size: the size at which frames enter the network.
        progress: called after each frame.

    Raises:
        BagError: a bag that cannot be used, truth that does not fit, or no labelled pixel in any.
        ConfigError: truth of other classes, or no temperature fits.

    """
    config.truth.check(info.label_set)
    network = FromUint8(model, info.normalisation).eval()
    input_size = input_size or InputSize()
    logits, truths, frames = [], [], 0
    scored = ConfusionMatrix(len(info.label_set))
    for share in config.work():
        with closing(decoded_frames(share, config, info.label_set)) as decoded:
            for frame in decoded:
                assert frame.rgb is not None
                size = input_size.for_frame(
                    (frame.rgb.shape[1], frame.rgb.shape[0]), info.input_size, model.output_stride
                )
                planes = _full_size(network, resize_frame(frame.rgb, size), frame.rgb.shape[:2])
                try:
                    # Refuses what evaluation refuses: truth of another size, or ids of no class.
                    scored.update(frame.truth, planes.argmax(0).to(torch.uint8).numpy())
                except BadImageError as error:
                    raise share.source.located(frame.stamp_ns, error) from error
                labelled = np.flatnonzero(frame.truth != UNKNOWN)
                rng = np.random.default_rng(frames)
                drawn = rng.choice(labelled, min(_PIXELS, len(labelled)), replace=False)
                logits.append(planes.reshape(len(planes), -1)[:, drawn].T)
                truths.append(torch.from_numpy(frame.truth.reshape(-1)[drawn]).long())
                frames += 1
                progress()
        if share.has_no_pair:
            raise share.source.no_pair()
    truth, scores = torch.cat(truths), torch.cat(logits)
    if not len(truth):
        raise BagError(f'no pixel of {", ".join(map(str, config.bags))} is labelled')
    temperature = fit_temperature(scores, truth)
    before, after = (_error(scores / t, truth) for t in (1.0, temperature))
    return Fit(temperature, before, after, frames)


@torch.inference_mode()
def _full_size(network: FromUint8, frame: NDArray[np.uint8], shape: tuple[int, ...]) -> Tensor:
    """Return the logits of (H, W, 3) uint8 RGB at the `shape` (h, w), (C, h, w)."""
    # torch has no read-only tensors; a bag's messages are read-only arrays.
    frame = frame if frame.flags.writeable else frame.copy()
    logits = network(torch.from_numpy(frame[None]))
    return functional.interpolate(logits, shape, mode='bilinear', align_corners=False)[0].clone()


def _error(logits: Tensor, truth: Tensor) -> float:
    best, winners = logits.softmax(1).max(1)
    calibration = Calibration()
    calibration.update(
        truth.numpy().astype(np.uint8),
        winners.numpy().astype(np.uint8),
        (best * 255).round().numpy().astype(np.uint8),
    )
    return calibration.expected_error()
