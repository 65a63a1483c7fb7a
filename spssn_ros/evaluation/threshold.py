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
"""The mIoU that an evaluation has to reach."""

import math
from dataclasses import dataclass

from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.result import EvaluationResult


@dataclass(frozen=True)
class Threshold:
    """The least mIoU that will do.

    Attributes:
        name: the option or parameter that gives it.
        miou: fraction in [0, 1]; None for no threshold.

    Raises:
        ConfigError: no such fraction.

    """

    name: str
    miou: float | None

    def __post_init__(self) -> None:
        if self.miou is not None and not 0 <= self.miou <= 1:
            raise ConfigError(f'{self.name} is {self.miou}; give a fraction from 0 to 1')

    def missed_by(self, result: EvaluationResult) -> str:
        """Return the sentence for scores under it; '' for others."""
        miou = result.matrix.miou()
        if self.miou is None or miou >= self.miou:
            return ''
        if math.isnan(miou):
            return f'no pixel has a true class, so no mIoU reaches {self.name} {self.miou}'
        # As many digits as tell the two apart: 0.66 is not under 0.66.
        digits = next((count for count in range(4, 17) if round(miou, count) < self.miou), 17)
        return f'mIoU {miou:.{digits}f} is under {self.name} {self.miou}'
