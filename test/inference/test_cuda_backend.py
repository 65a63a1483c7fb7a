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
"""The CUDA backend: everything but the calls of CUDA runs on the CPU here, the rest on a GPU."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from spssn_ros.errors import BadImageError, GpuMemoryError
from spssn_ros.inference import InferenceConfig, Segmenter, cuda_backend, plan
from spssn_ros.inference.config import Device, Precision
from spssn_ros.inference.cuda_backend import CudaBackend
from spssn_ros.inference.cuda_program import Shape, Sizes
from spssn_ros.inference.device_winners import write_winners
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.models import MODEL_NAMES, create_model, load_weights

Paint = Callable[..., np.ndarray]
SIZE = (117, 77)
FLOAT32 = Precision.FLOAT32

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU')


class HostQueue:
    """Does at once, on a device without CUDA, what `CudaQueue` does on a stream."""

    def __init__(self, device: str = 'cpu') -> None:
        self.device = torch.device(device)
        self.prepared = self.repeated = self.released = 0
        self.errors: list[RuntimeError] = []
        self.done: list[str] = []

    def host_buffer(self, shape: tuple[int, ...]) -> torch.Tensor:
        # Rubbish, as fresh pinned memory may hold.
        return torch.full(shape, 77, dtype=torch.uint8)

    def entered(self) -> contextlib.AbstractContextManager[object]:
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def uploading(self) -> Iterator[None]:
        self.done.append('upload')
        yield

    def mark(self) -> Callable[[], None]:
        self.done.append('begun')
        return partial(self.done.append, 'waited')

    def prepare(self, work: Callable[[], None]) -> Callable[[], None]:
        if self.errors:
            raise self.errors.pop(0)
        self.prepared += 1
        work()

        def repeat() -> None:
            self.repeated += 1
            work()

        return repeat

    def wait(self) -> None:
        pass

    def release(self) -> None:
        self.released += 1


def deploy(weights: Path, precision: Precision, queue: Any) -> CudaBackend:
    model, info = load_weights(weights)
    return CudaBackend(
        FromUint8(fold_batch_norm(model), info.normalisation).eval(), precision, queue=queue
    )


def on_queue(weights: Path, queue: HostQueue, monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    """A segmenter that takes its device to be CUDA."""
    with monkeypatch.context() as patch:
        patch.setattr(plan, 'CudaBackend', lambda *args: CudaBackend(args[0], FLOAT32, 1, queue))
        patch.setattr(torch.cuda, 'is_available', lambda: True)
        return Segmenter(*load_weights(weights), InferenceConfig.parse('cuda'))


def fails() -> None:
    raise RuntimeError('the device is lost')


@pytest.fixture
def queue() -> HostQueue:
    return HostQueue()


@pytest.fixture
def backend(random_weights: Path, queue: HostQueue) -> CudaBackend:
    return deploy(random_weights, Precision.FLOAT32, queue)


@pytest.fixture(scope='module')
def reference(random_weights: Path) -> Segmenter:
    return Segmenter.from_weights(
        random_weights, device='cpu', precision='float32', backend='torch', input_size='native'
    )


@pytest.mark.parametrize(
    ('low', 'size'), [((5, 7), (56, 40)), ((5, 7), (53, 39)), ((1, 1), (3, 9)), ((9, 8), (8, 9))]
)
def test_winners_are_those_of_plain_interpolation(
    low: tuple[int, int], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = torch.randn(2, 5, *low, generator=torch.Generator().manual_seed(1)) * 3
    full = functional.interpolate(logits, size[::-1], mode='bilinear', align_corners=False)
    result = torch.full((2, 2, *size[::-1]), 9, dtype=torch.uint8)
    # Blocks of 1 to 3 rows: their seams must not show.
    for rows in (1, 3, 1000):
        monkeypatch.setattr(
            'spssn_ros.inference.device_winners._BLOCK_ELEMENTS', rows * 2 * 5 * size[0]
        )
        write_winners(logits, torch.tensor(1.0), result)
        chosen = full.gather(1, result[0][:, None].long())[:, 0]
        assert float((full.amax(1) - chosen).max()) < 1e-4
        assert (result[0] == full.argmax(1)).float().mean() > 0.99
        probability = full.softmax(1).amax(1) * 255
        assert float((result[1] - probability).abs().max()) < 0.51
    alone = torch.zeros(1, *result.shape[1:], dtype=torch.uint8)
    write_winners(logits, torch.tensor(1.0), alone)
    assert torch.equal(alone[0], result[0])


def test_on_the_cpu_it_gives_what_the_cpu_s_own_backend_gives(
    backend: CudaBackend, reference: Segmenter, picture: Paint
) -> None:
    for seed in (0, 1):
        rgb = np.roll(picture(*SIZE), 11 * seed, 1)
        expected = reference(rgb, with_confidence=True)
        result = backend.segment(rgb, SIZE, SIZE, True)
        assert (result.labels == expected.labels).mean() > 0.999
        assert result.confidence is not None
        assert expected.confidence is not None
        assert np.abs(result.confidence.astype(int) - expected.confidence).max() <= 1
        alone = backend.segment(rgb, SIZE, SIZE, False)
        assert alone.confidence is None
        np.testing.assert_array_equal(alone.labels, result.labels)


def test_a_result_outlives_the_next_frame(backend: CudaBackend, picture: Paint) -> None:
    rgb = picture(*SIZE)
    first = backend.segment(rgb, SIZE, SIZE, True)
    labels = first.labels.copy()
    backend.segment(255 - rgb, SIZE, SIZE, True)
    np.testing.assert_array_equal(first.labels, labels)


def test_frames_in_a_batch_are_answered_as_alone(backend: CudaBackend, picture: Paint) -> None:
    frames = [picture(160, 120) ^ np.uint8(90 * i) for i in range(3)]
    batch = backend.segment_batch(frames, SIZE, (160, 120), True)
    for rgb, result in zip(frames, batch, strict=True):
        alone = backend.segment(rgb, SIZE, (160, 120), True)
        assert (result.labels == alone.labels).mean() > 0.999
        assert result.labels.shape == (120, 160)
    assert (batch[0].labels != batch[1].labels).mean() > 0.02


@pytest.mark.parametrize('count', [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize('with_confidence', [True, False])
def test_any_number_of_frames_takes_one_of_two_graphs(
    count: int, with_confidence: bool, backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    frames = [picture(*SIZE) ^ np.uint8(85 * i % 256) for i in range(9)]
    # Others lie in the buffers from before, a row each.
    backend.segment_batch([255 - rgb for rgb in frames[:4]], SIZE, SIZE, True)
    expected = [backend.segment(rgb, SIZE, SIZE, True) for rgb in frames]
    assert all((a.labels != b.labels).mean() > 0.01 for a, b in pairwise(expected))
    assert queue.prepared == 2
    queue.repeated = 0
    results = backend.segment_batch(frames[:count], SIZE, SIZE, with_confidence)
    assert len(results) == count
    for result, alone in zip(results, expected, strict=False):
        assert (result.labels == alone.labels).mean() > 0.999
        assert (result.confidence is not None) == with_confidence
        if result.confidence is not None and alone.confidence is not None:
            assert np.abs(result.confidence.astype(int) - alone.confidence).max() <= 1
    # Three and four go together, and one more alone.
    assert queue.repeated == {1: 1, 2: 2, 3: 1, 4: 1, 5: 2, 9: 3}[count]
    assert queue.prepared == 2


def test_cameras_of_many_sizes_do_not_drive_out_one_another_s_graphs(
    backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    backend.expected = 12
    prepared = []
    for _ in range(3):
        for number in range(12):
            size = (32 + 8 * number, 32)
            backend.segment(picture(*size), size, size, False)
        prepared.append(queue.prepared)
    assert prepared[2] == prepared[1]


@pytest.mark.parametrize('alone_first', [True, False])
def test_a_batch_prepares_for_frames_that_come_alone_too(
    alone_first: bool, backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    rgb = picture(*SIZE)
    if alone_first:
        backend.segment(rgb, SIZE, SIZE, False)
    backend.segment_batch([rgb] * 3, SIZE, SIZE, False)
    assert queue.prepared == 2
    backend.segment(rgb, SIZE, SIZE, False)
    assert queue.prepared == 2


def test_expected_batches_are_prepared_for_with_the_first_frame_of_a_size(
    backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    rgb = picture(*SIZE)
    # Two frames go one after the other.
    for expected, prepared in ((1, 1), (2, 1), (3, 2), (4, 2)):
        backend.expected = expected
        backend.segment(rgb, SIZE, SIZE, False)
        assert queue.prepared == prepared
    backend.segment_batch([rgb] * 4, SIZE, SIZE, True)
    backend.segment(rgb, SIZE, SIZE, True)
    assert queue.prepared == 2


def test_the_next_frame_of_a_stream_goes_up_while_one_is_computed(
    random_weights: Path, queue: HostQueue, picture: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = on_queue(random_weights, queue, monkeypatch)
    frames = [picture(*SIZE) ^ np.uint8(60 * i) for i in range(4)]
    # A frame of another size among them has buffers of its own.
    frames[2] = np.ascontiguousarray(frames[2][:64, :64])
    expected = [segmenter(rgb, True) for rgb in frames]
    queue.done.clear()
    results = list(segmenter.stream(enumerate(frames), lambda item: item[1], True))
    first, then = ['upload', 'begun'], ['upload', 'begun', 'waited']
    assert queue.done == [*first, *then, *then, *then, 'waited']
    assert [item[0] for item, _ in results] == [0, 1, 2, 3]
    for (_, result), alone in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result.labels, alone.labels)
        np.testing.assert_array_equal(result.confidence, alone.confidence)


def test_a_stream_that_ends_early_leaves_nothing_begun(
    random_weights: Path, queue: HostQueue, picture: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = on_queue(random_weights, queue, monkeypatch)
    rgb = picture(*SIZE)
    expected = segmenter(rgb).labels
    for _ in range(3):
        # Closed by its user, ended by a frame, ended by the device: more often than buffers are.
        stream = segmenter.stream([rgb] * 4, lambda frame: frame)
        next(stream)
        stream.close()
        with pytest.raises(BadImageError):
            list(segmenter.stream([rgb, rgb[..., :2]], lambda frame: frame))
        monkeypatch.setattr(queue, 'mark', fails)
        with pytest.raises(RuntimeError, match='lost'):
            list(segmenter.stream([rgb], lambda frame: frame))
        monkeypatch.setattr(queue, 'mark', lambda: fails)
        with pytest.raises(RuntimeError, match='lost'):
            list(segmenter.stream([rgb], lambda frame: frame))
        monkeypatch.undo()
    assert queue.done.count('begun') == queue.done.count('waited')
    np.testing.assert_array_equal(segmenter(rgb).labels, expected)


def test_several_streams_at_once_give_what_calls_give(
    random_weights: Path, queue: HostQueue, picture: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = on_queue(random_weights, queue, monkeypatch)
    frames = [picture(*SIZE) ^ np.uint8(30 * i) for i in range(8)]
    expected = [segmenter(rgb, True) for rgb in frames]
    monkeypatch.setattr(queue, 'wait', partial(queue.done.append, 'cleared'))
    queue.done.clear()
    streams = [segmenter.stream(frames[i:], lambda rgb: rgb, True) for i in range(3)]
    for number, results in enumerate(zip(*streams, strict=False)):
        for i, (_, result) in enumerate(results):
            np.testing.assert_array_equal(result.labels, expected[number + i].labels)
            np.testing.assert_array_equal(result.confidence, expected[number + i].confidence)
    # Two streams were left with a frame begun.
    for stream in streams:
        stream.close()
    assert queue.done.count('begun') == queue.done.count('waited')
    # A fresh buffer is the queue's before a frame goes up into it.
    assert 'cleared' in queue.done
    assert all(then == 'upload' for done, then in pairwise(queue.done) if done == 'cleared')
    # What more frames than usual took is given back.
    (program,) = segmenter.backend._programs.values()
    assert len(program._free) == segmenter.backend.max_begun == 2
    np.testing.assert_array_equal(segmenter(frames[5]).labels, expected[5].labels)


def test_a_shape_is_prepared_once_and_few_are_kept(
    backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    sizes = [(32 + 8 * i, 32) for i in range(12)]
    for size in [*sizes, sizes[0]]:
        backend.segment(picture(*size), size, size, False)
    assert (queue.prepared, queue.repeated, queue.released) == (12, 13, 0)
    # The thirteenth goes in the place of the second, the one unused for longest.
    for size in ((200, 32), sizes[0], sizes[1]):
        backend.segment(picture(*size), size, size, False)
    assert (queue.prepared, queue.released, len(backend._programs)) == (14, 2, 12)


def test_memory_that_runs_out_costs_the_other_shapes_first(
    backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    rgb = picture(*SIZE)
    expected = backend.segment(rgb, SIZE, SIZE, False).labels
    queue.errors = [torch.cuda.OutOfMemoryError('CUDA out of memory')]
    backend.segment(rgb, (64, 32), SIZE, False)
    assert (queue.released, len(backend._programs)) == (1, 1)
    np.testing.assert_array_equal(backend.segment(rgb, SIZE, SIZE, False).labels, expected)


@pytest.mark.parametrize('expected_frames', [1, 4])
def test_a_batch_without_memory_leaves_frames_to_be_done_one_by_one(
    expected_frames: int,
    random_weights: Path,
    queue: HostQueue,
    picture: Paint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    segmenter = on_queue(random_weights, queue, monkeypatch)
    frames = [picture(*SIZE) ^ np.uint8(60 * i) for i in range(4)]
    expected = [segmenter(rgb).labels for rgb in frames]
    segmenter.expect(expected_frames)
    queue.errors = [torch.cuda.OutOfMemoryError('CUDA out of memory')]
    np.testing.assert_array_equal(segmenter(frames[0]).labels, expected[0])
    for result, labels in zip(segmenter.batch(frames[:3]), expected, strict=False):
        np.testing.assert_array_equal(result.labels, labels)
    assert caplog.text.count('no GPU memory for 4 frames at once; one by one') == 1
    assert segmenter.max_batch == 1
    # The graph for one frame is the one from before.
    assert (queue.prepared, queue.released, queue.errors) == (1, 1, [])


@pytest.mark.parametrize('prepared', [True, False])
def test_a_batch_without_memory_leaves_none_to_other_batches(
    prepared: bool, backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    frames = [picture(*SIZE) ^ np.uint8(60 * i) for i in range(4)]
    expected = [backend.segment(rgb, SIZE, SIZE, False).labels for rgb in frames]
    other, own = (Sizes((64, 32), SIZE), Sizes(SIZE, SIZE))
    for sizes in (other, own) if prepared else (other,):
        backend.segment_batch(frames, *sizes, False)
    error = torch.cuda.OutOfMemoryError('CUDA out of memory')
    if prepared:
        # Without a graph it takes memory each time.
        def is_out() -> None:
            raise error

        backend._programs[Shape(4, own)]._repeat = is_out
    else:
        queue.errors = [error]
    results = backend.segment_batch(frames, *own, False)
    for result, labels in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result.labels, labels)
    assert backend.max_batch == 1
    assert set(backend._programs) == {Shape(1, other), Shape(1, own)}
    assert queue.released == 1


def test_a_batch_that_fails_otherwise_fails(
    backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    rgb = picture(*SIZE)
    backend.segment(rgb, SIZE, SIZE, False)
    queue.errors = [RuntimeError('something else')]
    with pytest.raises(RuntimeError, match=r'^something else$'):
        backend.segment_batch([rgb] * 4, SIZE, SIZE, False)
    assert len(backend.segment_batch([rgb] * 4, SIZE, SIZE, False)) == 4


def test_two_frames_of_which_one_cannot_be_begun_leave_nothing_begun(
    backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    rgb = picture(*SIZE)
    backend.segment(rgb, SIZE, SIZE, False)
    queue.done.clear()
    with pytest.raises(ValueError, match='could not broadcast'):
        backend.segment_batch([rgb, rgb[..., :2]], SIZE, SIZE, False)
    assert queue.done.count('begun') == queue.done.count('waited') == 1
    (program,) = backend._programs.values()
    assert len(program._free) == 2


def test_memory_that_runs_out_for_good_is_explained(
    backend: CudaBackend, queue: HostQueue, picture: Paint
) -> None:
    rgb = picture(*SIZE)
    for error in (
        torch.cuda.OutOfMemoryError('CUDA out of memory'),
        RuntimeError('CUDA error: out of memory'),
        RuntimeError('cuDNN error: CUDNN_STATUS_ALLOC_FAILED'),
        # As since cuDNN 9.
        RuntimeError('cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED'),
    ):
        queue.errors = [error] * 2
        with pytest.raises(
            GpuMemoryError, match=r'^out of GPU memory at network input 64x32; give a smaller'
        ):
            backend.segment(rgb, (64, 32), SIZE, False)
    queue.errors = [RuntimeError('something else')]
    with pytest.raises(RuntimeError, match=r'^something else$'):
        backend.segment(rgb, (64, 32), SIZE, False)
    assert backend.segment(rgb, (64, 32), SIZE, False).labels.shape == SIZE[::-1]


def test_a_device_that_others_have_filled_is_explained(
    random_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(device: torch.device) -> None:
        raise RuntimeError('CUDA error: out of memory\nCUDA kernel errors might be')

    monkeypatch.setattr(cuda_backend, 'CudaQueue', is_full)
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 0)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    with pytest.raises(GpuMemoryError, match=r'^out of GPU memory at the network; give'):
        Segmenter.from_weights(random_weights, device='cuda')


def test_a_segmenter_moves_to_the_cpu_and_gives_the_same(
    random_weights: Path, picture: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues: list[HostQueue] = []

    def create(network: FromUint8, precision: Precision, cpu_threads: int) -> CudaBackend:
        queues.append(HostQueue())
        return CudaBackend(network, Precision.FLOAT32, cpu_threads, queues[-1])

    monkeypatch.setattr(plan, 'CudaBackend', create)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    config = InferenceConfig.parse('cuda', precision='float32', input_size='64x32')
    segmenter = Segmenter(*load_weights(random_weights), config)
    rgb = picture(*SIZE)
    expected = segmenter(rgb).labels
    assert segmenter.max_batch == 4
    assert [r.labels.shape for r in segmenter.batch([rgb, rgb])] == [SIZE[::-1]] * 2
    queues[0].errors = [torch.cuda.OutOfMemoryError('CUDA out of memory')] * 2
    with pytest.raises(GpuMemoryError):
        segmenter(picture(64, 64))
    segmenter.move_to_cpu()
    assert segmenter.plan.device is Device.CPU
    assert segmenter.max_batch == 1
    assert segmenter.input_size_for(SIZE) == (64, 32)
    assert (segmenter(rgb).labels == expected).mean() > 0.99


class OnDeviceOnly(TorchDispatchMode):
    """Fails at whatever touches another device, which a captured graph cannot repeat."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for value in torch.utils._pytree.tree_leaves((args, kwargs, result)):
            if isinstance(value, torch.Tensor):
                assert value.device.type == 'meta', f'{func} touches {value.device}'
        return result


