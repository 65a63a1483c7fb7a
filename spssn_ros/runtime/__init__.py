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
"""Threads and counters that know neither torch nor images."""

from spssn_ros.runtime.causes import Causes
from spssn_ros.runtime.gate import Gate
from spssn_ros.runtime.interrupts import end_signals_raised, lost_interrupts_raised_again
from spssn_ros.runtime.mailbox import Mailbox, SlotCounts
from spssn_ros.runtime.map_ahead import map_ahead
from spssn_ros.runtime.memory import (
    give_back_freed_memory,
    keep_all_freed_memory,
    keep_freed_memory,
)
from spssn_ros.runtime.sample import EvenSample
from spssn_ros.runtime.statistics import Durations, Pace, Percentiles, Rate
from spssn_ros.runtime.worker import Worker

__all__ = [
    'Causes',
    'Durations',
    'EvenSample',
    'Gate',
    'Mailbox',
    'Pace',
    'Percentiles',
    'Rate',
    'SlotCounts',
    'Worker',
    'end_signals_raised',
    'give_back_freed_memory',
    'keep_all_freed_memory',
    'keep_freed_memory',
    'lost_interrupts_raised_again',
    'map_ahead',
]
