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
"""From logits on the network's grid to full-size labels, on the CPU.

A full-size volume of logits, (C, H, W) float32, would cost far more to write and read again than
the arithmetic, and most of it is not needed: see `upsample_cells`.
"""

import numpy as np
from numpy.typing import NDArray

from spssn_ros.inference.config import Size
from spssn_ros.inference.say_once import say_once
from spssn_ros.inference.threads import available_threads
from spssn_ros.inference.upsample_planes import upsample_planes


def upsample_argmax(
    logits: NDArray[np.float32], size: Size, threads: int = 0
) -> NDArray[np.uint8]:
    """Return the class with the greatest bilinearly upsampled logit at every pixel.

    Args:
        logits: (C, h, w) float32; fastest where its memory has the classes last.
        size: (width, height) of the result.
        threads: to share the work; 0 for those that this process may use.

    Returns:
        (H, W) uint8 class ids; the lower id where two are equal.

    """
    return _upsample(logits, size, False, threads)[0]


def upsample_argmax_confidence(
    logits: NDArray[np.float32], size: Size, threads: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the labels of `upsample_argmax` and the winners' softmax probability x 255.

    Both are (H, W) uint8.
    """
    labels, confidence = _upsample(logits, size, True, threads)
    assert confidence is not None
    return labels, confidence


def _upsample(
    logits: NDArray[np.float32], size: Size, with_confidence: bool, threads: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    try:
        from spssn_ros.inference.upsample_cells import upsample_cells
    except ImportError as error:
        say_once(
            f'labels are upsampled by OpenCV, several times slower, since numba is not there '
            f'({error}); pip install numba'
        )
        return upsample_planes(logits, size, with_confidence)
    return upsample_cells(logits, size, with_confidence, threads or available_threads())