@pytest.mark.parametrize('name', MODEL_NAMES)
@pytest.mark.parametrize('precision', [Precision.FLOAT32, Precision.FLOAT16])
def test_captured_work_stays_on_the_device_and_asks_it_nothing(
    name: str, precision: Precision, random_network: Any
) -> None:
    network = FromUint8(fold_batch_norm(create_model(name, 5)), random_network[1].normalisation)
    seen = 0

    class Strict(HostQueue):
        def prepare(self, work: Callable[[], None]) -> Callable[[], None]:
            nonlocal seen
            # As the warm-up does: what is made once is made now.
            work()
            with OnDeviceOnly():
                work()
            seen += 1
            return work

    # Tensors of this device have no values: reading one back raises.
    backend = CudaBackend(network, precision, queue=Strict('meta'))
    shape = Shape(2, Sizes((96, 64), (192, 128)))
    with torch.inference_mode():
        backend._program(shape)
    assert seen == 1


def test_the_check_for_the_device_sees_what_comes_from_the_host() -> None:
    with OnDeviceOnly(), pytest.raises(AssertionError, match='touches cpu'):
        torch.zeros(3).to('meta')


def test_the_half_precisions_compute_the_network_in_them(
    random_weights: Path, queue: HostQueue, reference: Segmenter, picture: Paint
) -> None:
    backend = deploy(random_weights, Precision.BFLOAT16, queue)
    dtypes = {p.dtype for p in backend._network.model.parameters()}
    assert dtypes == {torch.bfloat16}
    assert backend._network.scale.dtype is torch.float32
    rgb = picture(*SIZE)
    agreement = (backend.segment(rgb, SIZE, SIZE, False).labels == reference(rgb).labels).mean()
    assert agreement > 0.85


