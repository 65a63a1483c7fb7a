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
"""The queue's streams and graphs on a simulated device, whose streams run at any pace."""

import random
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spssn_ros.inference.cuda_program import Program, Shape, Sizes
from spssn_ros.inference.cuda_queue import WARM_UPS, CudaQueue

SIZE = (6, 5)


class Event:
    def __init__(self, device: 'Device') -> None:
        self.device, self.done = device, False

    def happen(self) -> None:
        self.done = True

    def synchronize(self) -> None:
        while not self.done:
            self.device.step()


class Stream:
    """What is to be done in order, each perhaps not before an event."""

    def __init__(self, device: 'Device', _: torch.device) -> None:
        self.device = device
        self.work: deque[tuple[Event | None, Callable[[], object]]] = deque()
        device.streams.append(self)

    def put(self, work: Callable[[], object], after: Event | None = None) -> None:
        self.work.append((after, work))

    def record_event(self) -> Event:
        event = Event(self.device)
        self.put(event.happen)
        return event

    def wait_stream(self, other: 'Stream') -> None:
        self.put(lambda: None, other.record_event())

    def synchronize(self) -> None:
        while self.work:
            self.device.step()


class Graph:
    """What was called between the beginning and the end of its capture."""

    is_valid = True

    def __init__(self, device: 'Device') -> None:
        self.device = device
        self.captured: list[Callable[[], object]] = []

    def capture_begin(self, **_: object) -> None:
        self.device.capturing = self

    def capture_end(self) -> None:
        self.device.capturing = None
        if not self.is_valid:
            raise RuntimeError('CUDA error: capture is\ninvalid')

    def replay(self) -> None:
        assert self.device.current is not None
        for work in self.captured:
            self.device.current.put(work)


class Entered:
    def __init__(self, device: 'Device', stream: Stream) -> None:
        self.device, self.stream = device, stream

    def __enter__(self) -> None:
        self.before, self.device.current = self.device.current, self.stream

    def __exit__(self, *_: object) -> None:
        self.device.current = self.before


class Device(TorchDispatchMode):
    """Puts off copies and clearing, as CUDA does, and does them in any order that is allowed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.streams: list[Stream] = []
        self.current: Stream | None = None
        self.capturing: Graph | None = None
        self.works = False
        self.synchronized: list[Stream | None] = []

    def synchronize(self) -> None:
        self.synchronized.append(self.current)

    def step(self) -> None:
        ready = [s for s in self.streams if s.work and (s.work[0][0] is None or s.work[0][0].done)]
        _, work = self.random.choice(ready).work.popleft()
        self.works = True
        work()
        self.works = False

    def run_some(self) -> None:
        for _ in range(self.random.choice([0, 0, 0, 1, 3, 10])):
            if any(stream.work for stream in self.streams):
                self.step()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        if self.works or self.current is None:
            return func(*args, **(kwargs or {}))
        self.run_some()
        if func is torch.ops.aten.zeros.default:
            # Rubbish so far.
            cleared = torch.full(*args, 99, dtype=torch.uint8)
            self.current.put(cleared.zero_)
            return cleared
        if func is torch.ops.aten.copy_.default:
            work = partial(func, *args, **(kwargs or {}))
            if self.capturing is not None:
                self.capturing.captured.append(work)
            else:
                self.current.put(work)
            return args[0]
        return func(*args, **(kwargs or {}))


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Device]:
    def install(seed: int) -> Device:
        device = Device(seed)
        monkeypatch.setattr(torch.cuda, 'Stream', partial(Stream, device))
        monkeypatch.setattr(torch.cuda, 'CUDAGraph', partial(Graph, device))
        monkeypatch.setattr(torch.cuda, 'stream', partial(Entered, device))
        monkeypatch.setattr(torch.cuda, 'synchronize', device.synchronize)
        # Called by `torch.cuda.graph`, which is PyTorch's own here.
        monkeypatch.setattr(torch._C, '_host_emptyCache', lambda: None, raising=False)
        return device

    # Rubbish, as fresh pinned memory may hold.
    monkeypatch.setattr(
        CudaQueue, 'host_buffer', lambda _, shape: torch.full(shape, 77, dtype=torch.uint8)
    )
    return install


def compute(_: object, frames: Tensor, result: Tensor) -> None:
    for plane in range(2):
        result[plane].copy_(frames[..., plane])


@pytest.mark.parametrize('seed', range(25))
def test_frames_are_never_mixed_up_however_streams_run(
    seed: int, simulate: Callable[[int], Device]
) -> None:
    device = simulate(seed)
    queue, numbers = CudaQueue(torch.device('cpu')), np.random.default_rng(seed)
    begun: list[Any] = []
    with device:
        programs = {n: Program(compute, queue, Shape(n, Sizes(SIZE, SIZE))) for n in (1, 4)}
        for _ in range(60):
            if begun and (len(begun) > 4 or device.random.random() < 0.5):
                # The oldest or, of another stream of frames, the latest.
                frames, with_confidence, end = begun.pop(device.random.choice([0, 0, -1]))
                for rgb, result in zip(frames, end(), strict=True):
                    np.testing.assert_array_equal(result.labels, rgb[..., 0])
                    assert (result.confidence is not None) == with_confidence
                    if with_confidence:
                        np.testing.assert_array_equal(result.confidence, rgb[..., 1])
                continue
            most = device.random.choice([1, 4])
            shape = (device.random.randint(1, most), *SIZE[::-1], 3)
            frames = list(numbers.integers(0, 256, shape, np.uint8))
            with_confidence = device.random.random() < 0.5
            end = programs[most].begin(frames, with_confidence)
            begun.append((frames, with_confidence, end))
            device.run_some()


class Tensors:
    """Stands in for what a network computes on the way."""


def test_a_capture_that_fails_leaves_nothing_behind(
    simulate: Callable[[int], Device],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    device = simulate(0)
    queue = CudaQueue(torch.device('cpu'))
    made: list[weakref.ref[Tensors]] = []
    alive_at_release: list[bool] = []
    monkeypatch.setattr(queue, 'release', lambda: alive_at_release.append(made[-1]() is not None))

    def work() -> None:
        tensors = Tensors()
        made.append(weakref.ref(tensors))
        if device.capturing is not None:
            raise RuntimeError('operation not permitted when stream is capturing')

    # As where CUDA has called a capture invalid: PyTorch does not leave its stream then.
    monkeypatch.setattr(Graph, 'is_valid', False)
    before = torch.backends.cudnn.benchmark
    assert queue.prepare(work) is work
    assert len(made) == WARM_UPS + 1
    assert device.current is None, 'what the program itself calls goes into its own stream'
    assert device.synchronized == [device.streams[0]], 'it waits for the device of the queue'
    assert alive_at_release == [False]
    assert torch.backends.cudnn.benchmark == before
    assert 'no CUDA graph (CUDA error: capture is invalid)' in caplog.text


def test_one_graph_of_a_process_is_captured_at_a_time(
    simulate: Callable[[int], Device],
) -> None:
    simulate(0)
    first, second = threading.Event(), threading.Event()
    met: list[bool] = []
    before = torch.backends.cudnn.benchmark

    def slow() -> None:
        if not first.is_set():
            first.set()
            met.append(second.wait(0.3))

    queue = CudaQueue(torch.device('cpu'))
    thread = threading.Thread(target=queue.prepare, args=[slow])
    thread.start()
    assert first.wait(60)
    CudaQueue(torch.device('cpu')).prepare(second.set)
    thread.join(60)
    assert met == [False]
    assert torch.backends.cudnn.benchmark == before
