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
"""`spssn train` as its users run it: killed, resumed, staged, by two processes, on bad input."""

import csv
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from spssn_ros.bags.labelled import scene_frames, write_labelled_bag
from spssn_ros.bags.writer import Storage
from spssn_ros.inference import Segmenter
from spssn_ros.labels import CAMVID, LabelSet
from spssn_ros.models import create_model, read_info, save_weights
from spssn_ros.synthetic import StreetScene
from spssn_ros.tools.main import main
from spssn_ros.training.train import Trainer

ROOT = Path(__file__).resolve().parents[2]
# Results are the same to the last bit only with as many threads.
ENVIRONMENT = os.environ | {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}


@pytest.fixture(scope='module')
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag of a street, as `spssn convert bag` writes it to a folder."""
    root = tmp_path_factory.mktemp('street')
    scene = StreetScene(7, 64, 64)
    write_labelled_bag(root / 'bag', scene_frames(scene, 12, 2.0), 2.0, Storage.MCAP, None)
    assert main(['convert', 'bag', str(root / 'bag'), '--dataset', str(root / 'set')]) == 0
    return root / 'set'


def recipe(folder: Path, **values: Any) -> Path:
    defaults = {
        'dataset': 'folder',
        'options': {'chain_length': 1, 'dropout': 0.0},
        'epochs': 3,
        'batch_size': 4,
        'crop': [64, 64],
        'color': 0.1,
        'learning_rate': 0.001,
        'precision': 'float32',
        'train_splits': ['all'],
        'val_split': '',
        'val_every': 1,
        'holdout': 0.3,
        'warmup_iterations': 0,
        'ema_decay': 0.5,
    }
    path = folder / 'recipe.yaml'
    path.write_text(yaml.safe_dump(defaults | values))
    return path


def train(config: Path, data: Path, output: Path, *more: str) -> int:
    words = ['train', '--config', config, '--data', data, '--output', output, *more]
    return main([str(word) for word in words])


def curve(output: Path) -> list[dict[str, str]]:
    with (output / 'curve.csv').open(newline='') as file:
        return list(csv.DictReader(file))


# Stands still in the second epoch, however late the signal comes.
TO_BE_KILLED = """
import signal, sys
from pathlib import Path
from spssn_ros.tools.main import main
from spssn_ros.training.train import Trainer

state, step = Path(sys.argv.pop(1)), Trainer._step

def waiting(*arguments):
    if state.exists():
        signal.pause()
    return step(*arguments)

