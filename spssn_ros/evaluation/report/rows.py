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
"""The score table's rows, for the terminal and for the page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spssn_ros.evaluation.report.compare import Earlier, Value
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.labels import Color

_OWN_PLACE = frozenset(
    {
        *('miou', 'class_average', 'global_average', 'iou', 'accuracy', 'confusion', 'classes'),
        *('frames', 'unmatched_images', 'unmatched_labels', 'weights', 'device', 'fps'),
        *('unknown', 'drops', 'refused', 'latency_ms'),
    }
)
"""Keys of the evaluation JSON that the page shows in places of their own."""


@dataclass(frozen=True)
class Change:
    """An earlier value and what it became.

    Attributes:
        before: the earlier value.
        difference: the new one less the earlier; None where either is undefined.

    """

    before: Value
    difference: Value

    @classmethod
    def of(cls, before: Value, now: Value) -> 'Change':
        """Compare two values."""
        return cls(before, None if before is None or now is None else now - before)


@dataclass(frozen=True)
class Row:
    """One class, or the mean; fractions in [0, 1], None where undefined.

    Attributes:
        name: of the class.
        color: in the palette; None for the mean.
        iou: intersection over union.
        accuracy: TP / (TP + FN).
        share: of the scored true pixels; None for the mean.
        further: other scores a class, in the order of `further_columns`.
        iou_changes: against each earlier evaluation.
        accuracy_changes: likewise.

    """

    name: str
    color: Color | None
    iou: Value
    accuracy: Value
    share: Value
    further: Sequence[Value]
    iou_changes: Sequence[Change]
    accuracy_changes: Sequence[Change]


@dataclass(frozen=True)
class Group:
    """Further scores of one kind of thing, such as categories or topics.

    Attributes:
        titles: what the scores, or the things, are called.
        columns: names of the scores.
        rows: by name of the thing, its values in the order of the columns.

    """

    titles: Sequence[str]
    columns: Sequence[str]
    rows: Mapping[str, Sequence[Any]]


def rows(result: EvaluationResult, compared: Sequence[Earlier] = ()) -> list[Row]:
    """Return a row for every class, in the order of their ids."""
    matrix, values = result.matrix, result.to_dict()
    shares = (matrix.counts.sum(1) + matrix.unknown) / max(1, matrix.total)
    further = _by_class(values)
    made = []
    for name, color, share in zip(*_classes(result), shares, strict=True):
        iou, accuracy = values['iou'][name], values['accuracy'][name]
        made.append(
            Row(
                name,
                color,
                iou,
                accuracy,
                float(share),
                [scores.get(name) for scores in further.values()],
                [Change.of(earlier.iou[name], iou) for earlier in compared],
                [Change.of(earlier.accuracy[name], accuracy) for earlier in compared],
            )
        )
    return made


def mean_row(result: EvaluationResult, compared: Sequence[Earlier] = ()) -> Row:
    """Return the row of the means: mIoU and class average."""
    values = result.to_dict()
    miou, average = values['miou'], values['class_average']
    return Row(
        'mean',
        None,
        miou,
        average,
        None,
        [_mean(scores.values()) for scores in _by_class(values).values()],
        [Change.of(earlier.miou, miou) for earlier in compared],
        [Change.of(earlier.class_average, average) for earlier in compared],
    )


def headline(
    result: EvaluationResult, compared: Sequence[Earlier] = ()
) -> dict[str, tuple[Value, Sequence[Change]]]:
    """Return the scores of the whole, by name: their values and changes."""
    values = result.to_dict()
    return {
        key: (values[key], [Change.of(getattr(earlier, key), values[key]) for earlier in compared])
        for key in ('miou', 'class_average', 'global_average')
    }


def further_columns(result: EvaluationResult) -> list[str]:
    """Return the names of the scores a class has besides IoU and accuracy."""
    return list(_by_class(result.to_dict()))


def further_figures(result: EvaluationResult) -> dict[str, Any]:
    """Return the result's further single values by name."""
    return {
        key: value
        for key, value in result.to_dict().items()
        if key not in _OWN_PLACE and not isinstance(value, (dict, list))
    }


def further_groups(result: EvaluationResult) -> list[Group]:
    """Return the result's other tables: scores by category, by topic and so on.

    Mappings of the same names become one table with a column each; a mapping of mappings is a
    table of its own, with a row for every one of them.
    """
    values = result.to_dict()
    by_class = _by_class(values)
    flat: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    groups = []
    for key, scores in values.items():
        if key in _OWN_PLACE or key in by_class or not isinstance(scores, dict) or not scores:
            continue
        if all(isinstance(inner, dict) for inner in scores.values()):
            groups.append(_nested(key, scores))
        else:
            flat.setdefault(tuple(scores), {})[key] = scores
    for names, columns in flat.items():
        table = {name: [scores[name] for scores in columns.values()] for name in names}
        groups.append(Group(list(columns), list(columns), table))
    return groups


def _nested(title: str, scores: dict[str, dict[str, Any]]) -> Group:
    plain = (
        key
        for inner in scores.values()
        for key, value in inner.items()
        if not isinstance(value, (dict, list))
    )
    columns = list(dict.fromkeys(plain))
    table = {name: [inner.get(column) for column in columns] for name, inner in scores.items()}
    return Group([title], columns, table)


def _classes(result: EvaluationResult) -> tuple[Sequence[str], Sequence[Color]]:
    return result.label_set.names, result.label_set.palette


def _by_class(values: dict[str, Any]) -> dict[str, dict[str, Value]]:
    """Return the further scores that are given by class, such as those of instances."""
    classes = set(values['classes'])
    return {
        key: scores
        for key, scores in values.items()
        if key not in _OWN_PLACE and isinstance(scores, dict) and scores
        # Categories may be named as classes are.
        if not key.startswith('category_')
        if set(scores) <= classes and all(isinstance(v, float | None) for v in scores.values())
    }


def _mean(values: Any) -> Value:
    known = [value for value in values if value is not None and not math.isnan(value)]
    return sum(known) / len(known) if known else None
