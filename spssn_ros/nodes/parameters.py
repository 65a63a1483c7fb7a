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
"""The parameters of `segment_node`, in one table.

The table declares them (with description, range and read-only flag), validates them, and is what
`config/segment_node.yaml` and the README's table are compared with by a test.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from spssn_ros.choices import parse_choice
from spssn_ros.errors import ConfigError
from spssn_ros.inference.config import MAX_CPU_THREADS, InferenceConfig, Size, parse_size
from spssn_ros.labels import LabelSet

ALL = 'all'

CLASS_PARAMETERS = ('mask_classes', 'overlay_classes')

_NAME = re.compile('[A-Za-z_][A-Za-z0-9_]*')


class Transport(str, Enum):
    """How camera images travel."""

    RAW = 'raw'
    COMPRESSED = 'compressed'


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter.

    Attributes:
        name: its ROS name.
        default: its value where none is given; it also fixes the type.
        description: one sentence for `ros2 param describe`.
        range: inclusive lowest and highest value of a number.
        read_only: whether a change needs a restart of the node.

    """

    name: str
    default: str | bool | int | float | tuple[str, ...]
    description: str
    range: tuple[float, float] | None = None
    read_only: bool = False


PARAMETERS: tuple[ParameterSpec, ...] = (
    ParameterSpec(
        'weights',
        'spssn_camvid',
        'Weights file: a path, or the name of a shipped one. A change swaps the network.',
    ),
    ParameterSpec('device', 'auto', 'Where the network runs: auto, cuda or cpu.', read_only=True),
    ParameterSpec(
        'backend', 'auto', 'What runs the network: auto, torch or openvino.', read_only=True
    ),
    ParameterSpec(
        'precision',
        'auto',
        'Arithmetic of the network: auto, float32, bfloat16, float16 or int8 (spssn quantize).',
        read_only=True,
    ),
    ParameterSpec(
        'input_size',
        'auto',
        "Size at which frames enter the network: auto (the weights' training size in area, aspect "
        'ratio kept), native or WxH.',
    ),
    ParameterSpec(
        'output_size',
        'input',
        'Size of the published images: input (as the camera image), network or WxH; nearest '
        'neighbour.',
    ),
    ParameterSpec(
        'cameras',
        ('',),
        'Names of the cameras; front reads front/image and publishes ~/front/label and so on. '
        'Empty: one camera, image and ~/label.',
        read_only=True,
    ),
    ParameterSpec(
        'transport',
        'raw',
        'Camera images: raw (Image) or compressed (CompressedImage).',
        read_only=True,
    ),
    ParameterSpec(
        'mask_classes',
        (ALL,),
        'Classes that get a topic ~/mask/<class>; all, or an empty list, for every class.',
    ),
    ParameterSpec('overlay_alpha', 0.5, 'Weight of the colours in the overlay.', range=(0.0, 1.0)),
    ParameterSpec(
        'overlay_classes',
        (ALL,),
        'Classes coloured in the overlay; all, or an empty list, for every one.',
    ),
    ParameterSpec(
        'confidence_threshold',
        0.0,
        'Pixels whose winning class is less probable are labelled 255, unknown.',
        range=(0.0, 1.0),
    ),
    ParameterSpec(
        'max_rate',
        0.0,
        'Most frames a second to segment, for each camera; 0 for no limit.',
        range=(0.0, 1000.0),
    ),
    ParameterSpec(
        'max_image_megapixels',
        64.0,
        'Larger camera images are rejected before memory is taken for them.',
        range=(0.001, 1000.0),
    ),
    ParameterSpec(
        'cpu_threads',
        0,
        'Threads on the CPU of OpenVINO, PyTorch and OpenCV; 0 for automatic.',
        range=(0, MAX_CPU_THREADS),
        read_only=True,
    ),
    ParameterSpec(
        'autostart',
        True,
        'Configure and activate at the start, without a lifecycle manager.',
        read_only=True,
    ),
    ParameterSpec(
        'diagnostics_period',
        1.0,
        'Seconds between messages on /diagnostics.',
        range=(0.1, 3600.0),
    ),
)


