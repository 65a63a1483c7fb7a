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
"""How inference runs: device, backend, precision, input size."""

import math
import re
from dataclasses import dataclass, replace
from enum import Enum

from spssn_ros.choices import parse_choice
from spssn_ros.errors import ConfigError

Size = tuple[int, int]
"""(width, height) in pixels."""

MIN_SIDE = 32
MAX_SIDE = 16384
MAX_CPU_THREADS = 1024


class Device(str, Enum):
    """Where the network runs; `auto` is CUDA where there is a GPU, else the CPU."""

    AUTO = 'auto'
    CUDA = 'cuda'
    CPU = 'cpu'


class BackendName(str, Enum):
    """What runs it; `auto` is torch on CUDA, and on the CPU OpenVINO where it is installed."""

    AUTO = 'auto'
    TORCH = 'torch'
    OPENVINO = 'openvino'


class Precision(str, Enum):
    """Arithmetic of the network; `auto` is the fastest floats the device has instructions for.

    `int8` takes weights that hold a graph of it, which `spssn quantize` makes.
    """

    AUTO = 'auto'
    FLOAT32 = 'float32'
    BFLOAT16 = 'bfloat16'
    FLOAT16 = 'float16'
    INT8 = 'int8'


@dataclass(frozen=True)
class InputSize:
    """The size at which frames enter the network.

    Text form: `auto` (the weights' training size in area, the frame's aspect ratio kept),
    `native` (the frame as it is) or `WxH` (exactly that).

    Attributes:
        fixed: (width, height) of `WxH`.
        native: whether frames enter as they are.

    """

    fixed: Size | None = None
    native: bool = False

    @classmethod
    def parse(cls, text: str) -> 'InputSize':
        """Read the text form.

        Raises:
            ConfigError: neither a keyword nor WxH with both sides at least 32.

        """
        if text == 'auto':
            return cls()
        if text == 'native':
            return cls(native=True)
        return cls(fixed=parse_size(text, 'input_size', ('auto', 'native')))

    def for_frame(self, frame: Size, trained: Size, stride: int = 8) -> Size:
        """Return the (width, height) at which a frame of that size enters the network.

        Sides that differ from the frame's are multiples of `stride`, that of the logits; the
        area is at most about four times that aimed at, whatever the aspect ratio.
        """
        if self.fixed is not None:
            return self.fixed
        width, height = float(frame[0]), float(frame[1])
        scale = math.sqrt(trained[0] * trained[1] / (width * height))
        # A few per cent do not matter to the network, but resizing does cost sharpness.
        if self.native or 0.97 < scale < 1.03:
            scale = 1.0
        if scale == 1.0 and min(frame) >= MIN_SIDE:
            return frame
        width, height = width * scale, height * scale
        # A frame one pixel high would become a network input of many times the area.
        longest = 4 * width * height / MIN_SIDE
        return _sided(min(width, longest), stride), _sided(min(height, longest), stride)


def parse_size(text: str, name: str, keywords: tuple[str, ...], least: int = MIN_SIDE) -> Size:
    """Read 'WxH' for the setting `name`; `keywords` are named in the error.

    Raises:
        ConfigError: not two numbers of at least `least` and at most `MAX_SIDE`.

    """
    match = re.fullmatch(r'(\d{1,5})x(\d{1,5})', str(text))
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(least <= side <= MAX_SIDE for side in size):
        raise ConfigError(
            f'{name} is {text!r}; give {", ".join(keywords)} or WIDTHxHEIGHT in pixels, '
            f'each {least} to {MAX_SIDE}, such as 480x360'
        )
    return size


def size_text(size: Size) -> str:
    """Return the 'WxH' that `parse_size` reads."""
    return f'{size[0]}x{size[1]}'


def _sided(length: float, stride: int) -> int:
    return max(MIN_SIDE, round(length / stride) * stride)


@dataclass(frozen=True)
class InferenceConfig:
    """Settings of a `Segmenter`; their text forms, such as 'cpu', are taken for the members.

    Attributes:
        device: where to run.
        backend: what runs the network.
        precision: arithmetic of the network.
        input_size: the size at which frames enter the network.
        cpu_threads: threads on the CPU; 0 for one a core, less one where there are more than two,
            and beside a GPU for at most four.

    Raises:
        ConfigError: an unknown word, or what is no number of threads from 0 to 1024.

    """

    device: Device = Device.AUTO
    backend: BackendName = BackendName.AUTO
    precision: Precision = Precision.AUTO
    input_size: InputSize = InputSize()
    cpu_threads: int = 0

    def __post_init__(self) -> None:
        # A text is equal to its member, but is not it.
        for name, kind in (('device', Device), ('backend', BackendName), ('precision', Precision)):
            object.__setattr__(self, name, parse_choice(kind, getattr(self, name), name))
        if not isinstance(self.input_size, InputSize):
            object.__setattr__(self, 'input_size', InputSize.parse(self.input_size))
        threads = self.cpu_threads
        if type(threads) is not int or not 0 <= threads <= MAX_CPU_THREADS:
            raise ConfigError(
                f'cpu_threads is {threads!r}; give 0 (automatic) to {MAX_CPU_THREADS}'
            )

    @classmethod
    def parse(
        cls,
        device: str = 'auto',
        backend: str = 'auto',
        precision: str = 'auto',
        input_size: str = 'auto',
        cpu_threads: int = 0,
    ) -> 'InferenceConfig':
        """Build from text, as parameters and options give it.

        Raises:
            ConfigError: an unknown word; the message lists the known ones.

        """
        return cls(
            parse_choice(Device, device, 'device'),
            parse_choice(BackendName, backend, 'backend'),
            parse_choice(Precision, precision, 'precision'),
            InputSize.parse(input_size),
            cpu_threads,
        )

    def on_cpu(self) -> 'InferenceConfig':
        """Return this configuration for the CPU; what does not serve it becomes automatic."""
        precision = Precision.AUTO if self.precision is Precision.FLOAT16 else self.precision
        return replace(self, device=Device.CPU, backend=BackendName.AUTO, precision=precision)
