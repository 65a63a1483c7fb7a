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
"""Declares the parameter table on a node."""

import difflib
from collections.abc import Mapping
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from spssn_ros.errors import ConfigError
from spssn_ros.nodes.parameters import PARAMETERS, ParameterSpec

_NAMED = 5
"""Unknown parameters that are named in one line."""


def declare_parameters(node: Node) -> dict[str, Any]:
    """Declare every parameter of the table; return the values in force, by name.

    Raises:
        ConfigError: as `declare`.

    """
    given = _given(node)
    for spec in PARAMETERS:
        # An empty list in YAML has no type, so that rclpy takes it for no value at all. Of such a
        # parameter, and of all that are asked for along with it, it would tell nothing.
        is_empty = spec.name in given and given[spec.name].value is None
        declare(node, spec.name, _value(spec), _descriptor(spec), ignore_override=is_empty)
    return {spec.name: node.get_parameter(spec.name).value for spec in PARAMETERS}


def declare(
    node: Node,
    name: str,
    default: Any,
    descriptor: ParameterDescriptor,
    ignore_override: bool = False,
) -> None:
    """Declare one parameter, with its default if what is given at the start shall be ignored.

    Raises:
        ConfigError: the value given at the start has the wrong type or is out of range.

    """
    try:
        node.declare_parameter(name, default, descriptor, ignore_override)
    except ParameterException as error:
        # A whole number for one with a point, most often, where the type alone is no help.
        reason = str(error).removesuffix(f': {name}')
        raise ConfigError(f'{reason}; give a value such as {default!r}') from error


def warn_of_unknown_parameters(node: Node) -> None:
    """Warn of parameters given at the start that the node does not have; ROS ignores them."""
    given = _given(node)
    known = node.get_parameters_by_prefix('')
    warn = node.get_logger().warning
    strange = []
    for name in given:
        # Those of topics are declared with the topics, some of which come later.
        if name in known or name.startswith('qos_overrides.'):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        if near:
            warn(f'there is no parameter {name!r}, so it is ignored; did you mean {near[0]!r}?')
        else:
            strange.append(repr(name))
    # In one line: a parameter file of a whole robot may hold dozens for other nodes.
    if len(strange) == 1:
        warn(f'there is no parameter {strange[0]}, so it is ignored')
    elif strange:
        more = f' and {len(strange) - _NAMED} more' if len(strange) > _NAMED else ''
        named = ', '.join(strange[:_NAMED])
        warn(f'there are no parameters {named}{more}, so they are ignored')


def _given(node: Node) -> Mapping[str, Any]:
    """Return the parameters given at the start, by name."""
    # rclpy has no other way to ask for them.
    return getattr(node, '_parameter_overrides', {})


def _value(spec: ParameterSpec) -> Any:
    # rclpy tells the type of a list by its items, which is why no default list is empty.
    return list(spec.default) if isinstance(spec.default, tuple) else spec.default


def _descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=spec.description, read_only=spec.read_only)
    if spec.range is not None:
        low, high = spec.range
        if isinstance(spec.default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor
