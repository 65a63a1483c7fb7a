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
"""Knowledge distillation: what a teacher says, how it is learned from, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from spssn_ros.errors import ConfigError, WeightsError
from spssn_ros.inference import plan as plan_module
from spssn_ros.inference.config import Precision
from spssn_ros.inference.plan import _Lack
from spssn_ros.labels import CAMVID, LabelSet
from spssn_ros.models import Normalisation, create_model, load_weights, save_weights
from spssn_ros.models.weights_info import WeightsInfo
from spssn_ros.training.arithmetic import Arithmetic
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.losses import distillation_loss, pixel_loss, training_loss
from spssn_ros.training.samples import TrainingData
from spssn_ros.training.teacher import Teacher
from spssn_ros.training.train import Trainer

LABELS = LabelSet(('dark', 'light'), ((40, 40, 40), (220, 220, 220)))
FLOAT32 = Arithmetic(torch.device('cpu'), Precision.FLOAT32)


def saved(path: Path, network: tuple[torch.nn.Module, WeightsInfo], **changes: Any) -> str:
    model, info = network
    save_weights(path / 'teacher.safetensors', model, replace(info, **changes))
    return str(path / 'teacher.safetensors')


@pytest.mark.parametrize('engine', ['openvino', 'torch'])
def test_the_teacher_sees_the_sample_enlarged(
    random_network: Any, tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == 'torch':
        monkeypatch.setattr(plan_module, '_lack_of_openvino', lambda: _Lack('is missing', ''))
    images = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    weights = saved(tmp_path, random_network, temperature=2.0)
    model, info = load_weights(weights)
    mean, std = (torch.tensor(v) for v in (info.normalisation.mean, info.normalisation.std))
    planes = ((images / 255 - mean) / std).permute(0, 3, 1, 2)
    for scale in (1.0, 1.5):
        size = round(64 * scale), round(96 * scale)
        with torch.no_grad():
            enlarged = functional.interpolate(planes, size, mode='bilinear')
            expected = model.eval()(enlarged) / 2
        teacher = Teacher(TrainConfig(teacher=weights, teacher_scale=scale), CAMVID, FLOAT32)
        assert (teacher._engine is None) is (engine == 'torch')
        found = teacher(images)
        assert found.shape == expected.shape
        assert not found.requires_grad
        # OpenCV rounds enlarged pixels to whole numbers.
        tolerance = 1e-3 if scale == 1 or engine == 'torch' else 0.1
        torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def test_the_divergence_is_that_of_the_labelled_pixels() -> None:
    student, teacher = 2 * torch.randn(2, 2, 3, 4, 5).double()
    labels = torch.randint(0, 3, (2, 4, 5))
    labels[0, :2] = 255
    p, q = (logits.softmax(1).permute(0, 2, 3, 1).numpy() for logits in (teacher, student))
    each = (p * np.log(p / q)).sum(-1)
    expected = each[labels.numpy() != 255].mean()
    assert float(distillation_loss(student, teacher, labels)) == pytest.approx(expected, rel=1e-9)
    assert float(distillation_loss(teacher, teacher, labels)) == pytest.approx(0, abs=1e-12)


def test_the_divergence_is_added_by_its_weight_at_the_labels_size() -> None:
    labels = torch.randint(0, 2, (1, 32, 32))
    logits, teacher = torch.randn(1, 2, 4, 4), torch.randn(1, 2, 8, 8)
    config = TrainConfig(teacher_weight=0.7)
    total = training_loss((logits, []), labels, torch.ones(2), config, taught=teacher)
    student, wanted = (
        functional.interpolate(x, (32, 32), mode='bilinear') for x in (logits, teacher)
    )
    expected = pixel_loss(student, labels, torch.ones(2), config)
    expected = expected + 0.7 * distillation_loss(student, wanted, labels)
    assert float(total) == pytest.approx(float(expected), rel=1e-6)


def light_everywhere(path: Path) -> Path:
    """Write a teacher that takes every pixel for light."""
    model = create_model('spssn', 2, chain_length=1)
    for tensor in model.state_dict().values():
        tensor.zero_()
    classifier: Any = model.get_submodule('classifier.3')
    classifier.bias.data[:] = torch.tensor([0.0, 8.0])
    info = WeightsInfo('spssn', {'chain_length': 1}, LABELS, Normalisation(), (64, 64))
    save_weights(path, model, info)
    return path


def test_a_student_follows_its_teacher_against_the_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dark = np.full((64, 64, 3), 40, np.uint8), np.zeros((64, 64), np.uint8)
    data = TrainingData(LABELS, [dark] * 4, [dark])
    weights = light_everywhere(tmp_path / 'teacher.safetensors')
    config = TrainConfig(
        options={'chain_length': 1},
        epochs=6,
        batch_size=2,
        crop=(64, 64),
        learning_rate=0.01,
        warmup_iterations=0,
        ema_decay=0.0,
        val_every=6,
    )
    assert Trainer(config, data, tmp_path / 'alone').run() > 0.99
    assert 'taught' not in capsys.readouterr().out
    followed = replace(config, teacher=str(weights), teacher_weight=20.0)
    assert Trainer(followed, data, tmp_path / 'taught').run() < 0.01
    assert f'taught by {weights}\n' in capsys.readouterr().out


def test_teachers_that_do_not_fit_are_refused(random_network: Any, tmp_path: Path) -> None:
    weights = saved(tmp_path, random_network)
    config = TrainConfig(teacher=weights)
    with pytest.raises(
        ConfigError,
        match=r'^teacher .*teacher\.safetensors has the classes sky, .*; the data has dark, '
        r'light; give weights of the same$',
    ):
        Teacher(config, LABELS, FLOAT32)
    with pytest.raises(WeightsError, match=r"^no weights file 'nowhere'"):
        Teacher(TrainConfig(teacher='nowhere'), CAMVID, FLOAT32)
