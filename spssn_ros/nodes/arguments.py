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
"""What stands in a node's command line outside --ros-args: --help, or what ROS passes over."""

import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

_USAGE = {
    'segment_node': (
        '-r image:=TOPIC',
        'Labels every pixel of the camera images on `image`, or `image/compressed`, and publishes '
        '~/label, ~/color, ~/overlay, ~/confidence and ~/mask/CLASS.',
    ),
    'evaluate_node': (
        '-r label:=TOPIC -r label_truth:=TOPIC',
        'Scores the labels on `label` against `label_truth`, or with mode:=offline a network on '
        'bags.',
    ),
}
_INDENT = 24


def wants_help(node: str, words: Sequence[str]) -> bool:
    """Print the help where it is asked for, and return whether; warn of other words.

    Raises:
        ImportError: a package that the help needs is missing.

    """
    outside = _outside_ros_args(words)
    if node not in _USAGE or not outside:
        return False
    if {'-h', '--help'} & set(outside):
        print('\n'.join(_help(node)))
        return True
    print(
        f'{node}: ignored, because it does not stand behind --ros-args: {shlex.join(outside)}; '
        f'see {node} --help',
        file=sys.stderr,
    )
    return False


def _outside_ros_args(words: Sequence[str]) -> list[str]:
    outside = []
    within = False
    for word in words:
        if word == '--ros-args':
            within = True
        elif within and word == '--':
            within = False
        elif not within:
            outside.append(word)
    return outside


def _help(node: str) -> Iterator[str]:
    width = shutil.get_terminal_size().columns
    remap, what = _USAGE[node]
    yield f'usage: {node} [--ros-args [{remap}] [-p PARAMETER:=VALUE]...]'
    yield ''
    yield from textwrap.wrap(what, width)
    yield ''
    yield 'parameters:'
    for name, default, description in _parameters(node):
        text = f'{description.rstrip(".")}. Default: {default!r}'
        indent = ' ' * _INDENT
        yield from textwrap.wrap(
            text, width, initial_indent=f'  {name} '.ljust(_INDENT), subsequent_indent=indent
        )


def _parameters(node: str) -> list[tuple[str, Any, str]]:
    if node == 'segment_node':
        from spssn_ros.nodes.parameters import PARAMETERS

        return [(spec.name, _as_yaml(spec.default), spec.description) for spec in PARAMETERS]
    from spssn_ros.nodes import evaluate_parameters

    return [(name, *rest) for name, rest in evaluate_parameters.PARAMETERS.items()]


def _as_yaml(default: Any) -> Any:
    """Return a default that, written out, ROS takes for the same: its lists have brackets."""
    return list(default) if isinstance(default, tuple) else default
