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
"""Training configurations are read from YAML, and mistakes in them are explained."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from spssn_ros.errors import ConfigError
from spssn_ros.training.config import ClassWeights, DataSet, Optimizer, TrainConfig
from spssn_ros.training.recipe import read_recipe


def test_a_configuration_survives_yaml(tmp_path: Path) -> None:
    config = TrainConfig(
        dataset=DataSet.STREET,
        options={'chain_length': 2},
        crop=(64, 48),
        scale=(0.75, 1.5),
        optimizer=Optimizer.SGD,
        class_weights=ClassWeights.NONE,
        train_splits=('train', 'val'),
        paste_classes=('pole', 'car'),
        holdout_sequences=(),
        in_memory=False,
        val_split='',
        learning_rate=0.02,
    )
    path = tmp_path / 'run.yaml'
    path.write_text(yaml.safe_dump(config.to_dict()))
    assert read_recipe(path) == [config]


def test_what_is_not_given_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / 'run.yaml'
    path.write_text('epochs: 3\nscale: [1, 2]\nlearning_rate: 1\n')
    (config,) = read_recipe(path)
    assert config == TrainConfig(epochs=3, scale=(1.0, 2.0), learning_rate=1.0)
    assert isinstance(config.learning_rate, float)


@pytest.mark.parametrize(
    ('values', 'text'),
    [
        (
            {'learning_rat': 1},
            r"^unknown key 'learning_rat' in the training configuration; did you mean 'learning_r",
        ),
        ({'xyz': 1}, r"^unknown key 'xyz' in the training configuration$"),
        ({'epochs': 0}, r'^epochs is 0; give at least 1$'),
        ({'val_every': 0}, r'^val_every is 0; give at least 1$'),
        ({'batch_size': 1}, r'^batch_size is 1; batch norm in training needs at least 2$'),
        ({'epochs': 'many'}, r"^epochs is 'many'; give something like 100$"),
        ({'epochs': 2.5}, r'^epochs is 2\.5; give something like 100$'),
        ({'epochs': True}, r'^epochs is True; give something like 100$'),
        ({'learning_rate': 'fast'}, r"^learning_rate is 'fast'; give something like 0\.001$"),
        ({'learning_rate': True}, r'^learning_rate is True; give something like 0\.001$'),
        ({'learning_rate': 0}, r'^learning_rate is 0\.0; give a finite value above 0$'),
        ({'learning_rate': float('nan')}, r'^learning_rate is nan; give a finite value above 0$'),
        ({'learning_rate': float('inf')}, r'^learning_rate is inf; give a finite value above 0$'),
        ({'teacher_weight': 0}, r'^teacher_weight is 0\.0; give a finite value above 0$'),
        ({'teacher_scale': -1}, r'^teacher_scale is -1\.0; give a finite value above 0$'),
        (
            {'teacher': 'W', 'teacher_scale': 0.05},
            r'^teacher_scale is 0\.05 and crop \[480, 360\]; let the teacher see at least 32 pix',
        ),
        ({'weight_decay': -1}, r'^weight_decay is -1\.0; give a finite value, 0 or more$'),
        ({'color': -0.1}, r'^color is -0\.1; give a finite value, 0 or more$'),
        ({'rotate_degrees': -5}, r'^rotate_degrees is -5\.0; give a finite value, 0 or'),
        ({'warmup_iterations': -1}, r'^warmup_iterations is -1; give a finite value, 0 or'),
        ({'poly_power': float('nan')}, r'^poly_power is nan; give a finite value, 0 or more$'),
        ({'rotate_degrees': float('inf')}, r'^rotate_degrees is inf; give a finite value'),
        ({'scale': [1, float('inf')]}, r'^scale is \[1\.0, inf\]; give \[lowest, highest\]'),
        ({'seed': -1}, r'^seed is -1; give 0 to 2\*\*63 - 1$'),
        ({'seed': 10**20}, r'^seed is 1000+; give 0 to 2\*\*63 - 1$'),
        ({'options': {'num_classes': 7}}, r"^options is \{'num_classes': 7\}; leave out name and"),
        ({'options': {'name': 'x'}}, r"^options is \{'name': 'x'\}; leave out name and num_cla"),
        ({'ema_decay': 1}, r'^ema_decay is 1\.0; give a value in \[0, 1\)$'),
        ({'ohem': 1.5}, r'^ohem is 1\.5; give a value in \[0, 1\)$'),
        ({'label_smoothing': -0.1}, r'^label_smoothing is -0\.1; give a value in \[0, 1\)$'),
        ({'holdout': 1}, r'^holdout is 1\.0; give a value in \[0, 1\)$'),
        ({'degrade': 2}, r'^degrade is 2\.0; give a probability, 0 to 1$'),
        ({'paste': -1}, r'^paste is -1\.0; give a finite value, 0 or more$'),
        (
            {'paste_classes': 'pole'},
            r"^paste_classes is 'pole'; give something like \['a', 'b'",
        ),
        (
            {'precision': 'bf16'},
            r"^precision is 'bf16'; give one of auto, float32, bfloat16",
        ),
        ({'precision': 'int8'}, r"^precision is 'int8', which is none to train in; "),
        ({'in_memory': 1}, r'^in_memory is 1; give something like True$'),
        ({'crop': [480, 31]}, r'^crop is \[480, 31\]; give at least 32 a side$'),
        ({'crop': [480]}, r'^crop is \[480\]; give something like \[480, 360\]$'),
        ({'crop': 480}, r'^crop is 480; give something like \[480, 360\]$'),
        ({'scale': [2, 0.5]}, r'^scale is \[2\.0, 0\.5\]; give \[lowest, highest\], above 0$'),
        ({'scale': [0, 1]}, r'^scale is \[0\.0, 1\.0\]; give \[lowest, highest\], above 0$'),
        ({'optimizer': 'adam'}, r"^optimizer is 'adam'; give one of sgd, adamw$"),
        ({'input_size': [720, 16]}, r'^input_size is \[720, 16\]; give at least 32 a side'),
        ({'class_weights': None}, r'^class_weights is None; give one of none, log$'),
        ({'options': 3}, r'^options is 3; give something like \{\}$'),
        ({'train_splits': 'train'}, r"^train_splits is 'train'; give something like \['train'\]$"),
        ({'val_split': 'holdout'}, r"^val_split is 'holdout', under which name the images kept b"),
        ({'val_split': ['val']}, r"^val_split is \['val'\]; give something like 'val'$"),
    ],
)
def test_values_that_cannot_be(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        TrainConfig.from_dict(values)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / 'run.yaml'
    with pytest.raises(
        ConfigError, match=r'^cannot read .*run\.yaml: No such file or directory; check the path$'
    ):
        read_recipe(path)
    for content, text in (
        ('a: [', r'run\.yaml is not YAML: '),
        ('output: 2026-31-12', r'run\.yaml is not YAML: month must be in 1..12'),
        ('\xff\xfe', r'run\.yaml is not YAML: '),
        ('', r'run\.yaml holds no "key: value" lines$'),
        ('- a\n', r'run\.yaml holds no "key: value" lines$'),
        ('epoch: 3\n', r"run\.yaml: unknown key 'epoch' .*; did you mean 'epochs'\?$"),
        ('5: 3\n', r'run\.yaml: unknown key 5 in'),
    ):
        path.write_text(content, encoding='latin-1')
        with pytest.raises(ConfigError, match=text) as caught:
            read_recipe(path)
        assert '\n' not in str(caught.value)
