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
"""`spssn benchmark models`: every network beside what its paper publishes."""

import argparse
from dataclasses import asdict

from rich.table import Table

from spssn_ros.benchmarking import (
    COUNTED_AT,
    ENGINE_NOTE,
    FORWARD_NOTE,
    ModelCount,
    ModelResult,
    ModelsBenchmark,
    benchmark_models,
    count_gflops,
    count_model,
)
from spssn_ros.inference.config import Size, size_text
from spssn_ros.models import create_model
from spssn_ros.tools.benchmark_report import (
    Report,
    Values,
    cells,
    parse_sizes,
    with_bar,
)

_GFLOPS_NOTE = (
    "1e9 operations of convolutions and matrix products, by torch's counter; a multiplication and "
    'an addition are two'
)


def measure(args: argparse.Namespace) -> Report:
    """Count, and measure unless told not to."""
    sizes, names = parse_sizes(args.sizes), tuple(args.models.split(','))
    config = ModelsBenchmark(
        sizes, args.iterations, args.device, args.precision, args.cpu_threads, names
    )
    counts = [count_model(name) for name in names]
    if args.count_only:
        return _count_report(counts, sizes)
    found = list(with_bar(benchmark_models(config), len(names) * len(sizes)))
    resolved = config.plan()
    settings = {
        'device': resolved.device.value,
        'precision': resolved.precision.value,
        'iterations': config.iterations,
        'forward': f'forward pass alone, one image, batch norm merged; {FORWARD_NOTE}',
        'end_to_end': f'uint8 frame in, uint8 labels of its size out; {ENGINE_NOTE}',
        'gflops': _GFLOPS_NOTE,
    }
    content = {
        'networks': [asdict(count) for count in counts],
        'results': [asdict(result) | {'size': size_text(result.size)} for result in found],
    }
    return Report(settings, content, (_counts_table(counts), _speed_table(found)))


def _count_report(counts: list[ModelCount], sizes: tuple[Size, ...]) -> Report:
    table = Table('GFLOPs', title='Operations of a forward pass')
    results: list[Values] = []
    for size in sizes:
        table.add_column(size_text(size), justify='right')
    for count in counts:
        model = create_model(count.model)
        gflops = {size_text(size): count_gflops(model, size) for size in sizes}
        table.add_row(count.model, *(f'{value:.2f}' for value in gflops.values()))
        results += [
            {'model': count.model, 'size': size, 'gflops': value} for size, value in gflops.items()
        ]
    content = {'networks': [asdict(count) for count in counts], 'results': results}
    return Report({'gflops': _GFLOPS_NOTE}, content, (_counts_table(counts), table))


def _counts_table(counts: list[ModelCount]) -> Table:
    table = Table('network', title='Networks, 19 classes')
    for column in (
        'parameters',
        'published',
        'with batch norm',
        'MB',
        'published MB',
        f'GFLOPs {size_text(COUNTED_AT)}',
        'published GFLOPs',
    ):
        table.add_column(column, justify='right')
    for count in counts:
        published = count.published
        table.add_row(
            count.model,
            f'{count.parameters:,}',
            _optional(published.parameters_millions, '{:.2f} M'),
            f'{count.parameters_with_batch_norm:,}',
            f'{count.size_mb:.2f}',
            _optional(published.size_mb, '{:.1f}'),
            f'{count.gflops:.3f}',
            _optional(published.gflops, '{:.2f}'),
        )
    return table


def _speed_table(found: list[ModelResult]) -> Table:
    table = Table('network', 'size', title='Speed')
    for column in (
        'GFLOPs',
        'forward ms',
        'p95 ms',
        'FPS',
        'published FPS',
        'end to end ms',
        'p95 ms',
        'FPS',
    ):
        table.add_column(column, justify='right')
    for result in found:
        table.add_row(
            result.model,
            size_text(result.size),
            f'{result.gflops:.2f}',
            *cells(result.forward),
            ', '.join(f'{speed.fps:g}' for speed in result.published),
            *cells(result.end_to_end),
        )
    return table


def _optional(value: float | None, form: str) -> str:
    return '' if value is None else form.format(value)
