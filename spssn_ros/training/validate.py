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
"""What a network under training scores on images."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.inference.config import InputSize
from spssn_ros.inference.preprocess import resize_frame
from spssn_ros.models.network import Network
from spssn_ros.training.arithmetic import Arithmetic, plain
from spssn_ros.training.augment import Sample


def validate(
    model: Network,
    samples: Iterable[Sample],
    input_size: tuple[int, int],
    arithmetic: Arithmetic,
    classes: int,
) -> ConfusionMatrix:
    """Score a network on some images, at their full size.

    Args:
        model: in evaluation mode, where the arithmetic is done.
        samples: (H, W, 3) uint8 RGB images, each with its (H, W) uint8 labels, 255 void.
        input_size: (width, height) of the area at which images enter, (0, 0) for their own.
        arithmetic: device and precision.
        classes: how many there are.

    """
    matrix = ConfusionMatrix(classes)
    with torch.inference_mode():
        for image, labels in samples:
            entering = _resized(image, input_size, model.output_stride)
            logits, _ = arithmetic.forward(plain(model), torch.from_numpy(entering[None]))
            logits = functional.interpolate(logits, labels.shape, mode='bilinear')
            matrix.update(labels, logits.argmax(1)[0].to(torch.uint8).cpu().numpy())
    return matrix


def _resized(
    image: NDArray[np.uint8], input_size: tuple[int, int], output_stride: int
) -> NDArray[np.uint8]:
    if input_size == (0, 0):
        return image
    frame = (image.shape[1], image.shape[0])
    return resize_frame(image, InputSize().for_frame(frame, input_size, output_stride))
