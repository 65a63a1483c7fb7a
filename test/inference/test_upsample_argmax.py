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
"""Labels and confidence from small logits equal PyTorch's on the full-size volume."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from spssn_ros.inference.upsample_argmax import upsample_argmax, upsample_argmax_confidence

SIZES = [
    # logits (C, h, w), labels (width, height)
    ((11, 45, 60), (480, 360)),
    ((19, 5, 8), (57, 33)),
    ((3, 8, 6), (41, 61)),
    ((2, 1, 1), (7, 5)),
    ((4, 6, 8), (8, 6)),
    ((4, 1, 9), (70, 3)),
    ((5, 40, 30), (13, 17)),
    ((1, 4, 4), (32, 32)),
]


def reference(logits: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    volume = torch.from_numpy(logits)[None].double()
    return functional.interpolate(volume, size[::-1], mode='bilinear', align_corners=False)[0]


@pytest.mark.parametrize(('shape', 'size'), SIZES)
def test_labels_and_confidence(shape: tuple[int, int, int], size: tuple[int, int]) -> None:
    logits = np.random.default_rng(0).normal(0, 3, shape).astype(np.float32)
    volume = reference(logits, size)
    labels, confidence = upsample_argmax_confidence(logits, size)
    np.testing.assert_array_equal(upsample_argmax(logits, size), labels)
    assert labels.shape == confidence.shape == (size[1], size[0])
    assert labels.dtype == confidence.dtype == np.uint8
    # Another winner only where two are as good as equal.
    chosen = volume.gather(0, torch.from_numpy(labels)[None].long())[0]
    assert (volume.amax(0) - chosen).max() <= 1e-5
    probability = volume.softmax(0).amax(0).numpy()
    assert np.abs(confidence / 255 - probability).max() <= 1 / 255


def test_the_lower_class_wins_a_tie() -> None:
    assert not upsample_argmax(np.ones((3, 2, 2), np.float32), (5, 5)).any()
    logits = np.array([0, 2, 2], np.float32).reshape(3, 1, 1)
    assert (upsample_argmax(logits, (3, 3)) == 1).all()


def test_confidence_of_known_odds() -> None:
    # Probabilities 0.8, 0.1, 0.1, and 1/3 each.
    odds = np.log(np.array([0.8, 0.1, 0.1], np.float32)).reshape(3, 1, 1)
    assert (upsample_argmax_confidence(odds, (4, 4))[1] == 204).all()
    assert (upsample_argmax_confidence(odds * 0, (4, 4))[1] == 85).all()


def test_great_logits_do_not_overflow() -> None:
    logits = np.array([1e4, -1e4, 9.9e3], np.float32).reshape(3, 1, 1)
    labels, confidence = upsample_argmax_confidence(logits, (2, 2))
    assert (labels == 0).all()
    assert (confidence == 255).all()
