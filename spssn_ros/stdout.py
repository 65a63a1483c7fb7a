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
"""Output whose reader may leave, as `head` does and terminals do, without an end to the work."""

import errno
import io
import os
import stat
import sys
from typing import Any


class _Forsaken(io.FileIO):
    """A file that takes what nobody reads any more, and drops it."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            pass
        except OSError as error:
            # That a terminal has gone; of a disk, it would be damage.
            is_device = stat.S_ISCHR(os.fstat(self.fileno()).st_mode)
            if error.errno != errno.EIO or not is_device:
                raise
        return memoryview(data).nbytes


def go_on_without_reader() -> None:
    """Let this process write to its standard output and errors when nobody reads them any more.

    Those are pipes, and terminals that were closed under what runs in the background. An error
    there would cost the files that are written after it, or hours of training; Rich ends the
    program with 1, the status of a score under the threshold.
    """
    sys.stdout = _forsaken(sys.stdout)
    sys.stderr = _forsaken(sys.stderr)


def _forsaken(old: Any) -> Any:
    # None where it is closed.
    if not isinstance(old, io.TextIOWrapper):
        return old
    old.flush()
    file = _Forsaken(old.fileno(), 'w', closefd=False)
    return io.TextIOWrapper(
        # Without a buffer, as in Python, where PYTHONUNBUFFERED is set: logs of containers.
        file if old.write_through else io.BufferedWriter(file),
        encoding=old.encoding,
        errors=old.errors,
        line_buffering=old.line_buffering,
        write_through=old.write_through,
    )