# What follows runs where there is a GPU.


@needs_cuda
@pytest.mark.parametrize('precision', [Precision.FLOAT16, Precision.BFLOAT16])
def test_a_gpu_agrees_with_the_cpu(
    precision: Precision, random_weights: Path, reference: Segmenter, picture: Paint
) -> None:
    backend = deploy(random_weights, precision, None)
    for shift in range(5):
        rgb = np.roll(picture(*SIZE), 11 * shift, 1)
        result, expected = backend.segment(rgb, SIZE, SIZE, True), reference(rgb, True)
        # Random weights leave the classes close, so that rounding turns some.
        assert (result.labels == expected.labels).mean() > 0.85
        assert result.confidence is not None
        assert expected.confidence is not None
        assert np.abs(result.confidence.astype(int) - expected.confidence).mean() < 8
        again = backend.segment(rgb, SIZE, SIZE, True)
        np.testing.assert_array_equal(again.labels, result.labels)


@needs_cuda
@pytest.mark.parametrize('count', [2, 3, 4])
def test_a_batch_on_a_gpu_gives_what_calls_give(
    count: int, random_weights: Path, picture: Paint
) -> None:
    segmenter = Segmenter.from_weights(random_weights, device='cuda', precision='float16')
    segmenter.expect(count)
    frames = [picture(640, 480) ^ np.uint8(85 * i % 256) for i in range(count)]
    for _ in range(3):
        expected = [segmenter(rgb, True) for rgb in frames]
        for number, result in enumerate(segmenter.batch(frames, True)):
            # cuDNN may take other algorithms for four, whose rounding turns close classes.
            alike = [(result.labels == alone.labels).mean() for alone in expected]
            assert alike[number] == max(alike) > 0.95
            assert alike.count(max(alike)) == 1
            confidence = expected[number].confidence
            assert result.confidence is not None
            assert confidence is not None
            assert np.abs(result.confidence.astype(int) - confidence).mean() < 4


