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
"""GPU memory that runs out, in a sentence."""

import contextlib
from collections.abc import Iterator

import torch

from spssn_ros.errors import GpuMemoryError


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a GPU had too little memory."""
    # PyTorch's own allocator has an error type; CUDA, cuDNN and cuBLAS only have words.
    words = ('CUDA error: out of memory', 'ALLOC_FAILED', 'ALLOCATION_FAILED')
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(w in str(error) for w in words)


@contextlib.contextmanager
def explained(occasion: str) -> Iterator[None]:
    """Raise GpuMemoryError, which names the occasion, where GPU memory runs out."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise GpuMemoryError(
                f'out of GPU memory at {occasion}; give a smaller input_size or device cpu'
            ) from error
        raise
