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
"""What numba compiled, kept on disk, without a frame failing where that cannot be done.

numba's own cache (`cache=True`) lets whatever goes wrong with its files, a full disk or a file cut
short, end the call for which it compiles.
"""

import contextlib
from typing import Any

from numba.core.caching import FunctionCache

from spssn_ros.errors import one_line
from spssn_ros.inference.say_once import say_once


def keep(dispatcher: Any) -> Any:
    """Have numba keep what it compiles of a function; return what numba made of the function.

    Like Python's own bytecode, the result lies beside the function's module, or else in the user's
    cache; NUMBA_CACHE_DIR chooses another folder.
    """
    if not hasattr(dispatcher, 'py_func'):
        # NUMBA_DISABLE_JIT: it is the function itself.
        return dispatcher
    # Neither place can be written to: RuntimeError.
    with contextlib.suppress(RuntimeError):
        # As enable_caching of numba's does.
        dispatcher._cache = _LoopCache(dispatcher.py_func)
    return dispatcher


class _LoopCache(FunctionCache):
    """numba's cache, whose files may be damaged, and whose folder full."""

    def load_overload(self, sig: object, target_context: Any) -> Any:
        """Return what was compiled for a signature; None where it is not there or not whole."""
        try:
            return super().load_overload(sig, target_context)
        # Unpickling what is damaged may raise anything.
        except Exception:
            try:
                # The index may be what is damaged, and is read again before it is written.
                self.flush()
            except OSError as error:
                self._do_without(error)
            return None

    def save_overload(self, sig: object, data: Any) -> None:
        """Keep what was compiled; where that cannot be done, say so once."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        self.disable()
        reason = error.strerror if isinstance(error, OSError) else one_line(error, 200)
        say_once(
            f'the loops that numba compiles are not kept ({reason}: {self.cache_path}), so each '
            'start compiles anew; set NUMBA_CACHE_DIR to a folder that can be written to'
        )
