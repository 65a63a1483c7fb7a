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
"""`spssn benchmark node`: segment_node in its own process, over DDS."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from spssn_ros.errors import ConfigError, SpssnError
from spssn_ros.inference.config import InputSize, Size, size_text
from spssn_ros.labels import CITYSCAPES
from spssn_ros.models import Normalisation, WeightsInfo, create_model, find_weights, save_weights
from spssn_ros.tools.benchmark_report import (
    Report,
    Values,
    number_or_none,
    parse_sizes,
    with_bar,
)

if TYPE_CHECKING:
    from spssn_ros.nodes.benchmark import NodeTiming

_TRAINED: Size = (480, 360)
_METHOD = (
    'latency from just before publishing (bgr8, another process) to the arrival of ~/label, DDS '
    "both ways; engine: the network's share in the same run; added: the difference of the medians"
)
_HEADER = (
    'network',
    'size',
    'rate Hz',
    'sent',
    'answered',
    'dropped',
    'p50 ms',
    'p95 ms',
    'p99 ms',
    'engine ms',
    'added ms',
)


def measure(args: argparse.Namespace) -> Report:
    """Measure every network at every size."""
    rates = _rates(args.rate)
    if not 0 < args.seconds < float('inf'):
        raise ConfigError(f'--seconds is {args.seconds}; give a number above 0')
    sizes = parse_sizes(args.sizes)
    InputSize.parse(args.input_size)
    find_weights(args.weights)
    models = [name for name in args.models.split(',') if name]
    try:
        # Imported here, so that the others work without ROS.
        from spssn_ros.nodes.benchmark import benchmark_node
    except ImportError as error:
        raise SpssnError(
            f'benchmark node needs ROS 2 ({error}); source an installation or use the '
            'environment that make sets up'
        ) from error
    results: list[Values] = []
    peaks: list[Values] = []
    with _networks(args.weights, models) as networks:
        todo = [(name, weights, size) for name, weights in networks for size in sizes]
        for name, weights, size in with_bar(todo, len(todo)):
            found = benchmark_node(size, rates, args.seconds, weights, args.input_size)
            results += [_row(name, size, timing) for timing in found.timings]
            if found.peak is not None:
                peaks.append(_row(name, size, found.peak))
    settings = {
        'weights': args.weights,
        'models': models,
        'rate_hz': list(rates),
        'seconds': args.seconds,
        'input_size': args.input_size,
        'method': _METHOD,
    }
    tables = (
        _table('segment_node over DDS', results),
        _table('Highest rate with under 5 % dropped', peaks),
    )
    return Report(settings, {'results': results, 'peaks': peaks}, tables)


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(','))
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < float('inf') for rate in rates):
        raise ConfigError(f'--rate is {text!r}; give numbers above 0, several after commas')
    return rates


@contextmanager
def _networks(weights: str, models: list[str]) -> Iterator[list[tuple[str, str]]]:
    """Give names and weights files: those asked for, and networks with random weights."""
    with tempfile.TemporaryDirectory() as folder:
        networks = [(weights, weights)]
        for name in models:
            path = Path(folder) / f'{name}.safetensors'
            info = WeightsInfo(name, {}, CITYSCAPES, Normalisation(), _TRAINED)
            save_weights(path, create_model(name, len(CITYSCAPES)).eval(), info)
            networks.append((f'{name}, {len(CITYSCAPES)} classes, random weights', str(path)))
        yield networks


def _row(network: str, size: Size, timing: 'NodeTiming') -> Values:
    latency = timing.latency_ms
    return {
        'network': network,
        'size': size_text(size),
        'rate_hz': timing.rate_hz if timing.rate_hz is None else round(timing.rate_hz, 2),
        'published': timing.published,
        'answered': timing.answered,
        'dropped': round(timing.dropped, 4),
        'latency_ms': {
            'p50': _number(latency.p50),
            'p95': _number(latency.p95),
            'p99': _number(latency.p99),
        },
        'engine_ms': _number(timing.engine_ms),
        'added_ms': _number(timing.added_ms),
    }


def _number(value: float) -> float | None:
    # NaN where nothing was answered.
    return number_or_none(round(value, 2))


def _table(title: str, rows: list[Values]) -> Table:
    table = Table(title=title)
    for number, column in enumerate(_HEADER):
        table.add_column(column, justify='left' if number < 2 else 'right')
    for row in rows:
        rate = 'one by one' if row['rate_hz'] is None else f'{row["rate_hz"]:g}'
        counts = (str(row['published']), str(row['answered']), f'{row["dropped"]:.1%}')
        times = (*row['latency_ms'].values(), row['engine_ms'], row['added_ms'])
        shown = ('' if ms is None else f'{ms:.1f}' for ms in times)
        table.add_row(row['network'], row['size'], rate, *counts, *shown)
    return table