Trainer._step = waiting
sys.exit(main())
"""


def test_a_killed_run_goes_on_to_identical_weights(street: Path, tmp_path: Path) -> None:
    config = recipe(tmp_path, epochs=6)
    output = tmp_path / 'killed'
    words = ['--config', config, '--data', street, '--output', output]
    state = output / 'state.safetensors'
    command = [sys.executable, '-c', TO_BE_KILLED, state, 'train', *words]
    process = subprocess.Popen(list(map(str, command)), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    try:
        while not state.exists() and process.poll() is None:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (output / 'last.safetensors').exists()
    assert train(config, street, output, '--resume') == 0
    assert train(config, street, tmp_path / 'unbroken') == 0
    for name in ('last', 'best', 'state'):
        files = [
            load_file(folder / f'{name}.safetensors') for folder in (output, tmp_path / 'unbroken')
        ]
        assert files[0].keys() == files[1].keys()
        assert [key for key in files[0] if not torch.equal(files[0][key], files[1][key])] == []
    columns = ('epoch', 'loss', 'holdout_miou')
    rows = [
        [[row[c] for c in columns] for row in curve(folder)]
        for folder in (output, tmp_path / 'unbroken')
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 6


def test_another_recipe_is_not_resumed(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'out'
    assert train(recipe(tmp_path, epochs=1), street, output) == 0
    before = {path: path.read_bytes() for path in output.glob('*.*')}
    capsys.readouterr()
    assert train(recipe(tmp_path, epochs=2), street, output, '--resume') == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert 'epochs was 1 and is 2; the learning rate falls over all epochs' in line
    assert line.endswith('train to another --output')
    assert {path: path.read_bytes() for path in output.glob('*.*')} == before
    # What does not change the weights may change.
    assert (
        train(recipe(tmp_path, epochs=1, val_every=7, workers=2), street, output, '--resume') == 0
    )


def test_an_exported_bag_trains_and_its_weights_load(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = recipe(tmp_path, epochs=1, paste=1.0, degrade=0.5, ohem=0.7, auxiliary_weight=0.4)
    assert train(config, street, tmp_path / 'out', '--device', 'cpu') == 0
    out = capsys.readouterr().out
    assert out.startswith('8 images to train on, 4 held out; 2 steps an epoch on cpu, float32\n')
    assert 'last.safetensors written; best mIoU 0.' in out
    weights = tmp_path / 'out' / 'last.safetensors'
    info = read_info(weights)
    assert info.label_set == CAMVID
    assert info.scores['split'] == 'holdout'
    # Eight of the twelve frames; four are held out.
    assert info.recipe['training_images'] == 8
    assert info.recipe['data'] == 'folder, all'
    segmenter = Segmenter.from_weights(weights, device='cpu', backend='torch')
    image = cv2.imread(str(next((street / 'images').iterdir())))
    assert segmenter(np.ascontiguousarray(image)).labels.shape == (64, 64)


def test_stages_follow_one_another(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = [{'learning_rate': 0.002}, {'learning_rate': 0.0001, 'color': 0.0}]
    config = recipe(tmp_path, epochs=1, ema_decay=0, stages=stages)
    output = tmp_path / 'out'
    assert train(config, street, output, '--init', 'spssn_street') == 2
    assert "spssn_street.safetensors is a spssn with options {'chain_length': 4" in (
        capsys.readouterr().err
    )
    assert train(config, street, output) == 0
    out = capsys.readouterr().out
    assert f'starting from {output}/stage1/last.safetensors (11 classes)\n' in out
    infos = [read_info(f / 'last.safetensors') for f in (output / 'stage1', output)]
    assert [info.recipe['config']['learning_rate'] for info in infos] == [0.002, 0.0001]
    assert infos[1].recipe['config']['init'] == f'{output}/stage1/last.safetensors'
    # At a twentieth of the rate it goes on from where it was.
    losses = [float(curve(folder)[0]['loss']) for folder in (output / 'stage1', output)]
    assert losses[1] < losses[0]
    assert train(config, street, output, '--resume') == 0


class Killed(BaseException):
    pass


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> None:
    """Train as `train` does, but for an end in mid-epoch after some steps of all stages."""
    step, count = Trainer._step, iter(range(steps))

    def stopping(run: Trainer, batch: Any) -> torch.Tensor | None:
        if next(count, None) is None:
            raise Killed
        return step(run, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, '_step', stopping)
        with pytest.raises(Killed):
            train(*arguments)


def differing(one: Path, other: Path) -> list[str]:
    """Return the tensors that differ between the results of two runs of two stages."""
    found = []
    for name in ('stage1/last', 'last', 'stage1/state', 'state'):
        first, second = (load_file(folder / f'{name}.safetensors') for folder in (one, other))
        assert first.keys() == second.keys()
        found += [f'{name}:{key}' for key in first if not torch.equal(first[key], second[key])]
    return found


def staged(folder: Path, rate: float) -> Path:
    # Two steps an epoch, one epoch a stage.
    stages = [{'learning_rate': rate}, {'learning_rate': 0.0001}]
    return recipe(folder, epochs=1, stages=stages)


def test_no_stage_of_an_earlier_run_is_taken_for_one_of_a_new_run(
    street: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / 'out'
    assert train(staged(tmp_path, 0.002), street, output) == 0
    old = (output / 'state.safetensors').read_bytes()
    config = staged(tmp_path, 0.001)
    killed_after(1, monkeypatch, config, street, output)
    assert not [*output.glob('*.safetensors'), *output.glob('*/*.safetensors')]
    assert train(config, street, output, '--resume') == 0
    assert train(config, street, tmp_path / 'unbroken') == 0
    assert differing(output, tmp_path / 'unbroken') == []
    # Were it there all the same, the weights that it started from would tell.
    (output / 'state.safetensors').write_bytes(old)
    capsys.readouterr()
    assert train(config, street, output, '--resume') == 2
    assert 'stage1/last.safetensors holds other weights than before' in capsys.readouterr().err


def test_a_staged_run_goes_on_under_another_path(
    street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = staged(tmp_path, 0.002)
    assert train(config, street, tmp_path / 'unbroken') == 0
    killed_after(3, monkeypatch, config, street, tmp_path / 'out')
    # Half of the second stage was done, but none of its epochs.
    assert train(config, street, tmp_path / 'out', '--resume') == 0
    monkeypatch.chdir(tmp_path)
    assert train(config, street, Path('out'), '--resume') == 0
    (tmp_path / 'out').rename(tmp_path / 'moved')
    assert train(config, street, Path('moved'), '--resume') == 0
    assert differing(tmp_path / 'moved', tmp_path / 'unbroken') == []


def test_weights_that_a_new_run_would_remove_are_refused(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'out'
    assert train(recipe(tmp_path, epochs=1), street, output) == 0
    before = {path: path.read_bytes() for path in output.glob('*.*')}
    common = ('--config', recipe(tmp_path, epochs=1), '--data', street, '--output', output)
    line = fails(capsys, *common, '--init', output / '..' / 'out' / 'best.safetensors')
    assert f'best.safetensors, which a new run into {output} replaces; copy it elsewhere' in line
    stages = [{}, {'init': str(output / 'last.safetensors')}]
    common = ('--config', recipe(tmp_path, stages=stages), *common[2:])
    assert f'init is {output}/last.safetensors, which a new run into' in fails(capsys, *common)
    own = recipe(tmp_path, teacher=str(output / 'best.safetensors'))
    line = fails(capsys, '--config', own, *common[2:])
    assert f'teacher is {output}/best.safetensors, which a new run into' in line
    assert {path: path.read_bytes() for path in output.glob('*.*')} == before
    # Those of a former stage are there when they are read.
    (output / 'stage1').mkdir()
    (output / 'stage1' / 'best.safetensors').write_bytes(
        (output / 'best.safetensors').read_bytes()
    )
    stages = [{}, {'init': str(output / 'stage1' / 'best.safetensors')}]
    assert train(recipe(tmp_path, epochs=1, stages=stages), street, output) == 0


@pytest.mark.parametrize(
    ('second', 'told'),
    [
        ({'init': 'nowhere'}, r"no weights file 'nowhere'; give the path of a .* \(stage 2\)"),
        ({'init': 'spssn_street'}, r'init .*spssn_street.safetensors is a spssn .* \(stage 2\)'),
        # What the first one will write does not fit either.
        ({'options': {'chain_length': 2}}, r'init .*stage1/last.safetensors is a .* \(stage 2\)'),
        ({'model': 'fast_scn'}, r"no network 'fast_scn'; .* 'fast_scnn'\? \(stage 2\)"),
        ({'teacher': 'nowhere'}, r"no weights file 'nowhere'; .* \(stage 2\)"),
        ({'teacher': '{two}'}, r'teacher .*two.safetensors has the classes a, b; .* \(stage 2\)'),
        (
            {'teacher': '{output}/stage1/best.safetensors'},
            r'teacher is .*best.safetensors, which stage 1 does not write, as .* \(stage 2\)',
        ),
        ({'train_splits': ['some']}, r"data set folder .* has no split 'some': .* \(stage 2\)"),
        (
            {'paste': 1, 'paste_classes': ['lorry']},
            r"paste_classes has 'lorry', but the classes are sky, .*, bicyclist \(stage 2\)",
        ),
        ({'batch_size': 13}, r'12 images to train on: fewer than batch_size 13; .* \(stage 2\)'),
    ],
)
def test_what_a_later_stage_cannot_take_is_told_before_the_first(
    street: Path,
    tmp_path: Path,
    random_network: Any,
    capsys: pytest.CaptureFixture[str],
    second: dict[str, object],
    told: str,
) -> None:
    output, two = tmp_path / 'out', tmp_path / 'two.safetensors'
    info = replace(random_network[1], label_set=LabelSet(('a', 'b'), ((1, 1, 1), (2, 2, 2))))
    save_weights(two, create_model(info.model, 2, **info.options), info)
    # Of an earlier run, whose files a new one removes.
    (output / 'stage1').mkdir(parents=True)
    (output / 'stage1' / 'best.safetensors').write_bytes(two.read_bytes())
    named = {
        key: value.format(two=two, output=output) if isinstance(value, str) else value
        for key, value in second.items()
    }
    config = recipe(tmp_path, holdout=0.0, stages=[{}, named])
    line = fails(capsys, '--config', config, '--data', street, '--output', output)
    assert re.fullmatch(f'spssn: {told}', line)
    assert list(output.glob('**/*.*')) == [output / 'stage1' / 'best.safetensors']


def test_a_later_stage_is_taught_by_what_a_former_one_writes(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'out'
    taught = {'init': 'spssn_street', 'teacher': f'{output}/stage1/best.safetensors'}
    taught |= {'options': read_info('spssn_street').options}
    config = recipe(tmp_path, epochs=1, auxiliary_weight=0.4, stages=[{}, taught])
    assert train(config, street, output) == 0
    assert f'taught by {output}/stage1/best.safetensors\n' in capsys.readouterr().out


TWO = """
import sys
from pathlib import Path
import torch
from spssn_ros.evaluation.distributed import join_processes
from spssn_ros.training.recipe import read_recipe
from spssn_ros.training.samples import read_data
from spssn_ros.training.train import Trainer

