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
"""Recipe files have stages; those that are shipped are valid and take a step."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from spssn_ros.errors import ConfigError
from spssn_ros.labels import CAMVID, CITYSCAPES
from spssn_ros.models import MODEL_NAMES
from spssn_ros.training.config import DataSet, Optimizer, TrainConfig
from spssn_ros.training.recipe import find_recipe, read_recipe, stage_folder, starting_from
from spssn_ros.training.samples import TrainingData
from spssn_ros.training.train import Trainer

RECIPES = sorted((Path(__file__).resolve().parents[2] / 'config' / 'train').glob('*.yaml'))


def write(path: Path, values: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


def test_stages_override_what_is_common(tmp_path: Path) -> None:
    stages = [{'epochs': 3}, {'epochs': 5, 'learning_rate': 0.5}]
    path = write(tmp_path / 'r.yaml', {'batch_size': 4, 'learning_rate': 0.1, 'stages': stages})
    assert read_recipe(path) == [
        TrainConfig(batch_size=4, learning_rate=0.1, epochs=3),
        TrainConfig(batch_size=4, learning_rate=0.5, epochs=5),
    ]


def test_without_stages_there_is_one(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path / 'r.yaml', {'epochs': 7})) == [TrainConfig(epochs=7)]


def test_a_mistake_names_file_and_stage(tmp_path: Path) -> None:
    path = write(tmp_path / 'r.yaml', {'stages': [{'epochs': 3}, {'epoch': 5}]})
    with pytest.raises(
        ConfigError, match=r"r\.yaml: unknown key 'epoch' .* did you mean 'epochs'\? \(stage 2\)$"
    ):
        read_recipe(path)
    for wrong in ([], 'x', [1], None):
        write(path, {'stages': wrong})
        with pytest.raises(ConfigError, match=r'r\.yaml: stages is .*; give a list of "key: valu'):
            read_recipe(path)


def test_a_stage_starts_from_the_former_ones_weights() -> None:
    output = Path('runs')
    assert [stage_folder(output, n, 3) for n in (1, 2, 3)] == [
        output / 'stage1',
        output / 'stage2',
        output,
    ]
    assert starting_from(TrainConfig(), None).init == ''
    assert starting_from(TrainConfig(), output).init == 'runs/last.safetensors'
    assert starting_from(TrainConfig(init='own'), output).init == 'own'


def test_the_papers_settings() -> None:
    by_name = {path.stem: read_recipe(path) for path in RECIPES}
    assert {stage.model for stages in by_name.values() for stage in stages} == set(MODEL_NAMES)
    first, second = by_name['spssn_camvid_paper']
    assert (first.learning_rate, second.learning_rate, first.epochs) == (0.005, 0.0005, 100)
    assert (first.batch_size, first.crop, first.weight_decay) == (8, (720, 720), 1e-5)
    assert (first.optimizer, first.scale) == (Optimizer.SGD, (0.5, 2.0))
    (cityscapes,) = by_name['spssn_cityscapes']
    assert (cityscapes.learning_rate, cityscapes.batch_size, cityscapes.epochs) == (0.02, 4, 800)
    assert cityscapes.crop == (2048, 1024)
    (fast,) = by_name['fast_scnn_cityscapes']
    assert (fast.learning_rate, fast.batch_size, fast.weight_decay) == (0.045, 12, 4e-5)
    assert (fast.auxiliary_weight, fast.decay_depthwise) == (0.4, False)
    coarse, fine = by_name['shufflenetv2_dpc_cityscapes']
    # 60 000 and 120 000 steps of 16 images.
    assert coarse.epochs * (19998 // 16) == pytest.approx(60000, rel=0.01)
    assert fine.epochs * (2975 // 16) == pytest.approx(120000, rel=0.01)
    assert fine.warmup_iterations == 186


def test_what_judges_the_last_camvid_stages_differs_by_its_data_alone() -> None:
    by_name = {path.stem: read_recipe(path) for path in RECIPES}
    first, _, *last = by_name['spssn_camvid']
    judged = by_name['spssn_camvid_judged']
    assert [stage.seed for stage in judged] == [0, 1]
    data = {'train_splits': (), 'holdout': 0.0, 'val_split': '', 'val_every': 1}
    for stage, judging in zip(last, judged, strict=True):
        assert (judging.train_splits, judging.holdout) == (first.train_splits, first.holdout)
        assert replace(judging, **data) == replace(stage, **data)
    cycles, (judging,) = by_name['spssn_camvid_long'], by_name['spssn_camvid_long_judged']
    assert all(cycle.train_splits == last[-1].train_splits for cycle in cycles)
    assert [(cycle.epochs, cycle.seed) for cycle in cycles] == [(48, 3), (32, 4), (60, 7), (30, 8)]
    assert (judging.train_splits, judging.holdout) == (first.train_splits, first.holdout)
    assert replace(judging, **data) == replace(cycles[0], **data)
    assert [replace(cycle, **data) for cycle in by_name['spssn_camvid_without_val']] == [
        replace(cycle, **data) for cycle in cycles
    ]


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_takes_a_step(path: Path, tmp_path: Path) -> None:
    for config in read_recipe(path):
        classes = CITYSCAPES if config.dataset is DataSet.CITYSCAPES else CAMVID
        rng = np.random.default_rng(0)
        labels = rng.integers(0, len(classes), (64, 96)).astype(np.uint8)
        # A rare object, for recipes that paste such.
        labels[labels == 6] = 0
        labels[20:30, 40:48] = 6
        sample = rng.integers(0, 256, (64, 96, 3), np.uint8), labels
        small = replace(config, crop=(64, 64), batch_size=2, workers=1)
        run = Trainer(small, TrainingData(classes, [sample] * 2), tmp_path)
        loss = run._step(next(run.batches.epoch(0)))
        assert loss is not None
        assert np.isfinite(float(loss))


@pytest.mark.parametrize(
    'name', ['spssn_folder', 'spssn_folder.yaml', 'config/train/spssn_folder.yaml']
)
def test_shipped_recipes_are_found_by_name_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = find_recipe(Path(name))
    assert found.name == 'spssn_folder.yaml'
    assert read_recipe(found)[0].dataset is DataSet.FOLDER
    # So it is beside a run's folder of that name.
    own = tmp_path / name
    own.mkdir(parents=True)
    assert find_recipe(Path(name)) == found
    own.rmdir()
    # A file goes before it.
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text('dataset: street')
    assert find_recipe(Path(name)) == Path(name)


@pytest.mark.parametrize('name', ['spssn_folders', 'mine/spssn_folder.yaml', 'spssn_folder.json'])
def test_a_recipe_that_is_not_there_is_told_with_those_that_are(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"no recipe '{name}'; give .* shipped .*spssn_folder, "
    ):
        find_recipe(Path(name))
