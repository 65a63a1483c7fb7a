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
"""What a run writes into its folder, and into its weights files."""

import math
from dataclasses import replace
from pathlib import Path

from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.labels import LabelSet
from spssn_ros.models import Normalisation, WeightsInfo, save_weights
from spssn_ros.models.network import Network
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.curve import CURVE, PICTURE

RESULTS = ('state.safetensors', 'best.safetensors', 'last.safetensors', CURVE, PICTURE)
"""The files of a run."""

LICENCE = 'Weights: Apache-2.0. The licence of the training images applies to their use.'


def forget_run(folder: Path) -> None:
    """Remove the files of an earlier run: `--resume` would take them for those of a new one."""
    for name in RESULTS:
        (folder / name).unlink(missing_ok=True)


def save_checkpoint(
    path: Path,
    model: Network,
    config: TrainConfig,
    label_set: LabelSet,
    recipe: dict[str, object],
    scores: dict[str, ConfusionMatrix],
) -> None:
    """Write weights with their recipe and scores.

    Args:
        path: of the file.
        model: the network.
        config: it was trained by.
        label_set: the classes.
        recipe: further facts on the run.
        scores: by split. The first one's are the scores; others stand beside them by name.

    """
    recorded: dict[str, object] = {}
    for split, matrix in scores.items():
        found = {'split': split} | summary(matrix, label_set)
        recorded = recorded | {split: found} if recorded else found
    recipe = {**recipe, 'config': config.to_dict()}
    info = replace(result_info(config, label_set), recipe=recipe, scores=recorded)
    save_weights(path, model, info)


def result_info(config: TrainConfig, label_set: LabelSet) -> WeightsInfo:
    """Return what the weights of a run say of themselves, but for its recipe and scores."""
    return WeightsInfo(
        model=config.model,
        options={key: value for key, value in config.options.items() if key != 'auxiliary'},
        label_set=label_set,
        normalisation=Normalisation(),
        input_size=config.crop if config.input_size == (0, 0) else config.input_size,
        licence=LICENCE,
    )


def summary(matrix: ConfusionMatrix, label_set: LabelSet) -> dict[str, object]:
    """Return the scores as plain values, fractions in [0, 1], None where undefined."""
    iou = zip(label_set.names, matrix.iou().tolist(), strict=True)
    return {
        'miou': _rounded(matrix.miou()),
        'class_average': _rounded(matrix.class_average()),
        'global_average': _rounded(matrix.global_average()),
        'iou': {name: _rounded(value) for name, value in iou},
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)
