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
"""What the papers publish of their networks, to stand beside what is measured here.

SPSSN: "SPSSNet: a real-time network for image semantic segmentation", 2020. Fast-SCNN: "Fast-SCNN:
fast semantic segmentation network", 2019. Türkmen: "An efficient solution for semantic
segmentation: ShuffleNet V2 with atrous separable convolutions", 2019.
"""

from dataclasses import dataclass

from spssn_ros.inference.config import Size

COUNTED_AT: Size = (224, 224)
"""(width, height) for which the published operations hold."""


@dataclass(frozen=True)
class Speed:
    """A published speed.

    Attributes:
        size: (width, height) of the input.
        fps: forward passes a second.
        source: paper, table and hardware.

    """

    size: Size
    fps: float
    source: str


@dataclass(frozen=True)
class Published:
    """What is published of one network; None where nothing is.

    Attributes:
        parameters_millions: 1e6, without those of batch norm.
        size_mb: of the model file, 1e6 bytes.
        gflops: 1e9 of one forward pass at `COUNTED_AT`.
        source: paper and tables of these.
        speeds: forward pass alone.

    """

    parameters_millions: float | None = None
    size_mb: float | None = None
    gflops: float | None = None
    source: str = ''
    speeds: tuple[Speed, ...] = ()

    def speeds_at(self, size: Size) -> tuple[Speed, ...]:
        """Return the speeds published for inputs of (width, height)."""
        return tuple(speed for speed in self.speeds if speed.size == size)


_SPSSN_FPS = 'SPSSN, Table 7, TITAN Xp'
_FAST_SCNN_FPS = 'Fast-SCNN, Tables 5 and 7, TITAN Xp'
_PHONE_FPS = 'Türkmen, Table 5, Snapdragon 845'

PUBLISHED: dict[str, Published] = {
    'spssn': Published(
        parameters_millions=1.42,
        source='SPSSN, Table 6',
        speeds=(
            Speed((2048, 1024), 59, _SPSSN_FPS),
            Speed((1024, 1024), 111.44, _SPSSN_FPS),
            Speed((1024, 512), 135.3, _SPSSN_FPS),
            Speed((720, 720), 105, 'SPSSN, Table 5, TITAN Xp, 11 classes, first_stride 1'),
        ),
    ),
    'spssn_stream': Published(parameters_millions=1.47, source='SPSSN, Table 6'),
    'fast_scnn': Published(
        parameters_millions=1.11,
        source='SPSSN, Table 6; Fast-SCNN, Table 4',
        speeds=(
            Speed((2048, 1024), 106.2, 'SPSSN, Table 3, TITAN Xp'),
            Speed((2048, 1024), 123.5, _FAST_SCNN_FPS),
            Speed((1024, 512), 285.8, _FAST_SCNN_FPS),
            Speed((512, 256), 485.4, _FAST_SCNN_FPS),
        ),
    ),
    'shufflenetv2_basic': Published(
        size_mb=4.6,
        gflops=0.47,
        source='Türkmen, Table 5',
        speeds=(Speed(COUNTED_AT, 19.65, _PHONE_FPS),),
    ),
    'shufflenetv2_dpc': Published(
        size_mb=6.0,
        gflops=0.65,
        source='Türkmen, Table 5',
        speeds=(Speed(COUNTED_AT, 15.41, _PHONE_FPS),),
    ),
    'mobilenetv2_basic': Published(
        size_mb=8.4,
        gflops=1.0,
        source='Türkmen, Table 5',
        speeds=(Speed(COUNTED_AT, 9.86, _PHONE_FPS),),
    ),
    'mobilenetv2_dpc': Published(
        size_mb=9.9,
        gflops=1.18,
        source='Türkmen, Table 5',
        speeds=(Speed(COUNTED_AT, 8.61, _PHONE_FPS),),
    ),
}
