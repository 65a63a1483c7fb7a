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
"""How a node's process ends."""

import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import by_the_node, environment

# As rclpy does on a signal when its wake-up comes before the end of the context.
UNNOTICED_END = """
import threading
import rclpy
from rclpy.node import Node
from spssn_ros.nodes.process import run_node

def start(node):
    end = rclpy.get_default_context().handle.shutdown
    threading.Timer(1.0, end).start()

def stop(node):
    print('stopped')
    return True

status = run_node('idle', lambda: Node('idle'), start, stop)
print('status', status)
"""


def test_a_node_without_messages_notices_the_end_of_its_context() -> None:
    assert run(UNNOTICED_END) == ('stopped\nstatus 0\n', '')


LOST_SIGNAL = """
import ctypes
import signal
import time
from rclpy.node import Node
from spssn_ros.nodes.process import run_node

@ctypes.CFUNCTYPE(None)
def compiled():
    signal.raise_signal(signal.SIGINT)

def start(node):
    compiled()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(0.01)

def stop(node):
    print('stopped')
    return True

# Who starts tests in the background has them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
print('status', run_node('busy', lambda: Node('busy'), start, stop, None, 130))
"""


def test_a_signal_that_a_library_swallows_at_the_start_ends_the_node_all_the_same() -> None:
    assert run(LOST_SIGNAL) == ('stopped\nstatus 130\n', '')


SIGNAL_AFTER_ITS_EFFECT = """
import signal
import rclpy
from rclpy.node import Node
from spssn_ros.nodes.process import run_node

def start(node):
    # As what is being set up does in an rclpy that a signal has shut down.
    rclpy.get_default_context().handle.shutdown()
    ok = rclpy.ok
    def interrupted():
        rclpy.ok = ok
        signal.raise_signal(signal.SIGINT)
        return ok()
    rclpy.ok = interrupted
    node.create_subscription(None, '', print, 1)

def stop(node):
    print('stopped')
    return True

# Who starts tests in the background has them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
print('status', run_node('late', lambda: Node('late'), start, stop, None, 7))
"""


def test_a_signal_that_python_sees_after_its_effect_ends_the_node_in_order() -> None:
    assert run(SIGNAL_AFTER_ITS_EFFECT) == ('stopped\nstatus 7\n', '')


STRANGE_PARAMETERS = """
from rclpy.node import Node
from spssn_ros.nodes.process import run_node

def create():
    node = Node('lamp')
    node.declare_parameter('weights', '')
    return node

run_node('lamp', create, lambda node: 0, lambda node: True)
"""


@pytest.mark.parametrize(
    ('strange', 'told'),
    [
        (['xyzzy'], "there is no parameter 'xyzzy', so it is ignored"),
        (['aaa', 'bbb'], "there are no parameters 'aaa', 'bbb', so they are ignored"),
        (
            [letter * 3 for letter in 'abcdxyz'],
            "there are no parameters 'aaa', 'bbb', 'ccc', 'ddd', 'xxx' and 2 more, so they are "
            'ignored',
        ),
    ],
)
def test_parameters_that_there_are_not_are_told(strange: list[str], told: str) -> None:
    given = {
        'weights': 'w',
        'wieghts': 'w',
        **dict.fromkeys(strange, '1'),
        'use_sim_time': 'false',
        'qos_overrides./image.subscription.depth': '2',
    }
    words = [word for name, value in given.items() for word in ('-p', f'{name}:={value}')]
    _, errors = run(STRANGE_PARAMETERS, '--ros-args', *words)
    assert [line.split('[lamp]: ')[1] for line in errors.splitlines()] == [
        "there is no parameter 'wieghts', so it is ignored; did you mean 'weights'?",
        told,
    ]


EARLY_SIGNAL = """
import os, signal, sys, threading, time
import rclpy
from spssn_ros.nodes import start
# As numpy and PyTorch do: the kernel gives a signal to any thread that does not block it.
threading.Thread(target=threading.Event().wait, daemon=True).start()
init = rclpy.init

def signalled(**options):
    if {before}:
        os.kill(os.getpid(), signal.{number})
        time.sleep(30)
    init(**options)
    os.kill(os.getpid(), signal.{number})
    time.sleep(30)

rclpy.init = signalled
sys.exit(start.evaluate_node())
"""


@pytest.mark.parametrize('before', [True, False], ids=['before', 'after'])
@pytest.mark.parametrize('number', ['SIGINT', 'SIGTERM'])
def test_a_signal_while_rclpy_starts_ends_the_node_silently(number: str, before: bool) -> None:
    done = ended(EARLY_SIGNAL.format(number=number, before=before))
    assert (done.returncode, done.stdout, done.stderr) == (130, '', '')


SWALLOWED_SIGNAL = """
import signal, time
from rclpy.node import Node
from spssn_ros.nodes.process import run_node

def start(node):
    try:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(30)
    except:
        print('swallowed')

print('status', run_node('busy', lambda: Node('busy'), start, lambda node: True, None, 130))
"""


def test_a_signal_that_the_start_swallows_ends_the_node_after_it() -> None:
    assert run(SWALLOWED_SIGNAL) == ('swallowed\nstatus 130\n', '')


SIGNAL_AT_WORK = """
import signal, time
from rclpy.node import Node
from spssn_ros.nodes.process import run_node

def work():
    signal.raise_signal(signal.{number})
    # Time enough for rclpy to end its context.
    time.sleep(1)
    print('done')

def start(node):
    node.create_timer(0.1, work)

print('status', run_node('busy', lambda: Node('busy'), start, lambda node: True, None, 130))
"""


@pytest.mark.parametrize('number', ['SIGINT', 'SIGTERM'])
def test_a_signal_leaves_no_callback_half_done(number: str) -> None:
    assert run(SIGNAL_AT_WORK.format(number=number)) == ('done\nstatus 0\n', '')


def ended(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return how a program ended, and what it printed."""
    done = subprocess.run(
        [sys.executable, '-c', program, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    done.stderr = by_the_node(done.stderr)
    return done


def run(program: str, *arguments: str) -> tuple[str, str]:
    """Return what a program prints, and its errors."""
    done = ended(program, *arguments)
    return done.stdout, done.stderr
