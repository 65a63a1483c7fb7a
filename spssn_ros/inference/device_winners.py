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
"""Labels and confidence from logits, computed where the logits are."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from spssn_ros.models.fused import Fused

_BLOCK_ELEMENTS = 2**21


class WinnersWriter:
    """`write_winners` by one kernel of Triton's on CUDA, or by PyTorch where that does not work.

    Call it once before a CUDA graph is captured: then it is clear which.
    """

    def __init__(self) -> None:
        self._fused = Fused('upsampling')

    def __call__(self, logits: Tensor, inverse_temperature: Tensor, result: Tensor) -> None:
        """See `write_winners`."""
        arguments = logits, inverse_temperature, result
        plain = partial(write_winners, *arguments)
        if logits.is_cuda:
            self._fused(partial(_by_triton, *arguments), plain)
        else:
            plain()


def _by_triton(logits: Tensor, inverse_temperature: Tensor, result: Tensor) -> None:
    # Neither installed nor needed everywhere, and slow to import.
    from spssn_ros.inference import triton_winners

    triton_winners.write_winners(logits, inverse_temperature, result)


def write_winners(logits: Tensor, inverse_temperature: Tensor, result: Tensor) -> None:
    """Write the class with the greatest bilinearly upsampled logit at every pixel.

    Equal to `interpolate(bilinear, align_corners=False)` and argmax but for rounding. A block of
    rows at a time: the upsampled logits of a whole frame never exist. Waits for nothing and takes
    nothing from the host, so that a CUDA graph can hold it.

    Args:
        logits: (N, C, h, w) float32, float16 or bfloat16; upsampled in float32.
        inverse_temperature: one float32 above 0, by which the confidence takes logits times.
        result: (1, N, H, W) uint8, labels; or (2, N, H, W), labels and the winner's softmax
            probability x 255. Written in place.

    """
    logits = logits.float() * inverse_temperature
    count, classes, low, _ = logits.shape
    height, width = result.shape[-2:]
    position = (torch.arange(height, device=logits.device) + 0.5) * (low / height) - 0.5
    position = position.clamp(0, low - 1)
    above = position.long()
    below = (above + 1).clamp(max=low - 1)
    weight = (position - above)[:, None]
    rows = max(1, _BLOCK_ELEMENTS // (count * classes * width))
    for start in range(0, height, rows):
        block = slice(start, min(start + rows, height))
        upper = logits.index_select(2, above[block])
        lines = torch.lerp(upper, logits.index_select(2, below[block]), weight[block])
        size = (lines.shape[2], width)
        scores = functional.interpolate(lines, size, mode='bilinear', align_corners=False)
        best, winners = scores.max(1)
        result[0, :, block] = winners
        if len(result) > 1:
            result[1, :, block] = (torch.exp(best - scores.logsumexp(1)) * 255).round()
