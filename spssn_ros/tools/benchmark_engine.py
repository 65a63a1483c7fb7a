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
"""What `spssn benchmark engine` reports."""

from dataclasses import asdict

from rich.table import Table

from spssn_ros.benchmarking import ENGINE_NOTE, EngineBenchmark, EngineResult, Score
from spssn_ros.inference.config import size_text
from spssn_ros.tools.benchmark_report import Report, Values, cells, number_or_none


def engine_report(
    config: EngineBenchmark, found: list[EngineResult], scores: dict[str, Score]
) -> Report:
    """Return the measurements as JSON and tables."""
    settings: Values = {
        'weights': config.weights,
        'iterations': config.iterations,
        'timing': ENGINE_NOTE,
        'measured': 'uint8 frame in, labels of its size out, in turns',
    }
    results = [
        {
            'network': result.network,
            'size': size_text(result.size),
            'engines': {name: asdict(timing) for name, timing in result.timings.items()},
            'times_as_fast': result.times_as_fast(),
            'with_confidence': {n: asdict(timing) for n, timing in result.with_confidence.items()},
            'stages': {name: asdict(timing) for name, timing in result.stages.items()},
            'differing': result.differing,
            'in_a_row': result.in_a_row,
            'in_a_row_with_confidence': result.in_a_row_with_confidence,
        }
        for result in found
    ]
    content = {'results': results}
    tables = [_timings(found), _stages(found)]
    if any(result.in_a_row for result in found):
        tables.append(_in_a_row(found))
    if scores:
        content['camvid_val'] = [
            {'engine': name} | asdict(score) | {'miou': number_or_none(score.miou)}
            for name, score in scores.items()
        ]
        tables.append(_scores(scores))
    return Report(settings, content, tuple(tables))


def _timings(found: list[EngineResult]) -> Table:
    table = Table('network', 'size', 'engine', title='Engine, end to end')
    for column in (
        'median ms',
        'p95 ms',
        'FPS',
        'times as fast',
        'with confidence ms',
        'differing %',
    ):
        table.add_column(column, justify='right')
    for result in found:
        ratios = result.times_as_fast()
        for number, (name, timing) in enumerate(result.timings.items()):
            table.add_row(
                *(('', '') if number else (result.network, size_text(result.size))),
                name,
                *cells(timing),
                f'{ratios[name]:.2f}',
                f'{result.with_confidence[name].median_ms:.2f}',
                f'{100 * result.differing[name]:.2g}',
            )
        table.add_section()
    return table


def _stages(found: list[EngineResult]) -> Table:
    table = Table('network', 'size', title='Parts of the time with OpenVINO, median ms')
    names = list(dict.fromkeys(name for result in found for name in result.stages))
    for name in names:
        table.add_column(name, justify='right')
    for result in found:
        parts = [f'{result.stages[n].median_ms:.2f}' if n in result.stages else '' for n in names]
        table.add_row(result.network, size_text(result.size), *parts)
    return table


def _in_a_row(found: list[EngineResult]) -> Table:
    table = Table('network', 'size', 'engine', title='Frames in a row, frames/s')
    for column in ('labels', 'with confidence'):
        table.add_column(column, justify='right')
    for result in found:
        for name, rate in result.in_a_row.items():
            both = result.in_a_row_with_confidence[name]
            place = (result.network, size_text(result.size))
            table.add_row(*place, name, f'{rate:.1f}', f'{both:.1f}')
    return table


def _scores(scores: dict[str, Score]) -> Table:
    table = Table('engine', title='CamVid, validation frames')
    for column in ('mIoU %', 'differing %', 'frames'):
        table.add_column(column, justify='right')
    for name, score in scores.items():
        differing = f'{100 * score.differing:.2g}'
        miou = '' if number_or_none(score.miou) is None else f'{100 * score.miou:.2f}'
        table.add_row(name, miou, differing, str(score.frames))
    return table
