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
"""The engine: an RGB frame in, labels at its size out."""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import BadImageError
from spssn_ros.inference.backend import AheadBackend, BatchBackend, Segmentation
from spssn_ros.inference.config import (
    BackendName,
    InferenceConfig,
    InputSize,
    Precision,
    Size,
    size_text,
)
from spssn_ros.inference.cpu_precision import cpu_prefers_integers
from spssn_ros.inference.plan import create_backend
from spssn_ros.inference.preprocess import FromUint8, check_frame
from spssn_ros.labels import LabelSet
from spssn_ros.models import Network, QuantizedGraph, WeightsInfo, load_graph, load_weights

T = TypeVar('T')


class Segmenter:
    """A network ready to segment frames.

    Threads may share it: one frame is computed after the other. Processes may too: pickled, it
    takes the network along, and is deployed anew where it arrives.

    Args:
        model: the network.
        info: what its weights file says of it.
        config: how to run it.
        graph: the same network in 8-bit integers, which precision int8 needs; see `load_graph`.

    Raises:
        ConfigError: precision int8 without a graph.
        DeviceError: the device or backend asked for is not there, or has not that precision.
        GpuMemoryError: the network does not fit into the GPU's memory.

    """

    def __init__(
        self,
        model: Network,
        info: WeightsInfo,
        config: InferenceConfig | None = None,
        graph: QuantizedGraph | None = None,
    ) -> None:
        self.info = info
        self.config = config or InferenceConfig()
        self.output_stride = model.output_stride
        self._entered: Size | None = None
        self._preparing = False
        self._prepared_at_s = float('-inf')
        self._model = model
        self._graph = graph
        # Of what a backend takes for a frame, there is one.
        self._turn = threading.Lock()
        self._deploy()

    def _deploy(self) -> None:
        # Of a copy, so that the model stays on the CPU.
        network = FromUint8.deployed(self._model, self.info)
        self.backend, self.plan = create_backend(network, self.config, self._graph)
        # The sizes at which frames have entered and labels left, and whether several at once.
        self._ready: set[tuple[Size, Size, bool]] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        # What is deployed belongs to this process.
        return type(self), (self._model, self.info, self.config, self._graph)

    @classmethod
    def from_weights(
        cls,
        path: str | os.PathLike[str] = 'spssn_camvid',
        device: str = 'auto',
        precision: str = 'auto',
        backend: str = 'auto',
        input_size: str = 'auto',
        cpu_threads: int = 0,
    ) -> 'Segmenter':
        """Load a weights file, given by path or by the name of a shipped one.

        Args:
            path: .safetensors file, or a shipped name such as 'spssn_camvid'.
            device: 'auto', 'cuda' or 'cpu'.
            precision: 'auto', 'float32', 'bfloat16', 'float16' or 'int8'.
            backend: 'auto', 'torch' or 'openvino'.
            input_size: 'auto', 'native' or 'WxH'; see `InputSize`.
            cpu_threads: on the CPU, 0 for automatic.

        Raises:
            ConfigError: an option that cannot be used, or int8 for weights without such a graph.
            WeightsError: no such file, or not a weights file.
            DeviceError: the device or backend asked for is not there, or has not that precision.
            GpuMemoryError: the network does not fit into the GPU's memory.

        """
        config = InferenceConfig.parse(device, backend, precision, input_size, cpu_threads)
        return cls(*load_weights(path), config, wanted_graph(path, config))

    @property
    def label_set(self) -> LabelSet:
        """Class names and palette."""
        return self.info.label_set

    @property
    def description(self) -> str:
        """Backend, precision and device in words; after a frame, what has computed it."""
        return self.backend.description

    def input_size_for(self, frame: Size) -> Size:
        """Return the (width, height) at which a frame of that size enters the network."""
        return self.config.input_size.for_frame(frame, self.info.input_size, self.output_stride)

    @property
    def would_gain_by_integers(self) -> bool:
        """Whether precision int8 would take frames such as the latest clearly faster."""
        return (
            self.plan.backend is BackendName.OPENVINO
            and self.backend.precision is not Precision.INT8
            and self._entered is not None
            and self._entered == self.info.int8_size
            and cpu_prefers_integers()
        )

    @property
    def prepared_at_s(self) -> float:
        """Until when (monotonic) it was at the first frame of a size; -infinity for never.

        For that frame it is compiled, which takes seconds. May be asked from any thread.
        """
        return time.monotonic() if self._preparing else self._prepared_at_s

    @property
    def max_batch(self) -> int:
        """Most frames that `batch` takes; 1 where the backend gains nothing by more."""
        return self.backend.max_batch if isinstance(self.backend, BatchBackend) else 1

    def expect(self, frames: int) -> None:
        """Say how many frames `batch` may be given.

        Then it is prepared for with the first frame of a size, not when there is no time for it.
        """
        if isinstance(self.backend, BatchBackend):
            self.backend.expected = frames

    def set_input_size(self, rule: InputSize) -> None:
        """Choose the size at which the next frames enter the network."""
        self.config = replace(self.config, input_size=rule)

    def move_to_cpu(self) -> None:
        """Go on on the CPU, where the GPU has no memory left."""
        self.config = self.config.on_cpu()
        self._deploy()

    def warm_up(self, frame: Size | None = None) -> None:
        """Compile and run once for frames of (width, height), by default the training size."""
        width, height = frame or self.info.input_size
        self(np.zeros((height, width, 3), np.uint8))

    def __call__(self, rgb: NDArray[np.uint8], with_confidence: bool = False) -> Segmentation:
        """Segment one frame.

        Args:
            rgb: (H, W, 3) uint8 RGB, any size.
            with_confidence: also return the winning class's probability.

        Raises:
            BadImageError: not such an array.
            GpuMemoryError: the GPU has too little memory left; see `move_to_cpu`.

        """
        entered, size = self._sizes(rgb)
        with self._turn, self._noted(entered, size, False):
            return self.backend.segment(rgb, entered, size, with_confidence)

    def batch(
        self, frames: Sequence[NDArray[np.uint8]], with_confidence: bool = False
    ) -> list[Segmentation]:
        """Segment frames of one size at once: as calls one by one, but for rounding.

        Args:
            frames: (H, W, 3) uint8 RGB each, all of one size; at most `max_batch`.
            with_confidence: also return the winning class's probability.

        Raises:
            BadImageError: as a call, or the sizes differ.
            GpuMemoryError: as a call.

        """
        if len(frames) == 1:
            return [self(frames[0], with_confidence)]
        sizes = [self._sizes(rgb) for rgb in frames]
        own = sorted({frame for _, frame in sizes})
        if len(own) > 1:
            raise BadImageError(
                f'frames of a batch must have one size, not {size_text(own[0])} and '
                f'{size_text(own[1])}; give them one by one'
            )
        if not frames or not isinstance(self.backend, BatchBackend):
            return [self(rgb, with_confidence) for rgb in frames]
        with self._turn, self._noted(*sizes[0], True):
            return self.backend.segment_batch(frames, *sizes[0], with_confidence)

    def stream(
        self,
        items: Iterable[T],
        picture: Callable[[T], NDArray[np.uint8]],
        with_confidence: bool = False,
    ) -> Generator[tuple[T, Segmentation], None, None]:
        """Yield (item, result) of frames in a row: as calls one by one, faster on a GPU.

        There the next frame is taken from `items`, and goes up, while one is computed; what it
        raises comes instead of that one's result.

        Args:
            items: what the frames are taken from.
            picture: gives the (H, W, 3) uint8 RGB of an item.
            with_confidence: also return the winning class's probability.

        Raises:
            BadImageError, GpuMemoryError: as a call.

        """
        most = self.backend.max_begun if isinstance(self.backend, AheadBackend) else 1
        begun: deque[tuple[T, Callable[[], Segmentation]]] = deque()
        try:
            for item in items:
                begun.append((item, self._begin(picture(item), with_confidence)))
                if len(begun) == most:
                    done, end = begun.popleft()
                    yield done, end()
            while begun:
                done, end = begun.popleft()
                yield done, end()
        finally:
            for _, end in begun:
                end()

    def _begin(self, rgb: NDArray[np.uint8], with_confidence: bool) -> Callable[[], Segmentation]:
        if not isinstance(self.backend, AheadBackend):
            return partial(self, rgb, with_confidence)
        sizes = self._sizes(rgb)
        with self._turn:
            return self.backend.begin(rgb, *sizes, with_confidence)

    def _sizes(self, rgb: NDArray[np.uint8]) -> tuple[Size, Size]:
        """Check a frame; return the size at which it enters the network, and its own."""
        check_frame(rgb)
        frame = (rgb.shape[1], rgb.shape[0])
        self._entered = self.input_size_for(frame)
        return self._entered, frame

    @contextlib.contextmanager
    def _noted(self, entered: Size, size: Size, several: bool) -> Iterator[None]:
        """Note whether it has to be prepared for what is computed meanwhile."""
        if (entered, size, several) in self._ready:
            yield
            return
        self._preparing = True
        try:
            yield
            self._ready.add((entered, size, several))
        finally:
            self._prepared_at_s = time.monotonic()
            self._preparing = False


def wanted_graph(
    weights: str | os.PathLike[str], config: InferenceConfig
) -> QuantizedGraph | None:
    """Return the 8-bit graph of a weights file, if the configuration asks for one.

    Raises:
        ConfigError: it has none.
        WeightsError: it is damaged.

    """
    return load_graph(weights) if config.precision is Precision.INT8 else None
