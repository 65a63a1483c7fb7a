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
"""What `spssn benchmark` prints and writes."""

import io
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from spssn_ros.benchmarking import Timing
from spssn_ros.evaluation.result import write_text
from spssn_ros.inference.config import Size, parse_size

Values = dict[str, Any]
_Item = TypeVar('_Item')
# Columns of text in which every table fits.
_WIDE = 1000


@dataclass(frozen=True)
class Report:
    """A finished benchmark.

    Attributes:
        settings: how it was measured.
        content: the numbers, as in the JSON: 'results', one row each, and what else there is.
        tables: the same for people.

    """

    settings: Values
    content: dict[str, list[Values]]
    tables: tuple[Table, ...]


def output(
    report: Report, what: str, machine: Values, json_file: str | None, markdown_file: str | None
) -> None:
    """Print the tables and write the files asked for; JSON to stdout instead where that is '-'."""
    values = {'benchmark': what, 'machine': machine, 'settings': report.settings}
    text = json.dumps(values | report.content, indent=2, allow_nan=False) + '\n'
    if json_file == '-':
        print(text, end='')
    else:
        wide = Console(width=_WIDE)
        widths = [wide.measure(table).maximum for table in report.tables]
        # Numbers are not cut off to fit a narrow terminal.
        console = Console(width=max(Console().width, *widths))
        for table in report.tables:
            console.print(table)
        for key, value in (report.settings | machine).items():
            console.print(f'{key}: {value}', highlight=False, soft_wrap=True)
    if json_file and json_file != '-':
        _write(json_file, text)
    if markdown_file:
        _write(markdown_file, _markdown(report, what, machine))


def _markdown(report: Report, what: str, machine: Values) -> str:
    parts = [f'# spssn benchmark {what}']
    for table in report.tables:
        title, table.title, table.box = table.title, None, box.MARKDOWN
        console = Console(file=io.StringIO(), width=_WIDE)
        console.print(table)
        assert isinstance(console.file, io.StringIO)
        lines = (line.strip() for line in console.file.getvalue().splitlines())
        parts += [f'## {title}', '\n'.join(line for line in lines if line)]
    facts = (f'- {key}: {value}' for key, value in (report.settings | machine).items())
    return '\n\n'.join([*parts, '\n'.join(facts)]) + '\n'


def _write(name: str, text: str) -> None:
    write_text(Path(name), text)
    print(f'written to {name}', file=sys.stderr)


def cells(timing: Timing) -> tuple[str, str, str]:
    """Return median, 95th percentile and frames a second for a table."""
    return f'{timing.median_ms:.2f}', f'{timing.p95_ms:.2f}', f'{timing.fps:.1f}'


def number_or_none(value: float) -> float | None:
    """Return a number as JSON has it, which knows no NaN."""
    return None if math.isnan(value) else value


def parse_sizes(text: str) -> tuple[Size, ...]:
    """Read 'WxH,WxH'.

    Raises:
        ConfigError: one of them is no size.

    """
    return tuple(
        parse_size(part, '--sizes', ('several after commas',)) for part in text.split(',')
    )


def with_bar(items: Iterable[_Item], total: int) -> Iterable[_Item]:
    """Return the items; a progress bar shows how many came."""
    return tqdm(items, total=total, desc='measuring', unit='row', disable=None)
