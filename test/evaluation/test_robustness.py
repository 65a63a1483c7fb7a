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

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spssn_ros.bags.labelled import IMAGE_TOPIC, LABEL_TOPIC, LabelledFrame, write_labelled_bag
from spssn_ros.errors import ConfigError
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.evaluation.evaluate import EvaluationConfig, evaluate
from spssn_ros.evaluation.robustness import score_robustness
from spssn_ros.imaging.degradation import Degradation, degrade, fixed_damage
from spssn_ros.inference import Segmenter


def test_scores_of_a_threshold_under_each_degradation() -> None:
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(3):
        truth = np.kron(rng.integers(0, 2, (12, 16)), np.ones((4, 4), int)).astype(np.uint8)
        image = np.repeat((60 + 120 * truth)[..., None], 3, 2).astype(np.uint8)
        truth[0] = 255
        samples.append((image, truth))
    done: list[int] = []

    def threshold(image: np.ndarray) -> np.ndarray:
        return (image[..., 0] > 120).astype(np.uint8)

    scores = score_robustness(threshold, samples, 2, lambda: done.append(1))
    assert list(scores) == ['clean', *(kind.value for kind in Degradation)]
    assert len(done) == 3
    assert {matrix.total for matrix in scores.values()} == {3 * 47 * 64}
    assert scores['clean'].miou() == 1
    # A fixed threshold does not survive the dark; brighter, dark blocks stay under it.
    assert scores['dark'].miou() < 0.7
    assert scores['overexposed'].miou() == 1
    assert scores['jpeg'].miou() > 0.9
    again = score_robustness(threshold, samples, 2)
    for name, matrix in scores.items():
        np.testing.assert_array_equal(matrix.counts, again[name].counts)


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
