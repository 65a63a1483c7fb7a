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
"""Steps that are recorded once and repeated: the same training as step by step."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spssn_ros.inference.config import Precision
from spssn_ros.labels import LabelSet
from spssn_ros.models import create_model
from spssn_ros.models.blocks import PyramidPooling
from spssn_ros.training.augment import Sample
from spssn_ros.training.config import Optimizer, TrainConfig
from spssn_ros.training.optimizer import make_optimizer
from spssn_ros.training.repeated_step import RepeatedStep, Step, can_repeat
from spssn_ros.training.samples import TrainingData
from spssn_ros.training.train import Trainer

LABELS = LabelSet(('dark', 'light'), ((0, 0, 0), (255, 255, 255)))
CONFIG = TrainConfig(
    options={'chain_length': 1, 'dropout': 0.0},
    batch_size=2,
    crop=(64, 64),
    warmup_iterations=0,
    learning_rate=0.01,
    jaccard_weight=1.0,
    ema_decay=0.5,
    precision=Precision.FLOAT32,
)
CPU = torch.device('cpu')
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA GPU')


def sample(seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 16 * (seed % 3 + 1) :] = 1
    labels[:2] = 255
    noise = rng.normal(0, 10, (64, 64, 3))
    return (labels[..., None] % 2 * 120 + 60 + noise).clip(0, 255).astype(np.uint8), labels


DATA = TrainingData(LABELS, [sample(i) for i in range(14)])


def steps(run: Trainer) -> tuple[list[float], list[torch.Tensor]]:
    """Train for an epoch of seven steps; return the losses and the averaged weights."""
    run.model.train()
    losses = [run._step(batch) for batch in run.batches.epoch(0)]
    assert run.average is not None
    # Not read before the end: a step must not write into an earlier one's loss.
    values = [float(loss) for loss in losses if loss is not None]
    return values, [t.float().cpu() for t in run.average.model.state_dict().values()]


def recorded(
    tmp_path: Path, record: Callable[[Callable[[], None]], Callable[[], None]]
) -> tuple[list[float], list[torch.Tensor]]:
    run = Trainer(CONFIG, DATA, tmp_path, device=CPU)
    run.repeated = RepeatedStep(run._take, [run.model], record)
    return steps(run)


def test_repeated_steps_train_as_single_ones(tmp_path: Path) -> None:
    expected_losses, expected = steps(Trainer(CONFIG, DATA, tmp_path, device=CPU))
    records: list[Callable[[], None]] = []

    def record(work: Callable[[], None]) -> Callable[[], None]:
        records.append(work)
        return work

    losses, tensors = recorded(tmp_path, record)
    assert len(records) == 1
    assert len(set(losses)) == 7
    assert losses == expected_losses
    assert all(torch.equal(a, b) for a, b in zip(tensors, expected, strict=True))


def test_a_recorded_step_has_every_networks_pooling_matrices_at_hand() -> None:
    networks = [create_model('fast_scnn', 2) for _ in range(2)]
    RepeatedStep(lambda images, labels: torch.zeros(()), networks)
    poolings = [m for n in networks for m in n.modules() if isinstance(m, PyramidPooling)]
    assert [pooling.matrices for pooling in poolings] == [{}, {}]


def test_where_recording_fails_steps_go_on_and_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def record(work: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError('operation not permitted when stream is capturing')

    expected_losses, _ = steps(Trainer(CONFIG, DATA, tmp_path, device=CPU))
    losses, _ = recorded(tmp_path, record)
    assert losses == expected_losses
    assert [message for message in caplog.messages if 'CUDA graph' in message] == [
        'no CUDA graph (operation not permitted when stream is capturing); training without one'
    ]


@pytest.mark.parametrize(
    ('changes', 'device', 'processes', 'expected'),
    [
        ({}, 'cuda', 1, True),
        ({}, 'cpu', 1, False),
        ({}, 'cuda', 2, False),
        ({'ohem': 0.7}, 'cuda', 1, False),
        ({'auxiliary_weight': 0.4}, 'cuda', 1, False),
        ({'precision': Precision.FLOAT16}, 'cuda', 1, False),
        ({'compile': True}, 'cuda', 1, False),
    ],
)
def test_which_recipes_have_steps_that_repeat(
    changes: dict[str, object], device: str, processes: int, expected: bool
) -> None:
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    assert can_repeat(config, torch.device(device), processes) is expected


@needs_cuda
def test_a_recipe_on_cuda_records_its_steps(tmp_path: Path) -> None:
    run = Trainer(replace(CONFIG, learning_rate=1e-3), DATA, tmp_path)
    assert run.repeated is not None
    run.model.train()
    losses = [run._step(batch) for epoch in range(6) for batch in run.batches.epoch(epoch)]
    values = [float(loss) for loss in losses if loss is not None]
    assert len(values) == 42
    assert np.mean(values[-7:]) < 0.7 * np.mean(values[:7])


@needs_cuda
@pytest.mark.parametrize('optimizer', list(Optimizer))
def test_a_cuda_graph_takes_the_same_steps(optimizer: Optimizer) -> None:
    # A linear map: deep networks make much of additions that round differently each time.
    config = TrainConfig(optimizer=optimizer, learning_rate=0.01, weight_decay=0.1)
    found = []
    for repeated in (False, True):
        torch.manual_seed(0)
        model = torch.nn.Linear(8, 4).cuda()
        step = linear_step(model, make_optimizer(model, config, repeated=repeated))
        take = RepeatedStep(step, [model]) if repeated else step
        losses = []
        for seed in range(9):
            generator = torch.Generator('cuda').manual_seed(seed)
            x = torch.randn(16, 8, device='cuda', generator=generator)
            losses.append(take(x, x[:, :4] * 3))
        found.append(torch.cat([torch.stack(losses), model.weight.detach().flatten()]))
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-4)


def linear_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Step:
    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
