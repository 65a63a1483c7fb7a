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
"""A small run learns, is the same each time, and goes on where it was stopped."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from spssn_ros.errors import ConfigError, DatasetError, TrainingError, WeightsError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.distributed import Processes
from spssn_ros.inference import Segmenter
from spssn_ros.labels import LabelSet
from spssn_ros.models import load_weights, read_info
from spssn_ros.training import state as state_module
from spssn_ros.training import train as train_module
from spssn_ros.training.arithmetic import plain
from spssn_ros.training.augment import Sample
from spssn_ros.training.batches import HostBatches
from spssn_ros.training.config import WEIGHTS_KEYS, ClassWeights, Optimizer, TrainConfig
from spssn_ros.training.exchange import Exchange
from spssn_ros.training.samples import TrainingData
from spssn_ros.training.train import Trainer

LABELS = LabelSet(('dark', 'light'), ((40, 40, 40), (220, 220, 220)))


def tiny(**values: Any) -> TrainConfig:
    defaults: dict[str, Any] = {
        'options': {'chain_length': 1, 'dropout': 0.2},
        'epochs': 2,
        'batch_size': 2,
        'crop': (64, 64),
        'scale': (0.9, 1.2),
        'color': 0.1,
        'learning_rate': 3e-3,
        'warmup_iterations': 0,
        'ema_decay': 0.5,
        'val_every': 1,
    }
    return TrainConfig(**(defaults | values))


def half_light(seed: int) -> Sample:
    """One half of a 64x64 image is light, the other dark, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    if seed % 2:
        labels = np.rot90(labels).copy()
    image = (labels * 120.0 + 60)[..., None] + rng.normal(0, 10, (64, 64, 3))
    labels[:2] = 255
    return image.clip(0, 255).astype(np.uint8), labels


TRAIN, VAL = [half_light(i) for i in range(6)], [half_light(i) for i in range(10, 12)]


def trainer(output: Path, config: TrainConfig | None = None, **values: Any) -> Trainer:
    data = TrainingData(LABELS, TRAIN, VAL)
    return Trainer(config or tiny(**values), data, output, {'command': 'test'})


def curve(output: Path) -> list[dict[str, str]]:
    with (output / 'curve.csv').open(newline='') as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp('runs') / 'unbroken'
    trainer(output).run()
    return output


def tensors_of(output: Path) -> dict[str, torch.Tensor]:
    return {
        f'{name}:{key}': tensor
        for name in ('last', 'best', 'state')
        for key, tensor in load_file(output / f'{name}.safetensors').items()
    }


def assert_same_run(output: Path, other: Path) -> None:
    first, second = tensors_of(output), tensors_of(other)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    timeless = [
        [{k: v for k, v in row.items() if k != 'seconds'} for row in curve(folder)]
        for folder in (output, other)
    ]
    assert timeless[0] == timeless[1]


def test_a_run_learns(tmp_path: Path) -> None:
    best = trainer(tmp_path, epochs=4, val_every=2).run()
    rows = curve(tmp_path)
    losses = [float(row['loss']) for row in rows]
    assert [int(row['epoch']) for row in rows] == [1, 2, 3, 4]
    assert losses[-1] < 0.5 * losses[0]
    assert [bool(row['val_miou']) for row in rows] == [False, True] * 2
    assert best == pytest.approx(max(float(row['val_miou'] or 0) for row in rows), abs=1e-5)