@dataclass(frozen=True)
class Settings:
    """The parameters' values, checked and parsed.

    Attributes:
        weights: path or shipped name.
        inference: device, backend, precision, input size and threads.
        output_size: (width, height); None for the camera image's own.
        output_network: whether outputs have the size at which frames enter the network.
        cameras: names; ('',) for the single nameless one.
        transport: of the camera images.
        mask_classes: names; empty for all.
        overlay_alpha: 0..1.
        overlay_classes: names; empty for all.
        confidence_threshold: 0..1.
        max_rate: frames a second and camera, 0 for no limit.
        max_pixels: of a camera image; larger ones are rejected.
        autostart: whether the node activates itself.
        diagnostics_period: seconds.

    """

    weights: str
    inference: InferenceConfig
    output_size: Size | None
    output_network: bool
    cameras: tuple[str, ...]
    transport: Transport
    mask_classes: tuple[str, ...]
    overlay_alpha: float
    overlay_classes: tuple[str, ...]
    confidence_threshold: float
    max_rate: float
    max_pixels: int
    autostart: bool
    diagnostics_period: float

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> 'Settings':
        """Check the values of all parameters, by name.

        Raises:
            ConfigError: a value that cannot be used; the sentence quotes it.

        """
        for spec in PARAMETERS:
            _check_range(spec, values[spec.name])
        output = values['output_size']
        fixed = None
        if output not in ('input', 'network'):
            # No network sees it: it is that of a point cloud, which may be a small one.
            fixed = parse_size(output, 'output_size', ('input', 'network'), least=1)
        return cls(
            weights=values['weights'],
            inference=InferenceConfig.parse(
                values['device'],
                values['backend'],
                values['precision'],
                values['input_size'],
                values['cpu_threads'],
            ),
            output_size=fixed,
            output_network=output == 'network',
            cameras=_camera_names(values['cameras']),
            transport=parse_choice(Transport, values['transport'], 'transport'),
            mask_classes=_class_names(values['mask_classes']),
            overlay_alpha=values['overlay_alpha'],
            overlay_classes=_class_names(values['overlay_classes']),
            confidence_threshold=values['confidence_threshold'],
            max_rate=values['max_rate'],
            max_pixels=round(values['max_image_megapixels'] * 1e6),
            autostart=values['autostart'],
            diagnostics_period=values['diagnostics_period'],
        )

    def check_classes(
        self, label_set: LabelSet, parameters: Collection[str] = CLASS_PARAMETERS
    ) -> None:
        """Raise ConfigError if a class named in these parameters is none of the network's."""
        for parameter in parameters:
            for name in getattr(self, parameter):
                if name not in label_set.names:
                    raise ConfigError(
                        f'{parameter} names {name!r}; the classes of {self.weights} are '
                        f'{", ".join(label_set.names)}; give some of these, or [all] before '
                        'weights of other classes'
                    )


def _check_range(spec: ParameterSpec, value: Any) -> None:
    # NaN is in no range: the comparison must hold, not its opposite fail.
    if spec.range and not spec.range[0] <= value <= spec.range[1]:
        raise ConfigError(
            f'{spec.name} is {value}; give a value from {spec.range[0]:g} to {spec.range[1]:g}'
        )


def _camera_names(names: Any) -> tuple[str, ...]:
    cameras = tuple(name.strip('/') for name in names if name.strip('/'))
    repeated = sorted({name for name in cameras if cameras.count(name) > 1})
    if repeated:
        raise ConfigError(f'cameras names {", ".join(repeated)} twice')
    for name in cameras:
        if not all(_NAME.fullmatch(part) for part in name.split('/')):
            raise ConfigError(
                f'cameras holds {name!r}, which is no ROS name; use letters, digits and _'
            )
    return cameras or ('',)


def _class_names(names: Any) -> tuple[str, ...]:
    named = tuple(name for name in names if name)
    return () if ALL in named else named