@needs_cuda
def test_a_stream_on_a_gpu_gives_what_calls_give(random_weights: Path, picture: Paint) -> None:
    segmenter = Segmenter.from_weights(random_weights, device='cuda', precision='float16')
    frames = [np.roll(picture(640, 480), 11 * i, 1) for i in range(50)]
    expected = [segmenter(rgb).labels for rgb in frames]
    for _ in range(5):
        streamed = segmenter.stream(frames, lambda rgb: rgb)
        for (_, result), labels in zip(streamed, expected, strict=True):
            np.testing.assert_array_equal(result.labels, labels)


@needs_cuda
def test_several_streams_on_a_gpu_give_what_calls_give(
    random_weights: Path, picture: Paint
) -> None:
    segmenter = Segmenter.from_weights(random_weights, device='cuda', precision='float16')
    frames = [np.roll(picture(640, 480), 11 * i, 1) for i in range(50)]
    expected = [segmenter(rgb).labels for rgb in frames]
    streams = [segmenter.stream(frames[i:], lambda rgb: rgb) for i in range(3)]
    for number, results in enumerate(zip(*streams, strict=False)):
        for i, (_, result) in enumerate(results):
            np.testing.assert_array_equal(result.labels, expected[number + i])


@needs_cuda
def test_a_hundred_sizes_take_no_more_gpu_memory_than_a_few(
    random_weights: Path, picture: Paint
) -> None:
    backend = deploy(random_weights, Precision.FLOAT16, None)

    def reserved_after(sizes: range) -> int:
        for width in sizes:
            size = (256 + width % 7 * 8, 256)
            backend.segment(picture(*size), size, (size[0] + width, 256), False)
        return torch.cuda.memory_reserved()

    before = reserved_after(range(10))
    assert reserved_after(range(10, 110)) <= before + 32 * 2**20


