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
"""Kernels of Triton's where they work, and what PyTorch has elsewhere."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from spssn_ros.errors import one_line

_log = logging.getLogger(__name__)

T = TypeVar('T')


class Fused:
    """Runs Triton's kernels or, once these have failed, PyTorch.

    Which of the two it is shows at the first call on CUDA; a CUDA graph captured later holds that.

    Args:
        what: the operation's name, for the warning where Triton does not work.

    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._works = True

    def __call__(self, fused: Callable[[], T], plain: Callable[[], T]) -> T:
        """Return what the kernels give, or where they do not work `plain`."""
        if self._works:
            try:
                return fused()
            except torch.cuda.OutOfMemoryError:
                # Says nothing of the kernels; whoever called knows what to give back.
                raise
            # Triton builds with the compiler and in the folders that it finds, so that anything
            # may be raised; what is wrong with the GPU itself is raised below again.
            except Exception as error:
                if 'out of memory' in str(error):
                    # The driver's, to which Triton gives its kernels: as above.
                    raise torch.cuda.OutOfMemoryError(one_line(error)) from error
                self._works = False
                _log.warning(
                    '%s by PyTorch, slower, since Triton does not work here (%s: %s)',
                    self._what,
                    type(error).__name__,
                    one_line(error, 200),
                )
        return plain()
