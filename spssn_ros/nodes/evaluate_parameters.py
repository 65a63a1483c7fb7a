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
"""The parameters of `evaluate_node`: declared, read, and told as a command that repeats them."""

import shlex
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from spssn_ros.choices import parse_choice
from spssn_ros.errors import ConfigError
from spssn_ros.files import from_home
from spssn_ros.nodes.declare import declare
from spssn_ros.nodes.params_file import parameter_words

PARAMETERS: dict[str, tuple[str | float, str]] = {
    'mode': ('live', 'live: score topics; offline: score bags and exit'),
    'bag': ('', 'offline: the bag, or a list of bags'),
    'image_topic': (
        '/camera/image_raw',
        'offline: camera images in the bags; several cameras: a list of topics',
    ),
    'label_topic': (
        '/camera/label_truth',
        'offline: truth in the bags, one for each image topic in their order',
    ),
    'prediction_topic': (
        '',
        'offline: score the labels recorded here, not a network; one for each label topic',
    ),
    'truth': ('auto', 'truth images: ids, camvid-colors, cityscapes-ids, or auto by encoding'),
    'slop_ms': (0.0, 'offline: most milliseconds between the stamps of an image and its truth'),
    'weights': ('spssn_camvid', 'offline: the network; live: whose classes the ids mean'),
    'device': ('auto', 'offline: auto, cuda or cpu'),
    'backend': ('auto', 'offline: auto, torch or openvino'),
    'precision': ('auto', 'offline: auto, float32, bfloat16, float16 or int8'),
    'input_size': ('auto', 'offline: size at which frames enter the network: auto, native or WxH'),
    'json': ('', 'file for the scores as JSON; empty for none'),
    'report': ('', 'folder for a page with scores and frames, index.html; empty for none'),
    'compare': (
        '',
        "earlier evaluations' JSON to show beside: a file or a list of them; or empty",
    ),
    'fail_under': (0.0, 'exit status 1 if the mIoU (0..1) is lower; 0 for none'),
}

# One of them as text, or a list of them.
_LISTS = {
    'bag': 'bag',
    'image_topic': 'topic',
    'label_topic': 'topic',
    'prediction_topic': 'topic',
    'compare': 'file',
}


class Mode(str, Enum):
    """What the node scores."""

    LIVE = 'live'
    OFFLINE = 'offline'


class EvaluateParameters:
    """The values in force.

    Args:
        node: declares them.

    Raises:
        ConfigError: a value has the wrong type.

    """

    def __init__(self, node: Node) -> None:
        self._node = node
        for name, (default, description) in PARAMETERS.items():
            descriptor = ParameterDescriptor(description=description, read_only=True)
            descriptor.dynamic_typing = name in _LISTS
            declare(node, name, default, descriptor)

    def mode(self) -> Mode:
        """Return what to score.

        Raises:
            ConfigError: neither of the two.

        """
        return parse_choice(Mode, self.text('mode'), 'mode')

    def text(self, name: str) -> str:
        """Return a text."""
        return str(self._node.get_parameter(name).value)

    def number(self, name: str) -> float:
        """Return a number."""
        return float(self._node.get_parameter(name).value)

    def path(self, name: str) -> Path | None:
        """Return a path; None for an empty one."""
        return from_home(self.text(name)) if self.text(name) else None

    def texts(self, name: str) -> list[str]:
        """Return what is given alone or in a list, without empty ones.

        Raises:
            ConfigError: it is no text.

        """
        value = self._node.get_parameter(name).value
        # An empty list in YAML has no type, so that rclpy takes it for no value at all.
        texts = [] if value is None else [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            kind = _LISTS[name]
            raise ConfigError(f'{name} is {value!r}; give a {kind} or a list of {kind}s')
        return [text for text in texts if text]

    def paths(self, name: str) -> list[Path]:
        """Return paths that are given alone or in a list.

        Raises:
            ConfigError: it is no text.

        """
        return [from_home(text) for text in self.texts(name)]

    def command(self, topics: Sequence[str]) -> str:
        """Return a command that starts the node as it is, however it was started.

        Args:
            topics: those of the node, which may be remapped.

        """
        words = ['ros2', 'run', 'spssn_ros', 'evaluate_node', '--ros-args']
        for topic in topics:
            words += ['-r', f'{topic}:={self._node.resolve_topic_name(topic)}']
        values = {name: self._node.get_parameter(name).value for name in PARAMETERS}
        changed = {n: value for n, value in values.items() if value != PARAMETERS[n][0]}
        return shlex.join([*words, *parameter_words(changed)])