(config,), data, output = read_recipe(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
with join_processes() as processes:
    run = Trainer(config, read_data(config, data, quiet=True), output, processes=processes)
    # With fixed batch-norm statistics nothing depends on how a batch is shared.
    run.model.train = lambda: torch.nn.Module.train(run.model, False)
    run.run()
"""


def test_two_processes_train_as_one(street: Path, tmp_path: Path) -> None:
    config = recipe(tmp_path, auxiliary_weight=0.4, holdout=0.34)
    script = tmp_path / 'two.py'
    script.write_text(TWO)
    for name, launcher in (
        ('one', [sys.executable]),
        ('two', [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2']),
    ):
        done = subprocess.run(
            [*launcher, str(script), str(config), str(street), str(tmp_path / name)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        # Only one of them speaks.
        assert done.stdout.count('epoch 1:') == 1
    one, two = (curve(tmp_path / name) for name in ('one', 'two'))
    for first, second in zip(one, two, strict=True):
        assert float(second['loss']) == pytest.approx(float(first['loss']), rel=1e-4)
        assert float(second['holdout_miou']) == pytest.approx(
            float(first['holdout_miou']), abs=0.01
        )
    first, second = (load_file(tmp_path / n / 'last.safetensors') for n in ('one', 'two'))
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=1e-2, atol=2e-3)
    assert read_info(tmp_path / 'two' / 'last.safetensors').recipe['processes'] == 2


# After training, blocks as large as a step's, twice each.
FAULTS = """
import resource, sys
from spssn_ros.tools.main import main

assert main() == 0
for number in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = bytearray(b'x') * (80 << 20)
    del block
print('faults', resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), 'mallopt'), reason='the C library has no mallopt'
)
def test_training_on_the_cpu_keeps_a_steps_memory(street: Path, tmp_path: Path) -> None:
    config = recipe(tmp_path, epochs=1)
    words = ['train', '--config', config, '--data', street, '--output', tmp_path / 'run']
    words = [*words, '--device', 'cpu']
    done = subprocess.run(
        [sys.executable, '-c', FAULTS, *map(str, words)],
        env={name: value for name, value in ENVIRONMENT.items() if 'MALLOC_' not in name},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r'faults (\d+)', done.stdout)
    assert found is not None
    # 20 480 pages, if the block came fresh.
    assert int(found[1]) < 500


