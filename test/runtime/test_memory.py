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
"""Memory of images is kept for the next one where the C library allows it."""

import ctypes
import os
import subprocess
import sys

import pytest

from spssn_ros.runtime import (
    give_back_freed_memory,
    keep_all_freed_memory,
    keep_freed_memory,
    memory,
)

CODE = """
import array, resource, sys
from spssn_ros.runtime import keep_freed_memory
if sys.argv[1] == 'keep':
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
data = bytes(6 << 20)
# Taking a message takes and frees blocks of several sizes, in an order that leaves gaps.
for number in range(20):
    if number == 10:
        before = faults()
    for size in (2 << 20, 6 << 20):
        blocks = [bytearray(data[:size]), bytearray(data[:size])]
        del blocks
print(faults() - before)
"""

STEPS_CODE = """
import resource, sys
from spssn_ros.runtime import keep_all_freed_memory
if sys.argv[1] == 'keep':
    assert keep_all_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
# Above the 32 MiB beyond which malloc maps each block anew, whatever its threshold.
for number in range(6):
    if number == 3:
        before = faults()
    blocks = [bytearray(b'x') * (80 << 20) for _ in range(2)]
    del blocks
print(faults() - before)
"""

THREADS_CODE = """
import pathlib, re, sys, threading
from spssn_ros.runtime import keep_freed_memory
if sys.argv[1] == 'keep':
    assert keep_freed_memory()
def own_kib():
    return int(re.search(r'RssAnon:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])
# Twelve threads at once, so that each has the arena that glibc gives it; images one by one.
turn = threading.Lock()
everyone = threading.Barrier(13)
def work():
    bytearray(64 << 10)
    everyone.wait()
    with turn:
        for _ in range(3):
            image = bytearray(b'x') * (20 << 20)
            del image
    everyone.wait()
    everyone.wait()
for _ in range(12):
    threading.Thread(target=work, daemon=True).start()
everyone.wait()
before = own_kib()
everyone.wait()
print((own_kib() - before) >> 10)
"""

NETWORK_CODE = """
import pathlib, re
from spssn_ros.runtime import give_back_freed_memory, keep_freed_memory
def own_kib():
    return int(re.search(r'RssAnon:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])
assert keep_freed_memory()
blocks = [bytearray(b'x') * (200 << 10) for _ in range(500)]
# Every tenth stays in use.
kept = blocks[::10]
del blocks
before = own_kib()
give_back_freed_memory()
print((before - own_kib()) >> 10)
"""


def run(code: str, mode: str) -> int:
    variables = {name: value for name, value in os.environ.items() if 'MALLOC_' not in name}
    done = subprocess.run(
        [sys.executable, '-c', code, mode],
        capture_output=True,
        text=True,
        check=True,
        env=variables | {'PYTHONPATH': os.pathsep.join(sys.path)},
    )
    return int(done.stdout)


WITH_GLIBC = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), 'mallopt'), reason='the C library has no mallopt'
)


@WITH_GLIBC
def test_large_blocks_are_used_again_without_a_page_fault() -> None:
    # 20 blocks of 2 MiB and 20 of 6 MiB: 40 960 pages, if each came fresh.
    assert run(CODE, 'default') > 5_000
    assert run(CODE, 'keep') < 500


@WITH_GLIBC
def test_what_a_step_of_training_takes_is_used_again_without_a_page_fault() -> None:
    # Six blocks of 80 MiB: 122 880 pages, if each came fresh.
    assert run(STEPS_CODE, 'default') > 50_000
    assert run(STEPS_CODE, 'keep') < 500


@WITH_GLIBC
def test_threads_do_not_each_keep_an_images_memory() -> None:
    # Images of 20 MiB in twelve threads.
    assert run(THREADS_CODE, 'keep') < 70


@WITH_GLIBC
def test_memory_between_what_stays_is_given_back() -> None:
    # 90 of 98 MiB, less the rest of a page each.
    assert run(NETWORK_CODE, '') > 80


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, 'CDLL', lambda name: object())
    assert not keep_freed_memory()
    assert not keep_all_freed_memory()
    give_back_freed_memory()
