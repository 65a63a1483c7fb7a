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
"""An interrupt that arises where it cannot go up is not lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CALLBACKS = {
    'a callback from C': """
import ctypes

@ctypes.CFUNCTYPE(None)
def call():
    signal.raise_signal(signal.SIGINT)
""",
    'a finaliser': """
class Ends:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def call():
    Ends()
""",
}
_BODY = """
import signal, time
from spssn_ros.runtime import lost_interrupts_raised_again
{callback}
# Who starts tests in the background has them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with lost_interrupts_raised_again():
        call()
        print('lost')
        until = time.monotonic() + 20
        while time.monotonic() < until:
            time.sleep(0.01)
    print('never again')
except KeyboardInterrupt:
    print('again')
"""


def _run(program: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize('callback', _CALLBACKS.values(), ids=_CALLBACKS.keys())
def test_an_interrupt_that_a_callback_swallows_comes_again(callback: str) -> None:
    assert _run(_BODY.format(callback=callback)) == ('lost\nagain\n', '')


def test_other_exceptions_of_a_callback_are_printed_as_ever() -> None:
    out, err = _run("""
import ctypes
from spssn_ros.runtime import lost_interrupts_raised_again

@ctypes.CFUNCTYPE(None)
def call():
    raise ValueError('17')

with lost_interrupts_raised_again():
    call()
print('on')
""")
    assert out == 'on\n'
    assert 'ValueError: 17' in err


def test_after_the_context_nothing_is_raised_and_the_hook_is_the_former() -> None:
    out, err = _run("""
import ctypes, signal, sys, time
from spssn_ros.runtime import lost_interrupts_raised_again

@ctypes.CFUNCTYPE(None)
def call():
    signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
before = sys.unraisablehook
with lost_interrupts_raised_again():
    call()
time.sleep(0.3)
print(sys.unraisablehook is before)
""")
    assert (out, err) == ('True\n', '')


def test_a_caught_interrupt_leaves_the_status_alone(tmp_path: Path) -> None:
    (tmp_path / 'program.py').write_text("""
import signal, sys
from spssn_ros.runtime import lost_interrupts_raised_again

signal.signal(signal.SIGINT, signal.default_int_handler)
with lost_interrupts_raised_again():
    try:
        exec('signal.raise_signal(signal.SIGINT)')
    except KeyboardInterrupt:
        print('caught', flush=True)
sys.exit(7)
""")
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).resolve().parents[2])])
    done = subprocess.run(
        [sys.executable, '-m', 'program'],
        env=os.environ | {'PYTHONPATH': paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, 'caught\n', '')