def fails(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(['train', *map(str, words)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_bad_input_is_told_in_one_line(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'out'
    config = recipe(tmp_path)
    common = ('--config', config, '--output', output)
    assert 'dataset is folder but no folder is given; give --data DIR' in fails(capsys, *common)
    assert '--data names 2 folders; give one, or one for each of the 1 stages' in fails(
        capsys, *common, '--data', street, street
    )
    assert 'nowhere does not exist' in fails(capsys, *common, '--data', tmp_path / 'nowhere')
    recipe(tmp_path, learning_rat=1)
    assert "unknown key 'learning_rat'" in fails(capsys, *common, '--data', street)
    recipe(tmp_path, batch_size=40)
    line = fails(capsys, *common, '--data', street)
    assert '8 images to train on, 4 held out: fewer than batch_size 40; lower that' in line
    recipe(tmp_path, precision='float16')
    assert "precision 'float16' needs CUDA" in fails(capsys, *common, '--data', street)
    recipe(tmp_path, sync_batch_norm=True)
    assert 'sync_batch_norm needs CUDA' in fails(capsys, *common, '--data', street)
    recipe(tmp_path, learning_rate=1e30, epochs=1)
    line = fails(capsys, *common, '--data', street)
    assert ' at iteration 2 of epoch 1; lower learning_rate (1e+30) or raise warmup_' in line
    assert not (output / 'last.safetensors').exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a CUDA GPU')
def test_cuda_that_is_not_there_is_told(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = fails(
        capsys,
        '--config',
        recipe(tmp_path),
        '--output',
        tmp_path,
        '--data',
        street,
        '--device',
        'cuda',
    )
    assert '--device cuda, but torch sees no CUDA GPU' in line
