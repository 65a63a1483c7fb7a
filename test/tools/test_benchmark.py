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
"""`spssn benchmark` runs and says what it is about; what it measures is no test's business."""

import json
import math
import re
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from spssn_ros.benchmarking import (
    EngineBenchmark,
    EngineResult,
    ModelsBenchmark,
    Score,
    Timing,
    engine,
    engine_calls,
    score_camvid,
)
from spssn_ros.benchmarking.baseline import EagerPyTorch
from spssn_ros.benchmarking.engines import differing_share
from spssn_ros.errors import ConfigError
from spssn_ros.inference import InferenceConfig, Segmentation, Segmenter
from spssn_ros.inference.config import Device, InputSize, Precision
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.labels import CAMVID, LabelSet
from spssn_ros.machine import cpu_model
from spssn_ros.models import (
    MODEL_NAMES,
    Normalisation,
    QuantizedGraph,
    WeightsInfo,
    create_model,
    load_weights,
    save_weights,
)
from spssn_ros.runtime import Percentiles
from spssn_ros.tools import benchmark as benchmark_tool
from spssn_ros.tools import benchmark_models as benchmark_models_tool
from spssn_ros.tools.main import main

TIMING_KEYS = {'median_ms', 'p95_ms', 'fps', 'iterations'}
MACHINE_KEYS = {'cpu', 'cores', 'load_1min', 'gpu', 'python', 'torch', 'openvino', 'system'}


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    model = create_model('spssn', len(CAMVID), chain_length=1)
    info = WeightsInfo('spssn', {'chain_length': 1}, CAMVID, Normalisation(), (64, 48))
    save_weights(path, model, info)
    return path


