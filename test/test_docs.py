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
"""The documents name what exists, and their figures are those of benchmarks/results/."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document: Path) -> None:
    for file, name in re.findall(r'`([\w/]+\.py)::(\w+)`', document.read_text()):
        tree = ast.parse((ROOT / 'test' / file).read_text())
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in functions, f'{file} has no {name}'


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r'\]\(([^)#]+)\)', document.read_text()):
        if '://' not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize(
    ('script', 'key', 'results', 'document'),
    [
        ('ablations', 'runs', 'ablations_cpu_avx2', 'ablations'),
        ('ablations', 'runs', 'ablations_recipes_cpu_amx', 'ablations'),
        ('weights_scores', 'scores', 'camvid_weights_cpu_amx', 'weights'),
        ('weights_scores', 'scores', 'camvid_without_val_cpu_avx512_amd', 'weights'),
        ('input_sizes', 'results', 'camvid_input_sizes_cpu_amx', 'weights'),
        ('input_sizes', 'results', 'camvid_input_sizes_fast_cpu_amx', 'weights'),
        ('input_sizes', 'results', 'camvid_input_sizes_without_val_cpu_avx512_amd', 'weights'),
        ('input_sizes', 'results', 'camvid_input_sizes_second_seed_cpu_avx512_amd', 'weights'),
    ],
)
def test_tables_are_those_of_the_committed_results(
    script: str,
    key: str,
    results: str,
    document: str,
    benchmark_module: Callable[[str], Any],
) -> None:
    found = json.loads((ROOT / f'benchmarks/results/{results}.json').read_text())[key]
    lines = (ROOT / f'docs/{document}.md').read_text().splitlines()
    expected = [line for line in benchmark_module(script).markdown(found).splitlines() if line]
    assert expected
    assert [line for line in expected if line not in lines] == []


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    titles = re.findall(r'^#+ (.+)$', document.read_text(), re.M)
    return {re.sub(r'[^\w -]', '', title.lower()).replace(' ', '-') for title in titles}


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_every_anchor_is_a_heading(document: Path) -> None:
    for target, anchor in re.findall(r'\]\(([^)#:]*)#([^)]+)\)', document.read_text()):
        page = document.parent / target if target else document
        assert anchor in anchors(page), f'{target}#{anchor}'


def test_the_readme_names_every_page_target_and_launch_argument() -> None:
    readme = (ROOT / 'README.md').read_text()
    for page in DOCUMENTS[1:]:
        assert f'(docs/{page.name}' in readme, page.name
    targets = set(re.findall(r'^([a-z]+):.*## ', (ROOT / 'Makefile').read_text(), re.M))
    assert set(re.findall(r'`make ([a-z]+)', readme)) == targets - {'help', 'setup'}
    for file in (ROOT / 'launch').glob('*.launch.py'):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'DeclareLaunchArgument':
                assert re.search(rf'`{ast.literal_eval(node.args[0])}\b', readme)


def test_every_environment_variable_of_the_package_is_told() -> None:
    told = (ROOT / 'docs/troubleshooting.md').read_text()
    for file in (ROOT / 'spssn_ros').rglob('*.py'):
        for name in re.findall(r"'((?:SPSSN|FASTDDS|FASTRTPS)_\w+)'", file.read_text()):
            assert f'`{name}`' in told, f'{name} of {file.name}'


def test_every_key_of_the_diagnostics_is_told() -> None:
    page = (ROOT / 'docs/segment_node.md').read_text().split('## Diagnostics')[1].split('## ')[0]
    code = (ROOT / 'spssn_ros/nodes/diagnostics.py').read_text()
    keys = re.findall(r"'([a-z_]+)'(?:: |\] = )", code)
    assert len(keys) > 10
    assert set(keys) <= set(re.findall(r'`(\w+)`', page))


def result(name: str) -> Any:
    return json.loads((ROOT / f'benchmarks/results/{name}.json').read_text())


def agree(document: str, table: str, label: str, expected: list[float]) -> None:
    """Check a row's figures, each to the digits it is told with.

    The row is the first that begins with `label` below the line that begins with `table`.
    """
    lines = (ROOT / document).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f'| {table}'))
    row = next(line for line in lines[start:] if line.startswith(f'| {label}'))
    cells = ' '.join(row.split(' | ')[1:])
    told = re.findall(r'\d+(?:\.\d+)?', cells)
    assert len(told) == len(expected), row
    for text, value in zip(told, expected, strict=True):
        half = 0.5 * 10 ** -len(text.partition('.')[2])
        assert abs(float(text) - value) <= half + 1e-9, f'{text} is {value} in {row}'


NETWORKS = {
    'SPSSN': 'spssn, random weights',
    'Fast-SCNN': 'fast_scnn, random weights',
    '`spssn_camvid`': 'spssn_camvid',
}


@pytest.mark.parametrize('network', NETWORKS)
@pytest.mark.parametrize(
    ('table', 'row', 'file'),
    [
        ('Xeon, AMX', 'two cores of an Intel Xeon (AMX)', 'engine_cpu_amx'),
        ('EPYC, AVX-512', 'two cores of an AMD EPYC (AVX-512)', 'engine_cpu_avx512_amd'),
        ('Xeon, AVX-512', 'two cores of an Intel Xeon (AVX-512)', 'engine_cpu_avx512'),
        ('EPYC, AVX2', 'two cores of an AMD EPYC (AVX2)', 'engine_cpu_avx2'),
    ],
)
def test_speeds_of_the_engine(network: str, table: str, row: str, file: str) -> None:
    runs = [run for run in result(file)['results'] if run['network'] == NETWORKS[network]]
    eager, engine, times, times_of_readme = [], [], [], []
    for run in runs:
        (openvino,) = (name for name in run['engines'] if name.startswith('openvino'))
        labels = run['engines'][openvino]['median_ms']
        eager.append(run['engines']['eager PyTorch float32 on cpu']['median_ms'])
        engine += [labels, run['with_confidence'][openvino]['median_ms']]
        times.append(eager[-1] / labels)
        times_of_readme += [labels, times[-1]]
    agree('docs/speed.md', table, f'{network}, eager PyTorch', eager)
    agree('docs/speed.md', table, f'{network}, engine', engine)
    if network == 'SPSSN':
        agree('README.md', row, row, times_of_readme)
    elif network == '`spssn_camvid`':
        agree('README.md', row, network, times_of_readme)


def test_speeds_of_the_node() -> None:
    found = result('node_cpu_amx')
    for network, end in (('spssn_camvid', '`spssn_camvid`: eng'), ('spssn, 19', 'SPSSN, 19')):
        at_30 = [
            run
            for run in found['results']
            if run['network'].startswith(network) and run['rate_hz'] == 30
        ]
        latency = [run['latency_ms'][name] for run in at_30 for name in ('p50', 'p95')]
        peaks = [run['rate_hz'] for run in found['peaks'] if run['network'].startswith(network)]
        if network == 'spssn_camvid':
            answered = [run['answered'] for run in at_30]
            mixed = [v for i in range(3) for v in (*latency[2 * i : 2 * i + 2], answered[i])]
            agree('README.md', 'the node over DDS', 'latency at 30 Hz', mixed)
            agree('README.md', 'the node over DDS', 'highest rate', peaks)
            agree('docs/speed_node.md', end, 'latency at 30 Hz', mixed)
        else:
            agree('docs/speed_node.md', end, 'latency at 30 Hz', latency)
        agree('docs/speed_node.md', end, 'highest rate', peaks)


def test_highest_rates_of_the_node_on_other_machines() -> None:
    for file, table in (('node_cpu_avx512_amd', 'EPYC, AVX-512'), ('node_cpu_avx2', 'EPYC, AVX2')):
        peaks: dict[str, list[float]] = {}
        for run in result(file)['peaks']:
            peaks.setdefault(run['network'].split(',')[0], []).append(run['rate_hz'])
        agree('docs/speed_node.md', table, 'highest rate', peaks['spssn_camvid'])
        lines = (ROOT / 'docs/speed_node.md').read_text().split(f'| {table} ')[1]
        rows = re.findall(r'^\| highest rate.*', lines, re.M)
        assert re.findall(r'(\d+) Hz', rows[1]) == [f'{rate:.0f}' for rate in peaks['spssn']]
        if file == 'node_cpu_avx512_amd':
            agree('README.md', 'the node over DDS', 'the same: EPYC', peaks['spssn_camvid'])


def test_speeds_of_the_engine_on_cuda() -> None:
    labels, pairs, once, slow, unlike = [], [], [], [], []
    for run in result('engine_cuda_h100')['results']:
        (rate,), (with_confidence,) = (
            run[key].values() for key in ('in_a_row', 'in_a_row_with_confidence')
        )
        labels.append(rate)
        pairs += [rate, with_confidence]
        eager, own = run['engines'].values()
        once += [own['median_ms'], list(run['with_confidence'].values())[1]['median_ms']]
        slow += [eager['median_ms'], list(run['times_as_fast'].values())[1]]
        unlike.append(100 * list(run['differing'].values())[1])
    agree('README.md', 'NVIDIA H100', 'NVIDIA H100', labels)
    agree('docs/speed.md', '| 480x360', 'NVIDIA H100', labels)
    told = ' '.join((ROOT / 'CHANGELOG.rst').read_text().split())
    assert 'on an H100: {:.0f}, {:.0f} and {:.0f} frames/s'.format(*labels) in told
    table = 'SPSSN, 19 classes, random weights, float16'
    agree('docs/speed_node.md', table, 'frames in a row', pairs)
    agree('docs/speed_node.md', table, 'one by one', once)
    agree('docs/speed_node.md', table, 'eager PyTorch on the GPU, float32', slow)
    agree('docs/speed_node.md', table, 'labels unlike', unlike)


def test_speeds_of_the_node_on_cuda() -> None:
    now = result('node_cuda_h100')
    runs = now, now['before_frames_were_copied_by_one_thread']
    labels = ('one by one', '60 Hz: latency', '60 Hz: engine', 'highest rate')
    cells: dict[str, list[float]] = {label: [] for label in labels}
    for size in ('480x360', '2048x1024'):
        for run in runs:
            rows = {row['rate_hz']: row for row in run['results'] if row['size'] == size}
            alone, fast = rows[None], rows[60.0]
            once = [alone['latency_ms']['p50'], alone['engine_ms'], alone['added_ms']]
            cells['one by one'] += once
            cells['60 Hz: engine'].append(fast['engine_ms'])
            cells['60 Hz: latency'] += [fast['latency_ms'][key] for key in ('p50', 'p95')]
            cells['highest rate'] += [
                row['rate_hz'] for row in run['peaks'] if row['size'] == size
            ]
    for label, expected in cells.items():
        agree('docs/speed_node.md', 'milliseconds, medians | 480x360', label, expected)


def test_what_four_cameras_get_on_cuda() -> None:
    found = result('cameras_cuda_h100')['four_at_60']
    cameras = found['cameras'].values()
    assert {(row['labels_heard'], row['published_in_window']) for row in cameras} == {(237, 240)}
    medians, slow = ([row['latency_ms'][key] for row in cameras] for key in ('p50', 'p95'))
    text = ' '.join((ROOT / 'docs/speed_node.md').read_text().split())
    assert (
        f'237 labels each of 240 frames, {min(medians):.0f} to {max(medians):.0f} ms after they '
        f'were published (medians; 95th percentile {min(slow):.0f} to {max(slow):.0f}), for '
        f'{found["cpu_share"]:.1f} cores'
    ) in text


def test_scores_of_the_weights_that_anyone_can_score() -> None:
    name = 'spssn_camvid_without_val'
    found = result('camvid_without_val_cpu_avx512_amd')['scores'][name]
    by_class = [100 * value for value in found['iou'].values()]
    degraded = [100 * value for value in found['robustness'].values()]
    label = f'`{name}` '
    agree('docs/weights.md', '% | sky', label, by_class)
    agree('docs/weights.md', '% | clean', label, degraded)
    sizes = result('camvid_input_sizes_without_val_cpu_avx512_amd')['results'][name]
    for row, key, field, factor in (
        ('val, mIoU', 'val', 'miou', 100),
        ('last fifths, mIoU', 'last fifths', 'miou', 100),
        ('ms, median', 'time', 'median_ms', 1),
    ):
        values = [factor * found[field] for found in sizes[key].values()]
        agree('docs/weights.md', f'{label}| 480x360', row, values)


def test_agreement_with_float32_on_cuda() -> None:
    found = result('camvid_agreement_cuda_h100')['camvid_val']
    cells = [f'{100 * found["float32"][0]["miou"]:.2f}']
    for _, own in found.values():
        cells.append(f'{100 * own["differing"]:.3f}, {100 * own["miou"]:.2f}')
    row = f'| `spssn_camvid` | {" | ".join(cells)} |'
    assert row in (ROOT / 'docs/speed.md').read_text()


@pytest.mark.parametrize('weights', ['spssn_camvid', 'spssn_camvid_fast'])
def test_speeds_of_the_shipped_weights(weights: str) -> None:
    size = {'spssn_camvid': '960x720', 'spssn_camvid_fast': '480x360'}[weights]
    table = 'Intel Xeon (AMX): `spssn_camvid`'
    label = table if weights == 'spssn_camvid' else '`spssn_camvid_fast`'
    figures = []
    for file in ('segmenter_cpu_amx', 'segmenter_int8_cpu_amx'):
        time = result(file)['results'][weights]['time'][size]
        figures += [time['median_ms'], time['fps']]
    agree('docs/speed.md', table, label, figures)


def test_the_score_that_anyone_can_repeat() -> None:
    found = result('camvid_without_val_cpu_avx512_amd')['scores']['spssn_camvid_without_val']
    averages = [100 * found[key] for key in ('miou', 'class_average', 'global_average')]
    for page in ('README.md', 'docs/weights.md'):
        text = (ROOT / page).read_text()
        assert '| **{:.1f}** | {:.1f} | {:.1f} |'.format(*averages) in text


def test_agreement_with_float32() -> None:
    for weights, (first, *others) in result('camvid_agreement_cpu_avx512_amd')[
        'camvid_val'
    ].items():
        cells = [f'{100 * first["miou"]:.2f}']
        cells += [f'{100 * e["differing"]:.2g}, {100 * e["miou"]:.2f}' for e in others]
        row = f'| `{weights}` | {" | ".join(cells)} |'
        assert row in (ROOT / 'docs/speed.md').read_text()


def test_scores_of_the_second_seed() -> None:
    results = result('camvid_input_sizes_second_seed_cpu_avx512_amd')['results']
    for label, name in (
        ('stage 1', 'second_seed_stage1'),
        ('first cycle', 'second_seed_stage2'),
        ('second cycle', 'second_seed'),
        ('the mean of both ends', 'second_seed_mean'),
    ):
        for split, place in (
            ('val', 'val, a place never seen'),
            ('last fifths', 'last fifth of every drive'),
        ):
            found = results[name][split]['960x720']
            averages = [100 * found[key] for key in ('miou', 'class_average', 'global_average')]
            agree('docs/weights.md', '| scored on', f'{label} | {place} |', averages)
            if name == 'second_seed_mean':
                iou = [100 * value for value in found['iou'].values()]
                agree('docs/weights.md', 'IoU, %', f'the mean, {split} |', iou)


def test_scores_by_class_in_the_readme() -> None:
    scores = result('camvid_weights_cpu_amx')['scores']
    for label, name in (('`spssn_camvid` ', 'judged'), ('`spssn_camvid_fast` ', 'fast_judged')):
        found = scores[name]
        iou = [100 * value for value in (*found['iou'].values(), found['miou'])]
        agree('README.md', 'on val', label, iou)
        averages = [100 * found[key] for key in ('miou', 'class_average', 'global_average')]
        tables = ''.join((ROOT / page).read_text() for page in ('README.md', 'docs/weights.md'))
        assert '| **{:.1f}** | {:.1f} | {:.1f} |'.format(*averages) in tables