def test_what_a_run_leaves(unbroken: Path) -> None:
    names = {'best.safetensors', 'last.safetensors', 'state.safetensors'}
    names |= {'curve.csv', 'curve.png', 'tensorboard'}
    assert {path.name for path in unbroken.iterdir()} == names
    info = read_info(unbroken / 'last.safetensors')
    assert (info.model, info.options) == ('spssn', {'chain_length': 1, 'dropout': 0.2})
    assert info.label_set == LABELS
    assert info.input_size == (64, 64)
    assert info.recipe['command'] == 'test'
    assert TrainConfig.from_dict(info.recipe['config']) == tiny()
    assert (info.recipe['epoch'], info.recipe['training_images']) == (2, 6)
    assert info.scores['split'] == 'val'
    assert info.scores['miou'] == float(curve(unbroken)[-1]['val_miou'])
    assert set(info.scores['iou']) == {'dark', 'light'}
    best = read_info(unbroken / 'best.safetensors').scores['miou']
    assert best == max(float(row['val_miou']) for row in curve(unbroken))


def test_the_weights_segment(unbroken: Path) -> None:
    segmenter = Segmenter.from_weights(
        unbroken / 'last.safetensors', device='cpu', backend='torch', precision='float32'
    )
    image, truth = VAL[0]
    scored = truth != 255
    labels = segmenter(image).labels
    right = (labels == truth)[scored].mean()
    assert segmenter.label_set == LABELS
    # The recorded scores are those of both validation images, in bfloat16.
    assert right == pytest.approx(segmenter.info.scores['global_average'], abs=0.25)


def test_a_run_is_the_same_again(unbroken: Path, tmp_path: Path) -> None:
    # Without a state to resume from, a run starts anew.
    trainer(tmp_path).run(resume=True)
    assert_same_run(unbroken, tmp_path)


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    first, second = (trainer(tmp_path, seed=seed) for seed in (0, 1))
    weights = [run.model.downsample[0][0].weight for run in (first, second)]
    assert not torch.equal(*weights)
    batches = [next(run.batches.epoch(0))[0] for run in (first, second)]
    assert not torch.equal(*batches)


class Killed(BaseException):
    pass


