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

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.files import write_whole
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
    extra: dict[str, Any] = field(default_factory=dict)

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
        return values | self.extra

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


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
