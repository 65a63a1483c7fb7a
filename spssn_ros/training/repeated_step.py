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
"""A training step that a GPU repeats by itself: one launch instead of some thousand."""

import logging
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from spssn_ros.errors import one_line
from spssn_ros.inference.config import Precision
from spssn_ros.inference.cuda_queue import WARM_UPS
from spssn_ros.models.blocks import PyramidPooling
from spssn_ros.training.config import TrainConfig

_log = logging.getLogger(__name__)

Step = Callable[[Tensor, Tensor], Tensor]
"""Takes images (N, H, W, 3) and labels (N, H, W), both uint8; gives the loss, a scalar."""


def can_repeat(config: TrainConfig, device: torch.device, processes: int) -> bool:
    """Whether a recipe's steps are the same work each time, with nothing asked of the device.

    Hard example mining and loss scaling look at values; auxiliary heads may see no label;
    `torch.compile` has graphs of its own; several processes talk to one another.
    """
    values_matter = config.ohem or config.auxiliary_weight or config.precision is Precision.FLOAT16
    return device.type == 'cuda' and processes == 1 and not (values_matter or config.compile)


class RepeatedStep:
    """Takes the first steps one operation after the other, then records one and repeats it.

    A light network's operations are so short that a GPU waits for their launches most of the time.
    Where recording fails, steps go on as the first ones.

    Args:
        step: forward, backward and optimiser, on the device; all of its state stays in place.
        networks: those that it runs.
        record: runs nothing, and returns what repeats the work given to it on the same tensors.

    """

    def __init__(
        self,
        step: Step,
        networks: Sequence[nn.Module],
        record: Callable[[Callable[[], None]], Callable[[], None]] | None = None,
    ) -> None:
        self._step, self._record = step, record or cuda_graph
        self._taken = 0
        self._repeat: Callable[[], None] | None = None
        self._loss = torch.zeros(())
        for module in nn.ModuleList(networks).modules():
            if isinstance(module, PyramidPooling):
                module.matrices = {}

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take a step; return the loss."""
        if self._taken < WARM_UPS:
            self._taken += 1
            return self._warm_up(images, labels)
        if self._repeat is None:
            self._images, self._labels = images.clone(), labels.clone()
            try:
                self._repeat = self._record(self._work)
            except RuntimeError as error:
                _log.warning('no CUDA graph (%s); training without one', one_line(error, 200))
                self._repeat = self._work
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._repeat()
        # The next step writes its own into the same place.
        return self._loss.clone()

    def _work(self) -> None:
        self._loss = self._step(self._images, self._labels)

    def _warm_up(self, images: Tensor, labels: Tensor) -> Tensor:
        if images.device.type != 'cuda':
            return self._step(images, labels)
        stream = torch.cuda.Stream()
        # The optimiser is surprised to be run outside a graph.
        warnings.filterwarnings('ignore', 'This instance was constructed with capturable')
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._step(images, labels)
        torch.cuda.current_stream().wait_stream(stream)
        return loss


def cuda_graph(work: Callable[[], None]) -> Callable[[], None]:
    """Record what `work` has the current CUDA device do, without doing it; return what does it."""
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    # The thread that pins batches calls CUDA meanwhile.
    with torch.cuda.graph(graph, capture_error_mode='thread_local'):
        work()
    return graph.replay
