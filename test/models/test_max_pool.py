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
"""Max pooling by the kernel, on a GPU or else in Triton's interpreter, equals PyTorch's."""

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from spssn_ros.models.fused import Fused
from spssn_ros.models.max_pool import MaxPool5

HAS_CUDA = torch.cuda.is_available()
DEVICE = 'cuda' if HAS_CUDA else 'cpu'
KERNEL = 'spssn_ros.models.triton_max_pool'


@pytest.fixture(scope='module')
def pool(triton_kernels: Callable[[str], ModuleType]) -> Callable[[Tensor], Tensor]:
    apply: Callable[[Tensor], Tensor] = triton_kernels(KERNEL).TritonMaxPool5.apply
    return apply


@pytest.mark.parametrize(
    ('shape', 'dtype'),
    [
        ((2, 128, 9, 11), torch.float32),
        # Neither full tiles of pixels nor of channels.
        ((1, 70, 3, 2), torch.float32),
        ((1, 8, 1, 1), torch.float32),
        ((2, 64, 6, 17), torch.bfloat16),
        ((1, 64, 5, 8), torch.float16),
    ],
)
def test_the_kernel_pools_and_goes_back_as_pytorch(
    pool: Callable[[Tensor], Tensor], shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(0)
    # Whole numbers, so that many are equal: the first of them gets the gradient.
    values = (torch.randn(shape, generator=generator) * 2).round()
    gradient = torch.randn(shape, generator=generator).to(DEVICE, dtype)
    x, y = (values.to(DEVICE, dtype).requires_grad_() for _ in range(2))
    found, expected = pool(x), functional.max_pool2d(y, 5, 1, 2)
    assert torch.equal(found, expected)
    found.backward(gradient)
    expected.backward(gradient)
    assert x.grad is not None
    assert y.grad is not None
    tolerance = 1e-4 if dtype is torch.float32 else 0.2
    torch.testing.assert_close(x.grad, y.grad, atol=tolerance, rtol=0.02)
    with torch.no_grad():
        assert torch.equal(pool(x), expected)


def test_what_is_no_number_is_not_hidden(pool: Callable[[Tensor], Tensor]) -> None:
    x = torch.zeros(1, 8, 7, 7, device=DEVICE)
    x[0, 3, 1, 1] = torch.nan
    hidden = pool(x).isnan()
    assert torch.equal(hidden, functional.max_pool2d(x, 5, 1, 2).isnan())
    assert int(hidden.sum()) == 16


def test_the_module_is_max_pooling() -> None:
    x = torch.randn(2, 16, 9, 7, device=DEVICE)
    assert torch.equal(MaxPool5()(x), functional.max_pool2d(x, 5, 1, 2))


def test_a_kernel_that_fails_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[int] = []

    def fails() -> str:
        tried.append(1)
        raise OSError('no C compiler\nanywhere')

    choose = Fused('max pooling')
    assert [choose(fails, lambda: 'plain') for _ in range(3)] == ['plain'] * 3
    assert len(tried) == 1
    assert caplog.messages == [
        'max pooling by PyTorch, slower, since Triton does not work here '
        '(OSError: no C compiler anywhere)'
    ]
    assert Fused('max pooling')(lambda: 'fused', lambda: 'plain') == 'fused'


@pytest.mark.parametrize(
    'error',
    [
        torch.cuda.OutOfMemoryError('CUDA out of memory'),
        RuntimeError('Triton Error [CUDA]: out of memory'),
    ],
)
def test_memory_that_is_out_is_not_the_kernel_s_fault(
    error: RuntimeError, caplog: pytest.LogCaptureFixture
) -> None:
    def is_out() -> str:
        raise error

    choose = Fused('max pooling')
    with pytest.raises(torch.cuda.OutOfMemoryError):
        choose(is_out, lambda: 'plain')
    assert choose(lambda: 'fused', lambda: 'plain') == 'fused'
    assert not caplog.messages
