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
"""The learning curve as a CSV file."""

import csv
import os
from pathlib import Path

from spssn_ros.evaluation.result import write_text

CURVE = 'curve.csv'


def cut_curve(path: Path, epochs: int) -> None:
    """Remove the row of an epoch that was written while its state was not."""
    if path.exists():
        lines = path.read_text(encoding='utf-8').splitlines(keepends=True)
        write_text(path, ''.join(lines[: epochs + 1]))


def append_row(path: Path, row: dict[str, object]) -> None:
    """Add a row, and the header before the first; on the disk when this returns."""
    new = not path.exists()
    with path.open('a', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
        file.flush()
        os.fsync(file.fileno())
