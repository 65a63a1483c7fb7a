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
"""How an evaluation came about, told in its report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from spssn_ros.evaluation.report.compare import Earlier
from spssn_ros.models import WeightsInfo


@dataclass(frozen=True)
class Run:
    """The run of a program.

    Attributes:
        command: the program and its arguments, quoted for a shell.
        folder: the working directory.
        machine: what speed depends on, by name; None where there is no such thing.
        date: when it began, UTC.

    """

    command: str
    folder: str
    machine: Mapping[str, object]
    date: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


@dataclass(frozen=True)
class About:
    """What a report says besides scores and frames.

    Attributes:
        run: command and machine.
        weights: file or name of the weights, in a live evaluation those that name the classes; ''
            for recorded labels.
        info: what these weights say of themselves.
        truth_topic: where the truth came from.
        compared: earlier evaluations to stand beside.

    """

    run: Run
    weights: str
    info: WeightsInfo | None
    truth_topic: str = ''
    compared: Sequence[Earlier] = ()
