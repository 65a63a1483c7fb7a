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
"""Parameters as files and command lines have them: YAML."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from spssn_ros.errors import ConfigError, one_line
from spssn_ros.files import explain, read_plain


def parameter_in(file: Path, node: str, name: str) -> Any:
    """Return a parameter's value as the node would get it, or None where the file has none.

    Of several entries that match the node (`/**`, `segment_node`, ...) the last one counts.

    Args:
        file: YAML.
        node: full name, such as /segment_node.
        name: of the parameter.

    Raises:
        ConfigError: it is missing, or no such file.

    """
    try:
        document = yaml.safe_load(read_plain(file).decode())
    except OSError as error:
        raise ConfigError(f'cannot read params_file {file}: {explain(error)}') from error
    # ValueError: no UTF-8, or what looks like a date but is none, as 2026-31-12.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f'params_file {file} is no YAML: {one_line(error)}') from error
    return _last(document, '', node, name)


def _last(entries: Any, pattern: str, node: str, name: str) -> Any:
    """Return the value of the last entry below `pattern` that matches the node."""
    found = None
    for key, value in entries.items() if isinstance(entries, dict) else ():
        if key != 'ros__parameters':
            inner = _last(value, f'{pattern}/{str(key).strip("/")}', node, name)
            found = found if inner is None else inner
        elif isinstance(value, dict) and name in value and _matches(pattern, node):
            found = value[name]
    return found


def _matches(pattern: str, node: str) -> bool:
    """Return whether a name with * (one part) and ** (any number of parts) is that of the node."""
    wild = {'*': '/[^/]+', '**': '(?:/[^/]+)*'}
    parts = (wild.get(part, '/' + re.escape(part)) for part in pattern.strip('/').split('/'))
    return re.fullmatch(''.join(parts), node) is not None


def parameter_words(values: Mapping[str, object]) -> list[str]:
    """Return the words of a command line, behind `--ros-args`, that give a node parameters."""
    return [word for name, value in values.items() for word in ('-p', f'{name}:={_text(value)}')]


def _text(value: object) -> str:
    """Return a value in YAML, quoted only where it must be."""
    if isinstance(value, str) and _is_plain(value):
        return value
    return json.dumps([] if value is None else value, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Return whether ROS takes these bare words for text."""
    # For ROS these are true and false, for PyYAML words.
    if text in ('y', 'Y', 'n', 'N'):
        return False
    try:
        # So are nan and inf, which are numbers for ROS.
        float(text)
    except ValueError:
        pass
    else:
        return False
    try:
        return bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):
        return False
