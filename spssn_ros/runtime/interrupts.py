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
"""Signals end a command in order: what a library swallows comes again, others as exceptions."""

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_AGAIN_S = 0.05
_ENDS = (signal.SIGTERM, signal.SIGHUP)


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
def end_signals_raised() -> Iterator[None]:
    """Have SIGTERM raise SystemExit (143) in the main thread, where it would end Python at once.

    So does SIGHUP (129), which comes when the terminal closes. What is half-written is removed, as
    after Ctrl-C. A handler that is there already stays, and what is ignored, as under nohup.
    """
    numbers = [n for n in _ENDS if signal.getsignal(n) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        numbers = []

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
