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
"""Signals end a command in order: what a library swallows comes again, SIGTERM as an exception."""

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_AGAIN_S = 0.05


@contextlib.contextmanager
def lost_interrupts_raised_again() -> Iterator[None]:
    """Raise a KeyboardInterrupt again, in the main thread, that could not go up where it arose.

    Python raises it between any two steps of its own code. Where C has called that code (ctypes,
    a finaliser), the exception ends there: Python prints it, and goes on as if nothing had been.
    numba compiles through such a callback. Within this context nothing is printed, and a moment
    later the exception comes again.

    The exit status stays the program's own, too. Python remembers that a KeyboardInterrupt has
    ended an `exec` of text, which many libraries use; started with -m, it then ends itself by
    SIGINT in place of the status, even where the exception was caught.
    """
    before = sys.unraisablehook
    timer: threading.Timer | None = None

    def look(unraisable: Any) -> None:
        nonlocal timer
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        # Not at once: this is still within the callback.
        timer = threading.Timer(_AGAIN_S, _thread.interrupt_main)
        timer.daemon = True
        timer.start()

    sys.unraisablehook = look
    try:
        yield
    finally:
        sys.unraisablehook = before
        if timer:
            timer.cancel()
        # Nothing but another exec makes Python forget the one that was interrupted.
        exec('')


@contextlib.contextmanager
def sigterm_raised() -> Iterator[None]:
    """Have SIGTERM raise SystemExit (143) in the main thread, where it would end Python at once.

    So what is half-written is removed, as after Ctrl-C. A handler that is there already stays.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
