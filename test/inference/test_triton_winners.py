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
"""The kernel of labels and confidence, on a GPU or else in Triton's interpreter."""

import logging
import sys
import types
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from spssn_ros.inference.device_winners import WinnersWriter, write_winners

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
KERNEL = 'spssn_ros.inference.triton_winners'
HALF, BFLOAT16, FLOAT32 = torch.float16, torch.bfloat16, torch.float32

Write = Callable[[Tensor, Tensor, Tensor], None]


@pytest.fixture(scope='module')
def fused(triton_kernels: Callable[[str], ModuleType]) -> Write:
    write: Write = triton_kernels(KERNEL).write_winners
    return write


def draw(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return logits as networks give them: channels last."""
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 3
    return logits.to(DEVICE, dtype, memory_format=torch.channels_last)


def temperature() -> Tensor:
    return torch.tensor(1 / 1.7, device=DEVICE)


def poisoned(*shape: int) -> Tensor:
    return torch.full(shape, 123, dtype=torch.uint8, device=DEVICE)


@pytest.mark.parametrize(
    ('shape', 'size', 'dtype'),
    [
        ((3, 19, 5, 8), (37, 61), HALF),
        ((1, 11, 1, 1), (9, 3), FLOAT32),
        ((2, 2, 9, 8), (8, 9), BFLOAT16),
        ((2, 1, 3, 4), (5, 6), HALF),
        # Several programs to a row.
        ((1, 5, 2, 70), (7, 530), FLOAT32),
    ],
)
def test_it_gives_what_interpolation_argmax_and_softmax_give(
    fused: Write, shape: tuple[int, ...], size: tuple[int, int], dtype: torch.dtype
) -> None:
    logits = draw(shape, dtype)
    full = functional.interpolate(logits.float(), size, mode='bilinear', align_corners=False)
    result = poisoned(2, shape[0], *size)
    fused(logits, temperature(), result)
    chosen = full.gather(1, result[0][:, None].long())[:, 0]
    assert float((full.amax(1) - chosen).max()) < 1e-4
    assert (result[0] == full.argmax(1)).float().mean() > 0.99
    probability = (full * temperature()).softmax(1).amax(1) * 255
    assert float((result[1] - probability).abs().max()) < 0.51
    alone = poisoned(1, shape[0], *size)
    # Other strides, same values.
    fused(logits.contiguous(), temperature(), alone)
    assert torch.equal(alone[0], result[0])


def test_of_equal_classes_the_first_wins(fused: Write) -> None:
    logits = draw((1, 1, 3, 4), HALF).expand(1, 4, 3, 4)
    result = poisoned(2, 1, 10, 12)
    fused(logits, temperature(), result)
    assert result[0].eq(0).all()
    assert result[1].eq(64).all()


def test_logits_far_apart_overflow_nothing(fused: Write) -> None:
    logits = torch.tensor([-6e4, 6e4, 0.0], device=DEVICE).to(HALF).reshape(1, 3, 1, 1)
    result = poisoned(2, 1, 2, 3)
    fused(logits, temperature(), result)
    assert result[0].eq(1).all()
    assert result[1].eq(255).all()


class OnCuda(torch.Tensor):
    """A tensor of the CPU that says to be on a GPU."""

    is_cuda = True


@pytest.mark.parametrize('missing', [True, False])
def test_where_the_kernel_does_not_work_pytorch_serves_and_says_so_once(
    missing: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def fails(*_: Any) -> None:
        calls.append(1)
        raise RuntimeError('Failed to find\nC compiler')

    kernel = types.ModuleType(KERNEL)
    kernel.write_winners = fails  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, KERNEL, None if missing else kernel)
    logits = torch.randn(1, 4, 3, 5).as_subclass(OnCuda)
    one = torch.tensor(1.0)
    expected = torch.zeros(2, 1, 9, 9, dtype=torch.uint8)
    write_winners(logits, one, expected)
    write = WinnersWriter()
    for _ in range(2):
        result = torch.full_like(expected, 123)
        with caplog.at_level(logging.WARNING):
            write(logits, one, result)
        assert torch.equal(result, expected)
    assert len(caplog.records) == 1
    assert missing or 'RuntimeError: Failed to find C compiler' in caplog.text
    assert len(calls) == (not missing)


def test_on_the_cpu_the_kernel_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, KERNEL, None)
    WinnersWriter()(torch.zeros(1, 2, 1, 1), torch.tensor(1.0), torch.zeros(1, 1, 2, 2).byte())
    assert not caplog.records


@needs_cuda
def test_a_gpu_runs_the_kernel_also_in_a_graph(caplog: pytest.LogCaptureFixture) -> None:
    write, logits, result = WinnersWriter(), draw((2, 19, 45, 60), HALF), poisoned(2, 2, 360, 480)
    one = torch.tensor(1.0, device=DEVICE)
    write(logits, one, result)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode='thread_local'):
        write(logits, one, result)
    logits.neg_()
    result.fill_(123)
    graph.replay()
    expected = torch.zeros_like(result)
    write_winners(logits, one, expected)
    assert (result[0] == expected[0]).float().mean() > 0.999
    assert int((result[1].int() - expected[1].int()).abs().max()) <= 1
    assert not caplog.records
