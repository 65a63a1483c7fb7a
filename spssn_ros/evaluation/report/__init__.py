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
"""Scores and frames for people: a table for the terminal, a page for the browser."""

from spssn_ros.evaluation.report.about import About, Run
from spssn_ros.evaluation.report.compare import Earlier, read_earlier
from spssn_ros.evaluation.report.gallery import Gallery, Shown
from spssn_ros.evaluation.report.terminal import print_scores, score_table
from spssn_ros.evaluation.report.timeline import Source
from spssn_ros.evaluation.report.write import clear_report, write_report

__all__ = [
    'About',
    'Earlier',
    'Gallery',
    'Run',
    'Shown',
    'Source',
    'clear_report',
    'print_scores',
    'read_earlier',
    'score_table',
    'write_report',
]