@pytest.mark.parametrize('moment', ['in an epoch', 'before the state', 'in the state'])
def test_a_killed_run_goes_on_to_the_same_end(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(train_module, '_STATE_SECONDS', 0)
        broken = trainer(tmp_path)
        kill_in_second_epoch(broken, patch, moment)
        with pytest.raises(Killed):
            broken.run()
    assert read_info(tmp_path / 'best.safetensors')
    resumed = trainer(tmp_path)
    assert resumed.epoch == 0
    resumed.run(resume=True)
    assert_same_run(unbroken, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {p.name for p in unbroken.iterdir()}


def test_short_epochs_do_not_all_write_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    monkeypatch.setattr(
        train_module, 'save_state', lambda _, state: written.append(state.counters['epoch'])
    )
    trainer(tmp_path, epochs=4).run()
    assert written == [1, 4]


def kill_in_second_epoch(broken: Trainer, patch: pytest.MonkeyPatch, moment: str) -> None:
    if moment == 'in an epoch':
        step, count = broken.optimizer.step, iter(range(100))

        def steps() -> None:
            step()
            # Three iterations an epoch.
            if next(count) == 4:
                raise Killed

        patch.setattr(broken.optimizer, 'step', steps)
        return
    write, count = state_module.write_whole, iter(range(100))

    def writes_half(path: Path, data: bytes) -> None:
        with path.open('wb') as file:
            file.write(b'half')
        raise Killed

    def writes(path: Path, data: bytes) -> None:
        if next(count) == 1:
            if moment == 'in the state':
                with patch.context() as inner:
                    inner.setattr(Path, 'write_bytes', writes_half)
                    write(path, data)
            raise Killed
        write(path, data)

    patch.setattr(state_module, 'write_whole', writes)


def test_a_finished_run_has_nothing_to_resume(unbroken: Path, tmp_path: Path) -> None:
    shutil.copytree(unbroken, tmp_path, dirs_exist_ok=True)
    best = trainer(tmp_path).run(resume=True)
    assert best == pytest.approx(read_info(unbroken / 'best.safetensors').scores['miou'], abs=1e-5)
    assert_same_run(unbroken, tmp_path)


def test_without_resume_the_old_curve_goes(unbroken: Path, tmp_path: Path) -> None:
    shutil.copytree(unbroken, tmp_path, dirs_exist_ok=True)
    trainer(tmp_path, epochs=1).run()
    assert len(curve(tmp_path)) == 1


def test_a_new_run_that_is_killed_leaves_nothing_of_the_old_one_to_resume(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(unbroken, tmp_path, dirs_exist_ok=True)
    broken = trainer(tmp_path)

    def kill(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(broken, '_step', kill)
    with pytest.raises(Killed):
        broken.run()
    assert {path.name for path in tmp_path.iterdir()} <= {'tensorboard'}
    trainer(tmp_path).run(resume=True)
    assert_same_run(unbroken, tmp_path)


def test_a_finished_run_without_its_curve_is_finished(unbroken: Path, tmp_path: Path) -> None:
    shutil.copy(unbroken / 'state.safetensors', tmp_path)
    trainer(tmp_path).run(resume=True)
    assert not (tmp_path / 'curve.csv').exists()


@pytest.mark.parametrize('key', WEIGHTS_KEYS)
def test_the_content_of_weights_counts_and_not_their_path(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    def go_on(weights: object) -> None:
        trainer(tmp_path / 'run', **{key: str(weights)}, epochs=1).run(resume=True)

    path = tmp_path / 'w.safetensors'
    shutil.copy(unbroken / 'last.safetensors', path)
    go_on(path)
    monkeypatch.chdir(tmp_path)
    go_on('w.safetensors')
    go_on(path.rename(tmp_path / 'moved.safetensors'))
    with pytest.raises(
        WeightsError, match=rf"\({key} was '.*w\.safetensors' and is ''\); train to"
    ):
        go_on('')
    trainer(tmp_path / 'other', epochs=1).run()
    shutil.copy(tmp_path / 'other' / 'last.safetensors', path)
    with pytest.raises(WeightsError, match=rf'{key} .*w\.safetensors holds other weights than b'):
        go_on(path)


def test_a_state_of_an_older_version_knows_its_initial_weights_by_their_path(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = tmp_path / 'init.safetensors'
    shutil.copy(unbroken / 'last.safetensors', init)
    trainer(tmp_path / 'run', init=str(init), epochs=1).run()
    path = tmp_path / 'run' / 'state.safetensors'
    with safe_open(path, framework='pt') as file:
        counters = json.loads(file.metadata()['counters'])
    del counters['init_sha256']
    save_file(load_file(path), path, {'counters': json.dumps(counters)})
    monkeypatch.chdir(tmp_path)
    for same in (str(init), 'init.safetensors'):
        trainer(tmp_path / 'run', init=same, epochs=1).run(resume=True)
    moved = init.rename(tmp_path / 'moved.safetensors')
    for other in (str(moved), ''):
        with pytest.raises(
            WeightsError, match=rf"init\.safetensors' and is '{other}'\); train to"
        ):
            trainer(tmp_path / 'run', init=other, epochs=1).run(resume=True)


@pytest.mark.parametrize(
    ('values', 'reason'),
    [
        ({'optimizer': Optimizer.SGD}, r"optimizer was 'adamw' and is 'sgd'\); train"),
        ({'ema_decay': 0.0, 'seed': 3}, r'ema_decay was 0\.5 and is 0\.0; seed was 0 and is 3'),
        ({'epochs': 3}, r'epochs was 2 and is 3; the learning rate falls over all epochs, so'),
    ],
)
def test_a_state_of_another_recipe_is_refused(
    unbroken: Path, tmp_path: Path, values: dict[str, Any], reason: str
) -> None:
    state = tmp_path / 'state.safetensors'
    state.write_bytes((unbroken / 'state.safetensors').read_bytes())
    with pytest.raises(
        WeightsError, match=rf'state\.safetensors cannot be resumed from \({reason}'
    ):
        trainer(tmp_path, **values).run(resume=True)


@pytest.mark.parametrize(
    ('names', 'reason'),
    [
        (('light', 'dark'), r"class 0 was 'dark' and is 'light'; class 1 was 'light' and is 'da"),
        (('dark', 'light', 'grey'), r"class 2 was '' and is 'grey'\); train to another --output"),
    ],
)
def test_a_state_of_other_classes_is_refused(
    unbroken: Path, tmp_path: Path, names: tuple[str, ...], reason: str
) -> None:
    (tmp_path / 'state.safetensors').write_bytes((unbroken / 'state.safetensors').read_bytes())
    classes = LabelSet(names, tuple((i, i, i) for i in range(len(names))))
    run = Trainer(tiny(), TrainingData(classes, TRAIN, VAL), tmp_path)
    with pytest.raises(WeightsError, match=rf'cannot be resumed from \({reason}'):
        run.run(resume=True)


@pytest.mark.parametrize('content', [b'', b'no state at all', None])
def test_a_damaged_state_is_refused(unbroken: Path, tmp_path: Path, content: bytes | None) -> None:
    data = (unbroken / 'state.safetensors').read_bytes()
    path = tmp_path / 'state.safetensors'
    path.write_bytes(data[: len(data) // 2] if content is None else content)
    with pytest.raises(WeightsError, match=r'state\.safetensors cannot be resumed from \('):
        trainer(tmp_path).run(resume=True)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('epoch', '"one"'),
        ('epoch', '1e400'),
        ('best', 'null'),
        ('seconds', '[]'),
        ('config', '[1]'),
        ('config', 'null'),
    ],
)
def test_a_state_with_tampered_counters_is_refused(
    unbroken: Path, tmp_path: Path, key: str, value: str
) -> None:
    path = tmp_path / 'state.safetensors'
    with safe_open(unbroken / path.name, framework='pt') as file:
        counters = json.loads(file.metadata()['counters'])
    text = json.dumps(counters | {key: 'HERE'}).replace('"HERE"', value)
    save_file(load_file(unbroken / path.name), path, {'counters': text})
    with pytest.raises(WeightsError, match=r'state\.safetensors cannot be resumed from \('):
        trainer(tmp_path).run(resume=True)


def test_sgd_and_no_average_resume_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {'optimizer': Optimizer.SGD, 'learning_rate': 0.01, 'ema_decay': 0.0}
    trainer(tmp_path / 'unbroken', **values).run()
    with monkeypatch.context() as patch:
        broken = trainer(tmp_path / 'broken', **values)
        kill_in_second_epoch(broken, patch, 'in an epoch')
        with pytest.raises(Killed):
            broken.run()
    trainer(tmp_path / 'broken', **values).run(resume=True)
    assert_same_run(tmp_path / 'unbroken', tmp_path / 'broken')


def test_the_averaged_weights_are_saved(tmp_path: Path) -> None:
    run = trainer(tmp_path, epochs=1)
    run.run()
    saved = load_weights(tmp_path / 'last.safetensors')[0].state_dict()
    assert run.average is not None
    average, model = run.average.model.state_dict(), run.model.state_dict()
    assert all(torch.equal(saved[key], average[key]) for key in saved)
    assert not torch.equal(model['classifier.3.weight'], average['classifier.3.weight'])


def test_without_validation_only_the_last_weights_are_written(tmp_path: Path) -> None:
    Trainer(tiny(epochs=1), TrainingData(LABELS, TRAIN), tmp_path).run()
    assert not (tmp_path / 'best.safetensors').exists()
    assert read_info(tmp_path / 'last.safetensors').scores == {}
    assert curve(tmp_path)[0]['val_miou'] == ''


def test_classes_without_a_pixel_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As in masks of 0 and 255.
    masks = [(image, np.where(labels == 1, 255, labels)) for image, labels in TRAIN]
    Trainer(tiny(epochs=1), TrainingData(LABELS, masks), tmp_path).run()
    told = 'note: no image to train on has a pixel of light (in label images, 255 is void)\n'
    assert told in capsys.readouterr().out
    Trainer(tiny(epochs=1), TrainingData(LABELS, TRAIN), tmp_path).run()
    assert 'note' not in capsys.readouterr().out


def test_class_weights(tmp_path: Path) -> None:
    # Three quarters of the labelled pixels are of class 0, none of class 2.
    labels = np.array([[0] * 6 + [1] * 2 + [255] * 8] * 16, np.uint8)
    sample = (np.zeros((16, 16, 3), np.uint8), labels)
    three = LabelSet(('a', 'b', 'c'), ((0, 0, 0),) * 3)
    full = 1 / np.log(1.02 + np.array([0.75, 0.25, 0]))
    for kind, power, expected in (
        (ClassWeights.NONE, 0.5, [1, 1, 1]),
        (ClassWeights.LOG, 1.0, full),
        (ClassWeights.LOG, 0.5, np.sqrt(full)),
    ):
        config = tiny(class_weights=kind, class_weight_power=power)
        run = Trainer(config, TrainingData(three, [sample] * 2), tmp_path)
        assert run.loss_weights.tolist() == pytest.approx(expected)


def test_validation_scales_frames_to_the_input_size_as_the_engine_does(tmp_path: Path) -> None:
    trainer(tmp_path, input_size=(128, 96), ema_decay=0.0).run()
    engine = Segmenter.from_weights(tmp_path / 'last.safetensors', 'cpu', 'float32', 'torch')
    assert engine.info.input_size == (128, 96)
    assert engine.input_size_for((64, 64)) == (112, 112)
    matrix = ConfusionMatrix(2)
    for image, labels in VAL:
        matrix.update(labels, engine(image).labels)
    assert engine.info.scores['miou'] == pytest.approx(matrix.miou(), abs=1e-3)


def test_weights_decay_and_biases_do_not(tmp_path: Path) -> None:
    groups = trainer(tmp_path, weight_decay=0.1).optimizer.param_groups
    assert [group['weight_decay'] for group in groups] == [0.1, 0.0]
    assert {p.ndim for p in groups[0]['params']} == {4}
    assert {p.ndim for p in groups[1]['params']} == {1}


def test_every_image_is_seen_once_an_epoch(tmp_path: Path) -> None:
    # Each image is of one value, which says which one it is.
    samples = [
        (np.full((64, 64, 3), i * 20, np.uint8), np.zeros((64, 64), np.uint8)) for i in range(5)
    ]
    run = Trainer(tiny(color=0.0, scale=(1.0, 1.0)), TrainingData(LABELS, samples), tmp_path)
    orders = []
    for epoch in (0, 0, 1):
        batches = list(run.batches.epoch(epoch))
        assert [images.shape for images, _ in batches] == [(2, 64, 64, 3)] * 2
        assert all(labels.shape == (2, 64, 64) for _, labels in batches)
        orders.append([int(image[32, 32, 0]) // 20 for images, _ in batches for image in images])
    # Four of five: the odd one is left out, another one each time.
    assert all(len(set(order)) == 4 for order in orders)
    assert orders[0] == orders[1] != orders[2]


def test_too_few_images(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'^1 images to train on: fewer than batch_size 2; '):
        Trainer(tiny(), TrainingData(LABELS, TRAIN[:1]), tmp_path)


def test_images_of_which_none_has_a_label_are_refused(tmp_path: Path) -> None:
    void = [(image, np.full_like(labels, 255)) for image, labels in TRAIN]
    for data, text in (
        (TrainingData(LABELS, void, VAL), r'of the images to train on \(6\) every pixel is void'),
        (TrainingData(LABELS, TRAIN, void[:2]), r'of the images to validate on \(2\) every pixel'),
        (TrainingData(LABELS, TRAIN, VAL, void[:1]), r'of the images held out \(1\) every pixel'),
    ):
        with pytest.raises(DatasetError, match=text):
            Trainer(tiny(), data, tmp_path)


def test_the_loss_weighs_classes_and_leaves_void_out(tmp_path: Path) -> None:
    config = tiny(options={'chain_length': 1, 'dropout': 0.0}, warmup_iterations=10, epochs=4)
    run = Trainer(config, TrainingData(LABELS, TRAIN[:2]), tmp_path)
    run.loss_weights = torch.tensor([1.0, 3.0])
    images, labels = next(run.batches.epoch(0))
    with torch.no_grad():
        logits, _ = run.arithmetic.forward(plain(run.model.train()), images)
        logits = torch.nn.functional.interpolate(logits, (64, 64), mode='bilinear')
    losses = -logits.log_softmax(1).permute(0, 2, 3, 1)
    total = weight = 0.0
    for class_id, class_weight in enumerate((1.0, 3.0)):
        of_class = losses[..., class_id][labels == class_id]
        total += class_weight * float(of_class.sum())
        weight += class_weight * len(of_class)
    assert (labels == 255).any()
    assert run._train_epoch() == pytest.approx(total / weight, rel=1e-3)
    # One step of four, in warm-up.
    run.epoch = 2
    run._train_epoch()
    rates = [group['lr'] for group in run.optimizer.param_groups]
    assert rates == pytest.approx([3e-3 * (3 / 10) * (1 - 2 / 4) ** 0.9] * 2)


def test_a_batch_without_labels_is_skipped(tmp_path: Path) -> None:
    void = (TRAIN[0][0], np.full((64, 64), 255, np.uint8))
    run = Trainer(tiny(), TrainingData(LABELS, [*TRAIN[:2], void, void]), tmp_path)
    before = {key: value.clone() for key, value in run.model.state_dict().items()}
    batch = torch.from_numpy(np.stack([void[0]] * 2)), torch.from_numpy(np.stack([void[1]] * 2))
    assert run._step(batch) is None
    assert all(torch.equal(value, before[key]) for key, value in run.model.state_dict().items())
    assert np.isfinite(run._train_epoch())


def test_hold_out_scores_stand_beside_those_of_the_split(tmp_path: Path) -> None:
    data = TrainingData(LABELS, TRAIN, VAL, [half_light(20)])
    Trainer(tiny(epochs=1), data, tmp_path / 'both').run()
    (row,) = curve(tmp_path / 'both')
    scores = read_info(tmp_path / 'both' / 'last.safetensors').scores
    assert scores['split'] == 'val'
    assert scores['miou'] == float(row['val_miou'])
    assert scores['holdout']['split'] == 'holdout'
    assert scores['holdout']['miou'] == float(row['holdout_miou'])
    # Without a split, the hold-out says which weights are best.
    data = TrainingData(LABELS, TRAIN, holdout=VAL)
    best = Trainer(tiny(epochs=1), data, tmp_path / 'alone').run()
    scores = read_info(tmp_path / 'alone' / 'best.safetensors').scores
    assert (scores['split'], scores['miou']) == ('holdout', pytest.approx(best, abs=1e-5))


def test_everything_at_once_trains_and_loads(tmp_path: Path) -> None:
    config = tiny(
        epochs=1,
        hue=10.0,
        dusk=0.5,
        shadows=0.5,
        degrade=0.5,
        paste=1.0,
        paste_classes=('light',),
        ohem=0.7,
        label_smoothing=0.1,
        auxiliary_weight=0.4,
    )
    samples = []
    for image, labels in TRAIN:
        image, labels = image.copy(), labels.copy()
        # A light block that is small enough to be pasted.
        labels[labels == 1] = 0
        image[20:30, 20:30], labels[20:30, 20:30] = 180, 1
        samples.append((image, labels))
    run = Trainer(config, TrainingData(LABELS, samples, VAL), tmp_path)
    run.run()
    network, info = load_weights(tmp_path / 'last.safetensors')
    assert not any(key.startswith('auxiliary') for key in network.state_dict())
    assert info.recipe['config']['auxiliary_weight'] == 0.4
    assert np.isfinite(float(curve(tmp_path)[0]['loss']))


def test_auxiliary_heads_are_trained(tmp_path: Path) -> None:
    run = trainer(tmp_path, auxiliary_weight=0.4)
    before = {key: value.clone() for key, value in run.model.state_dict().items()}
    run._step(next(run.batches.epoch(0)))
    for key, value in run.model.state_dict().items():
        if key.startswith('auxiliary.') and key.endswith('.weight'):
            assert not torch.equal(value, before[key]), key


def test_memory_that_is_out_says_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(tmp_path)

    def out_of_memory(*arguments: object) -> None:
        raise torch.cuda.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(run.arithmetic, 'forward', out_of_memory)
    with pytest.raises(
        TrainingError,
        match=r'^out of GPU memory at batch_size 2 and crop 64x64; lower batch_size or crop, or',
    ):
        run.run()


def test_depthwise_convolutions_need_not_decay(tmp_path: Path) -> None:
    run = trainer(tmp_path, weight_decay=0.1, decay_depthwise=False)
    decayed, plain = ({id(p) for p in g['params']} for g in run.optimizer.param_groups)
    depthwise = run.model.downsample[1][0][0]
    assert depthwise.groups == depthwise.in_channels
    assert id(depthwise.weight) in plain
    assert id(run.model.downsample[0][0].weight) in decayed
    assert len(decayed) + len(plain) == len(list(run.model.parameters()))


def test_an_interrupted_run_leaves_a_picture_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(tmp_path, epochs=2)

    def train_epoch(_: object) -> float:
        if run.epoch:
            raise KeyboardInterrupt
        return 1.0

    monkeypatch.setattr(run, '_train_epoch', train_epoch)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert [row['loss'] for row in curve(tmp_path)] == ['1.0']
    assert (tmp_path / 'curve.png').exists()


def test_other_surroundings_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer(tmp_path, epochs=1).run()
    capsys.readouterr()
    monkeypatch.setattr(torch, '__version__', '9.9.0')
    trainer(tmp_path, epochs=1).run(resume=True)
    assert 'and is 9.9.0: not to the last bit the unbroken run' in capsys.readouterr().out


def test_processes_that_augment_draw_what_a_thread_draws() -> None:
    # In an interpreter of its own, as `spssn train` is: loaders fork.
    command = [sys.executable, str(Path(__file__).with_name('process_batches.py'))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.splitlines() == [
        'epoch 1: 3 batches, the same',
        'epoch 2: 3 batches, the same',
        'epoch 0: 3 batches, the same',
        'processes: some, 0 after the end',
    ], done.stderr


def test_processes_that_augment_change_no_weight(tmp_path: Path) -> None:
    program = Path(__file__).with_name('process_training.py')
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path)],
        env=os.environ | {'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    tensors = len(load_file(tmp_path / 'thread' / 'state.safetensors'))
    assert done.stdout.splitlines() == [
        'killed after epoch 1',
        f'processes: 0 of {tensors} tensors differ',
        f'resumed: 0 of {tensors} tensors differ',
    ], done.stderr


def test_processes_share_a_batch() -> None:
    config = tiny(batch_size=4)
    whole = list(HostBatches(TRAIN, config).epoch(0))
    shares = [list(HostBatches(TRAIN, config, None, rank, 2).epoch(0)) for rank in (0, 1)]
    for batch, *parts in zip(whole, *shares, strict=True):
        for k in (0, 1):
            assert torch.equal(batch[k], torch.cat([part[k] for part in parts]))


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    for size in (2, 5):
        with pytest.raises(
            ConfigError, match=rf'^batch_size {size} does not give each of 2 processes the same'
        ):
            Exchange(Processes(0, 2), tiny(batch_size=size), torch.device('cpu'))
