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
"""Robustness: scores of a network on degraded images, each degradation at its fixed severity."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.imaging.degradation import Degradation, degrade, fixed_damage

CLEAN = 'clean'


def score_robustness(
    segment: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    samples: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    num_classes: int,
    progress: Callable[[], Any] = lambda: None,
) -> dict[str, ConfusionMatrix]:
    """Score images as they are, and under each degradation.

    The result depends on the network and the samples alone: noise is seeded by the sample's
    position.

    Args:
        segment: maps (H, W, 3) uint8 RGB to (H, W) uint8 class ids.
        samples: images with their truth, (H, W) uint8 class ids, 255 void.
        num_classes: of the truth.
        progress: called after each image.

    Returns:
        `clean` and every `Degradation`'s name, each with its confusion matrix.

    """
    matrices = {
        name: ConfusionMatrix(num_classes) for name in (CLEAN, *(d.value for d in Degradation))
    }
    for position, (image, truth) in enumerate(samples):
        matrices[CLEAN].update(truth, segment(image))
        for kind in Degradation:
            worse = degrade(image, fixed_damage(kind, seed=position))
            matrices[kind.value].update(truth, segment(worse))
        progress()
    return matrices