@needs_cuda
def test_a_gpu_that_captures_no_graph_works_without(
    random_weights: Path,
    picture: Paint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rgb = picture(*SIZE)
    expected = deploy(random_weights, Precision.FLOAT16, None).segment(rgb, SIZE, SIZE, False)

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError('operation not permitted when stream is capturing')

    monkeypatch.setattr(torch.cuda, 'graph', refuse)
    with caplog.at_level(logging.WARNING):
        backend = deploy(random_weights, Precision.FLOAT16, None)
        result = backend.segment(rgb, SIZE, SIZE, False)
    assert 'no CUDA graph (operation not permitted' in caplog.text
    # cuDNN may take other algorithms, whose rounding turns some of these close classes.
    assert (result.labels == expected.labels).mean() > 0.95


@needs_cuda
def test_a_frame_too_large_for_the_gpu_is_explained_and_the_next_one_answered(
    random_weights: Path, picture: Paint
) -> None:
    backend = deploy(random_weights, Precision.FLOAT16, None)
    total = torch.cuda.mem_get_info()[1]
    torch.cuda.set_per_process_memory_fraction(
        min(1.0, (torch.cuda.memory_reserved() + 256 * 2**20) / total)
    )
    try:
        with pytest.raises(GpuMemoryError, match='out of GPU memory at network input 8192x8192'):
            backend.segment(picture(64, 64), (8192, 8192), (64, 64), False)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert backend.segment(picture(*SIZE), SIZE, SIZE, False).labels.shape == SIZE[::-1]
