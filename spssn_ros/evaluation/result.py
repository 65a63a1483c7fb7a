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
"""What an evaluation yields."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.evaluation.calibration import Calibration
from spssn_ros.evaluation.categories import Categories
from spssn_ros.evaluation.confusion import ConfusionMatrix, mean_of_known
from spssn_ros.evaluation.instance import InstanceScores
from spssn_ros.files import check_file_target, check_folder_target, write_whole
from spssn_ros.labels import LabelSet


@dataclass
class EvaluationResult:
    """Scores and how they came about.

    Attributes:
        label_set: the classes.
        matrix: all scored pixels.
        frames: number of scored frames.
        unmatched_images: images (or predictions) without truth of their stamp.
        unmatched_labels: truth without an image (or prediction) of its stamp.
        weights: the weights file, or '' for recorded or live predictions.
        device: backend, precision and device in words.
        fps: frames scored a second, everything included.
        categories: a grouping of the classes, which gets scores too.
        instances: for iIoU, where the bags have instance images.
        calibration: of the confidence, where that was asked for.
        degraded: the scores of degraded images by `Degradation`, where they were asked for.
        extra: further keys of the JSON, such as latencies.

    """

    label_set: LabelSet
    matrix: ConfusionMatrix
    frames: int = 0
    unmatched_images: int = 0
    unmatched_labels: int = 0
    weights: str = ''
    device: str = ''
    fps: float = 0.0
    categories: Categories | None = None
    instances: InstanceScores | None = None
    calibration: Calibration | None = None
    degraded: dict[str, ConfusionMatrix] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def paired(self) -> str:
        """What was paired with truth: 'image', or 'label' where recorded or live ones were."""
        return 'image' if self.weights else 'label'

    def merge(self, other: 'EvaluationResult') -> None:
        """Add what another process scored of the same run, on frames of its own."""
        together = self.frames + other.frames
        # The run takes as long as the slower of the two.
        seconds = max(_seconds(self), _seconds(other))
        self.fps = together / seconds if seconds else 0.0
        self.frames = together
        self.matrix.merge(other.matrix)
        if self.instances is not None and other.instances is not None:
            self.instances.merge(other.instances)
        if self.calibration is not None and other.calibration is not None:
            self.calibration.merge(other.calibration)
        self.unmatched_images += other.unmatched_images
        self.unmatched_labels += other.unmatched_labels

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation JSON's values: fractions in [0, 1], None where undefined."""
        names = self.label_set.names
        unknown = self.matrix.unknown
        values: dict[str, Any] = {
            'miou': _number(self.matrix.miou()),
            'class_average': _number(self.matrix.class_average()),
            'global_average': _number(self.matrix.global_average()),
            'iou': dict(zip(names, map(_number, self.matrix.iou()), strict=True)),
            'accuracy': dict(zip(names, map(_number, self.matrix.accuracy()), strict=True)),
            'confusion': self.matrix.counts.tolist(),
            'classes': list(names),
            'frames': self.frames,
            'unmatched_images': self.unmatched_images,
            'unmatched_labels': self.unmatched_labels,
            'weights': self.weights,
            'device': self.device,
            'fps': round(self.fps, 2),
        }
        if unknown.any():
            values['unknown'] = dict(zip(names, unknown.tolist(), strict=True))
        if self.calibration is not None:
            values['calibration_error'] = _number(self.calibration.expected_error())
            values['calibration'] = [
                {key: _number(value) for key, value in dataclasses.asdict(part).items()}
                for part in self.calibration.bins()
            ]
        if self.degraded:
            matrices = {'clean': self.matrix, **self.degraded}
            values['robustness'] = {name: _number(m.miou()) for name, m in matrices.items()}
        return values | self._further_scores() | self.extra

    def _further_scores(self) -> dict[str, Any]:
        """Return the scores of categories and instances and their means, as far as defined."""
        matrix, categories, instances = self.matrix, self.categories, self.instances
        values: dict[str, Any] = {}

        def add(prefix: str, kind: str, names: Sequence[str], scores: NDArray[np.float64]) -> None:
            values[prefix + kind] = dict(zip(names, map(_number, scores), strict=True))
            values[f'{prefix}m{kind}'] = _number(mean_of_known(scores))

        if categories is not None:
            add('category_', 'iou', categories.names, categories.iou(matrix))
        if instances is not None:
            add('', 'iiou', self.label_set.names, instances.iiou(matrix))
        if categories is not None and instances is not None:
            add('category_', 'iiou', categories.names, instances.category_iiou(matrix))
        return values

    def to_json(self) -> str:
        """Return the evaluation JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + '\n'


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: the folder cannot be made or written to.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


def check_targets(file: Path | None, report: Path | None) -> None:
    """Check that the JSON file and the report's folder can be written, before the evaluation.

    Raises:
        OSError: one cannot; it names what is in the way.

    """
    if file is not None:
        check_file_target(file, makes_folders=True)
    if report is not None:
        check_folder_target(report)


def _seconds(result: EvaluationResult) -> float:
    return result.frames / result.fps if result.fps else 0.0


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
