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
"""Groups of classes, and their IoU from the confusion matrix of the classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from spssn_ros.errors import ConfigError, one_line
from spssn_ros.evaluation.confusion import ConfusionMatrix
from spssn_ros.files import read_plain
from spssn_ros.labels import CITYSCAPES, UNKNOWN, LabelSet

CITYSCAPES_CATEGORIES = {
    'flat': ('road', 'sidewalk'),
    'construction': ('building', 'wall', 'fence'),
    'object': ('pole', 'traffic light', 'traffic sign'),
    'nature': ('vegetation', 'terrain'),
    'sky': ('sky',),
    'human': ('person', 'rider'),
    'vehicle': ('car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle'),
}
"""The 7 categories of Cityscapes' 19 classes (Cordts et al. 2016, table 1)."""

_BUILT_IN = 'cityscapes'


class Categories:
    """A grouping of classes. A class may be in no category; no class is in two.

    Pixels of a class that is in no category belong to none: they are neither hits nor misses, but
    count as false positives of the category that is predicted there.

    Args:
        groups: class names by name of the category.
        label_set: the classes.

    Raises:
        ConfigError: no category, one without a class, an unknown class, or a class in two.

    """

    def __init__(self, groups: Mapping[str, Sequence[str]], label_set: LabelSet) -> None:
        if not groups:
            raise ConfigError('no category is given; give at least one')
        self.names = tuple(groups)
        self.members = np.zeros((len(groups), len(label_set)), np.int64)
        """(categories, classes), 1 where the class is in the category."""
        for row, (name, classes) in zip(self.members, groups.items(), strict=True):
            if not classes:
                raise ConfigError(f'category {name!r} has no class; list at least one')
            for class_name in classes:
                try:
                    row[label_set.index(class_name)] += 1
                except ConfigError as error:
                    raise ConfigError(f'category {name!r}: {error}') from error
        several = [label_set.names[i] for i in np.flatnonzero(self.members.sum(0) > 1)]
        if several:
            raise ConfigError(f'class {several[0]!r} is listed twice; one category a class')

    def __len__(self) -> int:
        return len(self.names)

    def table(self) -> NDArray[np.int64]:
        """Return the category of each id, (256,); -1 for ids that are in none."""
        table = np.full(UNKNOWN + 1, -1, np.int64)
        category, class_id = np.nonzero(self.members)
        table[class_id] = category
        return table

    def iou(self, matrix: ConfusionMatrix) -> NDArray[np.float64]:
        """Return each category's IoU, (categories,) in [0, 1]; NaN where it does not occur.

        Classes of one category that are taken for one another are hits (Cordts et al. 2016,
        sec. 4.2).
        """
        counts = matrix.counts
        hits = np.diag(self.members @ counts @ self.members.T)
        union = self.members @ (counts.sum(1) + matrix.unknown + counts.sum(0)) - hits
        return np.divide(hits, union, out=np.full(len(self), np.nan), where=union > 0)

    def false_positives(self, matrix: ConfusionMatrix) -> NDArray[np.int64]:
        """Return how many true pixels of other classes each category was predicted on."""
        counts = matrix.counts
        return self.members @ counts.sum(0) - np.diag(self.members @ counts @ self.members.T)


def categories_for(option: str, label_set: LabelSet) -> Categories | None:
    """Return the categories that an option names.

    Args:
        option: 'cityscapes', a YAML file of `category: [class, ...]` lines, or '' for those of
            Cityscapes if the classes are Cityscapes', else none.
        label_set: the classes.

    Raises:
        ConfigError: the file is missing or no such mapping, or does not fit the classes.

    """
    if not option and label_set.names != CITYSCAPES.names:
        return None
    if not option or option == _BUILT_IN:
        return Categories(CITYSCAPES_CATEGORIES, label_set)
    try:
        return Categories(_read(Path(option)), label_set)
    except ConfigError as error:
        raise ConfigError(f'categories {option}: {error}') from error


def _read(path: Path) -> dict[str, list[str]]:
    example = 'write lines like `vehicle: [car, bus]`'
    try:
        groups = yaml.safe_load(read_plain(path).decode())
    except OSError as error:
        raise ConfigError(
            f'{error.strerror}; give {_BUILT_IN} or a YAML file of category: [class, ...]'
        ) from error
    # ValueError: no UTF-8, or what looks like a date but is none, as 2026-31-12.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f'no YAML ({one_line(error)}); {example}') from error
    if not isinstance(groups, dict):
        raise ConfigError(f'it holds no mapping of categories to classes; {example}')
    for name, classes in groups.items():
        is_list = isinstance(classes, list) and all(isinstance(c, str) for c in classes)
        if not isinstance(name, str) or not is_list:
            raise ConfigError(f'{name!r}: {classes!r} is no list of class names; {example}')
    return groups