@pytest.fixture
def run_benchmark(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs `spssn benchmark` and returns what it printed."""

    def run(*arguments: object, status: int = 0) -> str:
        assert main(['benchmark', *map(str, arguments)]) == status
        output, errors = capsys.readouterr()
        return output if status == 0 else errors

    return run


COUNT_KEYS = {
    'model',
    'parameters',
    'parameters_with_batch_norm',
    'size_mb',
    'gflops',
    'published',
}


def test_models(tmp_path: Path, run_benchmark: Callable[..., str]) -> None:
    path, tables = tmp_path / 'new' / 'models.json', tmp_path / 'models.md'
    names = ('--models', 'spssn,shufflenetv2_basic', '--sizes', '224x224,32x48')
    how = ('--iterations', 2, '--device', 'cpu', '--json', path, '--markdown', tables)
    said = run_benchmark('models', *names, *how)
    for text in ('network', '224x224', '1,421,571', 'on CUDA between two events'):
        assert text in said
    report = json.loads(path.read_text())
    assert report.keys() == {'benchmark', 'machine', 'settings', 'networks', 'results'}
    assert report['benchmark'] == 'models'
    assert report['machine'].keys() == MACHINE_KEYS
    assert report['machine']['torch'] == torch.__version__
    assert report['settings']['precision'] == 'float32'
    assert all(network.keys() == COUNT_KEYS for network in report['networks'])
    assert [network['model'] for network in report['networks']] == ['spssn', 'shufflenetv2_basic']
    assert report['networks'][1]['published']['size_mb'] == 4.6
    rows = report['results']
    assert [(row['model'], row['size']) for row in rows] == [
        (name, size) for name in ('spssn', 'shufflenetv2_basic') for size in ('224x224', '32x48')
    ]
    for row in rows:
        assert row.keys() == {'model', 'size', 'gflops', 'forward', 'end_to_end', 'published'}
        for timing in (row['forward'], row['end_to_end']):
            assert timing.keys() == TIMING_KEYS
            assert timing['iterations'] == 2
            assert 0 < timing['median_ms'] <= timing['p95_ms']
    assert [speed['fps'] for speed in rows[2]['published']] == [19.65]
    # The same rows for people: a line each, every one as long as its header.
    counts, speeds = (
        [line for line in part.splitlines() if line.startswith('|')]
        for part in tables.read_text().split('\n## ')[1:]
    )
    assert [len(counts), len(speeds)] == [2 + 2, 2 + 4]
    assert len({line.count('|') for line in counts}) == len({line.count('|') for line in speeds})
    assert re.match(r'\| shufflenetv2_basic \| 224x224 \|.*\| +19\.65 \|', speeds[4])


def test_models_counted_only(
    run_benchmark: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark_models_tool, 'benchmark_models', None)
    report = json.loads(
        run_benchmark('models', '--count-only', '--sizes', '64x48,480x360', '--json', '-')
    )
    assert [network['model'] for network in report['networks']] == list(MODEL_NAMES)
    spssn = {row['size']: row['gflops'] for row in report['results'] if row['model'] == 'spssn'}
    assert spssn == {'64x48': 0.032, '480x360': 1.688}


def write_camvid(folder: Path, size: tuple[int, int], classes: tuple[int, ...] = (0, 1)) -> None:
    """Write validation frames, each of which is wholly of one class."""
    for number, class_id in enumerate(classes):
        for place, image in (
            ('val', np.full((*size[::-1], 3), 90, np.uint8)),
            ('valannot', np.full(size[::-1], class_id, np.uint8)),
        ):
            (folder / place).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / place / f'{number}.png'), image)


def test_engine(run_benchmark: Callable[..., str], weights: Path, tmp_path: Path) -> None:
    write_camvid(tmp_path, (64, 48))
    arguments = ('--sizes', '64x48', '--iterations', 1, '--precision', 'float32')
    arguments += ('--models', 'fast_scnn', '--camvid', tmp_path)
    report = json.loads(run_benchmark('engine', *arguments, '--weights', weights, '--json', '-'))
    assert report['settings']['weights'] == str(weights)
    rows = report['results']
    assert [row['network'] for row in rows] == [str(weights), 'fast_scnn, random weights']
    names = [
        'eager PyTorch float32 on cpu',
        'torch float32 on cpu',
        'openvino float32 on cpu',
    ]
    for row in rows:
        assert row['size'] == '64x48'
        assert list(row['engines'])[:3] == names
        for key in ('engines', 'with_confidence', 'stages'):
            assert all(values.keys() == TIMING_KEYS for values in row[key].values())
        assert row['times_as_fast'][names[0]] == 1
        assert row['times_as_fast'].keys() == row['engines'].keys() == row['differing'].keys()
        assert list(row['stages']) == ['network', 'upsample_argmax', 'upsample_argmax_confidence']
        # Only a GPU takes the next frame while it computes one.
        for key in ('in_a_row', 'in_a_row_with_confidence'):
            assert list(row[key]) == [name for name in row['engines'] if ' on cuda ' in name]
    assert all(share < 0.01 for share in rows[0]['differing'].values())
    first, *others = report['camvid_val']
    assert first['engine'] == names[0]
    assert 0 <= first['miou'] <= 1
    assert first['frames'] == 2
    assert all(abs(other['miou'] - first['miou']) < 0.01 for other in others)


@pytest.fixture(scope='module')
def both(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights with a graph for 64x48, which here holds floats."""
    openvino = pytest.importorskip('openvino')
    backend = pytest.importorskip('spssn_ros.inference.openvino_backend')
    folder = tmp_path_factory.mktemp('both')
    model, info = load_weights(weights)
    network = backend.prepared(FromUint8(fold_batch_norm(model), info.normalisation).eval())
    openvino.save_model(backend.to_openvino(network, (64, 48)), folder / 'graph.xml')
    parts = ((folder / f'graph.{kind}').read_bytes() for kind in ('xml', 'bin'))
    save_weights(folder / 'both.safetensors', model, info, QuantizedGraph((64, 48), *parts, 1, {}))
    return folder / 'both.safetensors'


def test_engine_shows_integers_beside_floats_at_their_size(
    run_benchmark: Callable[..., str], both: Path
) -> None:
    arguments = ('--weights', both, '--models', '', '--iterations', 1, '--device', 'cpu')
    arguments += ('--precision', 'int8')
    report = json.loads(
        run_benchmark('engine', *arguments, '--sizes', '64x48,96x32', '--json', '-')
    )
    small, other = ([*row['engines']] for row in report['results'])
    assert small[-1] == 'openvino int8 on cpu'
    assert small[:-1] == other
    assert [name.split()[0] for name in other] == ['eager', 'torch', 'openvino']
    assert report['results'][0]['differing']['openvino int8 on cpu'] < 0.05
    assert run_benchmark('engine', *arguments, '--sizes', '96x32', status=2) == (
        f'spssn: {both} holds 8-bit integers for 64x48 only; give that size too\n'
    )


@pytest.mark.parametrize('frame', [(64, 48), (32, 24)])
def test_engine_scores_integers_beside_floats_at_the_weights_size(
    both: Path, tmp_path: Path, frame: tuple[int, int]
) -> None:
    write_camvid(tmp_path, frame)
    config = EngineBenchmark(
        ((64, 48),), str(both), device='cpu', precision='int8', camvid=tmp_path
    )
    scores = score_camvid(config)
    *floats, integers = scores
    assert integers == 'openvino int8 on cpu'
    assert len(floats) == 3
    for score in scores.values():
        assert abs(score.miou - scores[integers].miou) < 0.05
        assert score.differing < 0.05
        assert score.frames == 2


def test_engine_refuses_integers_of_another_size_than_the_scored_frames(
    run_benchmark: Callable[..., str],
    both: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_camvid(tmp_path, (96, 32))
    arguments = ('--weights', both, '--sizes', '64x48', '--device', 'cpu', '--precision', 'int8')
    told = (
        f'{both} holds 8-bit integers for 64x48 only, but a frame of {tmp_path} enters the '
        'network at 96x32; give frames that enter at that size, or another precision'
    )
    # It is told before anything is measured.
    monkeypatch.setattr(engine, 'take_turns', None)
    said = run_benchmark('engine', *arguments, '--camvid', tmp_path, status=2)
    assert said == f'spssn: {told}\n'
    # One such frame among others is one too many.
    write_camvid(tmp_path, (64, 48), (0,))
    config = EngineBenchmark(
        ((64, 48),), str(both), device='cpu', precision='int8', camvid=tmp_path
    )
    with pytest.raises(ConfigError, match=re.escape(told)):
        score_camvid(config)


def test_engine_refuses_to_score_weights_of_other_classes(
    run_benchmark: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_camvid(tmp_path, (64, 48))
    # As many classes, in another order.
    label_set = LabelSet(CAMVID.names[::-1], CAMVID.palette[::-1])
    model = create_model('spssn', len(label_set), chain_length=1)
    info = WeightsInfo('spssn', {'chain_length': 1}, label_set, Normalisation(), (64, 48))
    other = tmp_path / 'other.safetensors'
    save_weights(other, model, info)
    told = (
        f"{other} has other classes than CamVid's 11, so {tmp_path} cannot score it; give weights "
        'trained on CamVid, or leave camvid out'
    )
    # It is told before anything is measured.
    monkeypatch.setattr(engine, 'take_turns', None)
    arguments = ('--weights', other, '--sizes', '64x48', '--device', 'cpu')
    assert (
        run_benchmark('engine', *arguments, '--camvid', tmp_path, status=2) == f'spssn: {told}\n'
    )
    config = EngineBenchmark(((64, 48),), str(other), device='cpu', camvid=tmp_path)
    with pytest.raises(ConfigError, match=re.escape(told)):
        score_camvid(config)


def test_a_missing_folder_of_frames_is_told_before_the_measurements(
    run_benchmark: Callable[..., str],
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, 'take_turns', None)
    arguments = ('--weights', weights, '--device', 'cpu', '--camvid', tmp_path / 'none')
    said = run_benchmark('engine', *arguments, status=2)
    assert said.startswith(f'spssn: CamVid folder {tmp_path}/none does not exist; ')


def test_a_score_of_nothing_is_null(
    run_benchmark: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    timings = {'torch': Timing(20, 29, 50, 3)}
    result = EngineResult('w', (64, 48), timings, timings, {}, {'torch': 0.0})
    monkeypatch.setattr(benchmark_tool, 'benchmark_engine', lambda _: iter([result]))
    monkeypatch.setattr(
        benchmark_tool, 'score_camvid', lambda _: {'torch': Score(math.nan, 0.0, 2)}
    )
    report = json.loads(run_benchmark('engine', '--json', '-'), parse_constant=pytest.fail)
    assert report['camvid_val'] == [{'engine': 'torch', 'miou': None, 'differing': 0, 'frames': 2}]
    rows = [line.split() for line in run_benchmark('engine').splitlines() if line.startswith('│')]
    assert rows[-1] == ['│', 'torch', '│', '│', '0', '│', '2', '│']


def test_engine_tables(run_benchmark: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    slow, fast = Timing(20, 29, 50, 3), Timing(4.5, 9, 222.2, 3)
    result = EngineResult(
        'w',
        (64, 48),
        {'torch': slow, 'openvino': fast},
        {'torch': fast, 'openvino': slow},
        {'network': fast},
        {'torch': 0.0, 'openvino': 0.00123},
        {'torch': 250.06},
        {'torch': 199.5},
    )
    monkeypatch.setattr(benchmark_tool, 'benchmark_engine', lambda _: iter([result]))
    monkeypatch.setattr(
        benchmark_tool, 'score_camvid', lambda _: {'torch': Score(0.5254, 0.001, 7)}
    )
    said = run_benchmark('engine')
    rows = [re.split(r' *│ *', line)[1:-1] for line in said.splitlines() if line.startswith('│')]
    assert rows == [
        ['w', '64x48', 'torch', '20.00', '29.00', '50.0', '1.00', '4.50', '0'],
        ['', '', 'openvino', '4.50', '9.00', '222.2', '4.44', '20.00', '0.12'],
        ['w', '64x48', '4.50'],
        ['w', '64x48', 'torch', '250.1', '199.5'],
        ['torch', '52.54', '0.1', '7'],
    ]
    assert '(synchronised on CUDA)' in said


# A GPU convolves in TF32, with ten bits.
@pytest.mark.parametrize(
    ('device', 'alike', 'confidence_error'),
    [
        (Device.CPU, 0.999, 1.01),
        pytest.param(
            Device.CUDA,
            0.99,
            3.0,
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU'),
        ),
    ],
)
def test_the_baseline_upsamples_all_logits(
    device: Device, alike: float, confidence_error: float, random_network: Any, picture: Any
) -> None:
    model, info = random_network
    rgb = picture(90, 70)
    baseline = EagerPyTorch(model, info, device)
    assert baseline.description == f'eager PyTorch float32 on {device.value}'
    result = baseline(rgb, with_confidence=True)
    mean, std = np.array(info.normalisation.mean), np.array(info.normalisation.std)
    x = torch.from_numpy(((rgb / 255 - mean) / std).astype(np.float32).transpose(2, 0, 1))
    with torch.inference_mode():
        volume = torch.nn.functional.interpolate(model(x[None]), (70, 90), mode='bilinear')[0]
    assert (result.labels == volume.argmax(0).numpy()).mean() > alike
    probability = 255 * volume.softmax(0).amax(0).numpy()
    assert np.abs(result.confidence - probability).max() < confidence_error


def test_frames_enter_the_baseline_at_the_size_asked_for(
    random_network: Any, picture: Any
) -> None:
    model, info = random_network
    rgb = picture(90, 70)
    baseline = EagerPyTorch(model, info, input_size=InputSize.parse('160x128'))
    config = InferenceConfig.parse('cpu', 'torch', 'float32', '160x128')
    expected = Segmenter(model, info, config)(rgb).labels
    assert (baseline(rgb).labels == expected).mean() > 0.999
    assert (EagerPyTorch(model, info)(rgb).labels == expected).mean() < 0.99


def test_ratios_are_of_medians() -> None:
    timings = {'slow': Timing.of([30, 10, 20]), 'fast': Timing.of([4, 5, 90])}
    assert timings['slow'] == Timing(median_ms=20, p95_ms=29, fps=50, iterations=3)
    assert EngineResult('w', (1, 1), timings, {}, {}, {}).times_as_fast() == {'slow': 1, 'fast': 4}


def test_one_differing_pixel_of_a_large_frame_shows() -> None:
    expected = np.zeros((1024, 2048), np.uint8)
    labels = expected.copy()
    labels[7, 9] = 1
    assert differing_share(labels, expected) == 1 / expected.size
    assert differing_share(expected, expected) == 0


def test_frames_in_a_row_are_for_engines_that_work_ahead(weights: Path) -> None:
    plain = Segmenter.from_weights(weights, device='cpu', backend='torch', precision='float32')
    ahead = Segmenter.from_weights(weights, device='cpu', backend='torch', precision='float32')
    begun: list[bool] = []

    class Ahead:
        description, precision, max_begun = 'ahead', Precision.FLOAT32, 2

        def segment(self, *_: Any) -> Segmentation:
            return Segmentation(np.zeros((48, 64), np.uint8))

        def begin(self, *arguments: Any) -> Callable[[], Segmentation]:
            begun.append(arguments[-1])
            return self.segment

    ahead.backend = Ahead()  # type: ignore[assignment]
    baseline = EagerPyTorch(*load_weights(weights))
    frame = np.zeros((48, 64, 3), np.uint8)
    rates = engine_calls.in_a_row([baseline, plain, ahead], frame, True, 7)
    assert list(rates) == ['ahead']
    assert rates['ahead'] > 0
    assert begun == [True] * 7


def test_engines_take_turns() -> None:
    calls: list[str] = []
    timings = engine_calls.take_turns({name: partial(calls.append, name) for name in 'ab'}, 21)
    # One call before each turn is not timed.
    assert ''.join(calls) == 'a' * 11 + 'b' * 11 + 'a' * 11 + 'b' * 11 + 'aabb'
    assert {name: timing.iterations for name, timing in timings.items()} == {'a': 21, 'b': 21}


def test_each_engine_is_measured_with_confidence_right_after_labels_alone(weights: Path) -> None:
    baseline = EagerPyTorch(*load_weights(weights))
    frame = np.zeros((48, 64, 3), np.uint8)
    made = engine_calls.calls([baseline, baseline], frame)
    assert list(made) == [(baseline.description, False), (baseline.description, True)]
    for (_, with_confidence), call in made.items():
        result = call()
        assert isinstance(result, Segmentation)
        assert (result.confidence is not None) == with_confidence


@dataclass
class NodeTiming:
    """What `nodes.benchmark`, which needs ROS, gives."""

    rate_hz: float | None
    published: int = 10
    answered: int = 9
    dropped: float = 0.1
    latency_ms: Percentiles = field(default_factory=lambda: Percentiles(30.25, 41, 42))
    engine_ms: float = 25.0
    added_ms: float = 5.25


def test_node(
    tmp_path: Path, run_benchmark: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def benchmark_node(*arguments: Any) -> Any:
        size, rates, seconds, weights, input_size = arguments
        asked.append((size, rates, seconds, Path(weights).name, input_size))
        if weights != 'spssn_street':
            info = load_weights(weights)[1]
            assert (info.model, len(info.label_set)) == ('fast_scnn', 19)
        lost = NodeTiming(60.0, answered=0, latency_ms=Percentiles.of([]), engine_ms=math.nan)
        lost.added_ms = math.nan
        peak = NodeTiming(31.25, dropped=0.04) if size == (96, 64) else None
        timings = (NodeTiming(None), NodeTiming(5.0), lost)
        return types.SimpleNamespace(timings=timings, peak=peak)

    module = types.ModuleType('spssn_ros.nodes.benchmark')
    module.benchmark_node = benchmark_node  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    path = tmp_path / 'node.json'
    arguments = (
        '--sizes',
        '64x48,96x64',
        '--rate',
        '5,60',
        '--seconds',
        2,
        '--weights',
        'spssn_street',
    )
    said = run_benchmark('node', *arguments, '--models', 'fast_scnn', '--json', path)
    assert asked == [
        (size, (5.0, 60.0), 2.0, weights, 'auto')
        for weights in ('spssn_street', 'fast_scnn.safetensors')
        for size in ((64, 48), (96, 64))
    ]
    lines = [re.split(r' *│ *', line)[1:-1] for line in said.splitlines() if line.startswith('│')]
    assert lines[0] == [
        *('spssn_street', '64x48', 'one by one', '10', '9', '10.0%'),
        *('30.2', '41.0', '42.0', '25.0', '5.2'),
    ]
    assert lines[2] == ['spssn_street', '64x48', '60', '10', '0', '10.0%', '', '', '', '', '']
    report = json.loads(path.read_text())
    assert report.keys() == {'benchmark', 'machine', 'settings', 'results', 'peaks'}
    assert report['machine'].keys() == MACHINE_KEYS
    settings = report['settings']
    assert 'both ways' in settings.pop('method')
    assert settings == {
        'weights': 'spssn_street',
        'models': ['fast_scnn'],
        'rate_hz': [5, 60],
        'seconds': 2,
        'input_size': 'auto',
    }
    assert len(report['results']) == 4 * 3
    assert report['results'][1] == {
        'network': 'spssn_street',
        'size': '64x48',
        'rate_hz': 5,
        'published': 10,
        'answered': 9,
        'dropped': 0.1,
        'latency_ms': {'p50': 30.25, 'p95': 41, 'p99': 42},
        'engine_ms': 25,
        'added_ms': 5.25,
    }
    assert report['results'][2]['latency_ms'] == {'p50': None, 'p95': None, 'p99': None}
    assert [(row['size'], row['rate_hz']) for row in report['peaks']] == [('96x64', 31.25)] * 2


def test_bad_input(run_benchmark: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'spssn_ros.nodes.benchmark', None)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for arguments, message in (
        (('models', '--sizes', '64x48,8'), "--sizes is '8'; give several after commas or WIDTHx"),
        (('models', '--iterations', 0), 'iterations is 0; give at least 1'),
        (('engine', '--iterations', -1), 'iterations is -1; give at least 1'),
        (('models', '--models', 'spssn,unet'), "no network 'unet'; there are spssn, "),
        (('models', '--device', 'cuda'), "device is 'cuda' but torch sees no CUDA GPU"),
        (('engine', '--models', 'unet'), "no network 'unet'; there are spssn, "),
        (('engine', '--device', 'cuda'), "device is 'cuda' but torch sees no CUDA GPU"),
        (('engine', '--precision', 'float16'), "precision 'float16' needs CUDA"),
        (
            ('engine', '--precision', 'int8', '--weights', 'spssn_street'),
            "precision is 'int8' but ",
        ),
        (('models', '--precision', 'int8'), "precision 'int8' runs by OpenVINO on the CPU"),
        (('engine', '--weights', 'none'), "no weights file 'none'"),
        (('node', '--rate', '5,0'), "--rate is '5,0'; give numbers above 0, several after"),
        (('node', '--rate', 'fast'), "--rate is 'fast'; give numbers above 0"),
        (('node', '--seconds', 0), '--seconds is 0.0; give a number above 0'),
        (('node', '--input-size', 'big'), "input_size is 'big'; give auto, native or"),
        (('node',), 'benchmark node needs ROS 2 ('),
    ):
        errors = run_benchmark(*arguments, status=2)
        assert errors.startswith(f'spssn: {message}')
        assert errors.count('\n') == 1


def test_models_are_checked_when_configured() -> None:
    with pytest.raises(ValueError, match='cpu_threads is -1'):
        ModelsBenchmark(((64, 48),), cpu_threads=-1)


def test_the_processor_is_named(tmp_path: Path) -> None:
    cpuinfo = tmp_path / 'cpuinfo'
    cpuinfo.write_text('processor\t: 0\nmodel name\t: Fast: 9000\nflags\t\t: x\n')
    assert cpu_model(cpuinfo) == 'Fast: 9000'
    cpuinfo.write_text('processor\t: 0\n')
    assert cpu_model(cpuinfo) == cpu_model(tmp_path / 'none')
