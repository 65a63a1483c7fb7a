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
"""Robustness scores every degradation beside the clean images, the same each time."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spssn_ros.bags.labelled import IMAGE_TOPIC, LABEL_TOPIC, LabelledFrame, write_labelled_bag
from spssn_ros.errors import ConfigError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.evaluate import EvaluationConfig, evaluate
from spssn_ros.imaging.degradation import Degradation, degrade, fixed_damage
from spssn_ros.inference import Segmenter
from spssn_ros.tools.main import main


def test_every_degradation_is_scored_beside_the_clean_images(
    random_weights: Path,
    picture: Callable[..., np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(0)
    frames = [
        LabelledFrame(picture(96, 64, seed), rng.integers(0, 3, (64, 96)).astype(np.uint8))
        for seed in range(2)
    ]
    bag, json_file = tmp_path / 'bag', tmp_path / 'scores.json'
    write_labelled_bag(bag, frames, 1.0)
    command = ['evaluate', str(bag), '--weights', str(random_weights), '--backend', 'torch']
    assert main([*command, '--robustness', '--json', str(json_file)]) == 0
    scores = json.loads(json_file.read_text())
    told = capsys.readouterr().out
    assert list(scores['robustness']) == ['clean', *(kind.value for kind in Degradation)]
    assert scores['robustness']['clean'] == scores['miou']
    for kind in (Degradation.DARK, Degradation.MOTION_BLUR):
        assert main([*command, '--degrade', kind.value, '--json', str(json_file)]) == 0
        alone = json.loads(json_file.read_text())['miou']
        assert scores['robustness'][kind.value] == alone
        assert alone != scores['miou']
        line = next(line for line in told.splitlines() if kind.value.replace('_', ' ') in line)
        assert f'{alone * 100:.2f}' in line


def test_robustness_and_one_degradation_exclude_one_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='robustness and degrade exclude one another'):
        EvaluationConfig(
            [tmp_path], [IMAGE_TOPIC], [LABEL_TOPIC], degradation=Degradation.BLUR, robustness=True
        )


@pytest.mark.parametrize('kind', [Degradation.JPEG, Degradation.NOISE])
def test_a_bag_is_scored_degraded(
    random_weights: Path, picture: Callable[..., np.ndarray], tmp_path: Path, kind: Degradation
) -> None:
    truth = np.zeros((64, 96), np.uint8)
    frames = [LabelledFrame(picture(96, 64, seed), truth) for seed in range(3)]
    write_labelled_bag(tmp_path / 'bag', frames, 1.0)
    segmenter = Segmenter.from_weights(random_weights, 'cpu', 'float32', 'torch')
    results = []
    for workers in (0, 2):
        config = EvaluationConfig(
            [tmp_path / 'bag'], [IMAGE_TOPIC], [LABEL_TOPIC], workers=workers, degradation=kind
        )
        results.append(evaluate(config, segmenter.label_set, segmenter))
        assert results[-1].to_dict()['degraded'] == kind.value
    # Whatever the workers, and as by hand: noise is seeded by the stamp, 10^18 ns and on.
    by_hand = ConfusionMatrix(len(segmenter.label_set))
    for second, frame in enumerate(frames):
        damage = fixed_damage(kind, seed=(10**18 + second * 10**9) % 2**31)
        by_hand.update(truth, segmenter(degrade(frame.image, damage)).labels)
    for result in results:
        np.testing.assert_array_equal(result.matrix.counts, by_hand.counts)


def test_recorded_predictions_cannot_be_degraded() -> None:
    with pytest.raises(ConfigError, match=r'^recorded predictions cannot be degraded; leave deg'):
        EvaluationConfig([Path('b')], (), ['/t'], ['/p'], degradation=Degradation.BLUR)
