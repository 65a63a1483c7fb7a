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
"""Cut-and-paste of rare classes: objects of one training frame appear in another.

Dwibedi et al., "Cut, paste and learn", 2017; Ghiasi et al., "Simple copy-paste", 2021. An object
is a connected piece of the rare classes together, so that a sign comes with its pole. It lands at
about its own height in the frame, where its size is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import ConfigError
from spssn_ros.labels import UNKNOWN, LabelSet
from spssn_ros.training.augment import Sample

RARE = 0.02
"""A class with a smaller part of the labelled pixels is rare."""

# Of an object: fewest pixels, as part of the frame's (50 of 480x360), and greatest width and
# height, as parts of the frame's.
_SMALLEST, _WIDEST, _HIGHEST = 50 / (480 * 360), 0.35, 0.9
_HEIGHT_JITTER = 0.04
_SCALES = (0.75, 1.33)


@dataclass(frozen=True)
class RareObject:
    """One object to paste.

    Attributes:
        image: (h, w, 3) uint8 RGB, its bounding box.
        labels: (h, w) uint8 class ids, 255 where the object is not.
        bottom: of the box, as part of the frame's height.
        frame_height: of its frame, in pixels.

    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    bottom: float
    frame_height: int


class RareObjects:
    """The objects of rare classes in some frames, and their pasting into others.

    Args:
        samples: the training frames.
        label_set: their classes.
        names: the classes to paste; none given: those with under `RARE` of the labelled pixels.

    Raises:
        ConfigError: a name that is no class, or no object of these classes in the frames.

    """

    def __init__(
        self, samples: Sequence[Sample], label_set: LabelSet, names: Sequence[str]
    ) -> None:
        ids = [label_set.index(name) for name in names] or _rare_ids(samples, len(label_set))
        rare = np.zeros(256, np.uint8)
        rare[ids] = 1
        by_class: dict[int, list[RareObject]] = {class_id: [] for class_id in ids}
        for image, labels in samples:
            for found in _objects(image, labels, rare):
                for class_id in np.intersect1d(found.labels, ids):
                    by_class[int(class_id)].append(found)
        self.by_class = [objects for objects in by_class.values() if objects]
        if not self.by_class:
            raise ConfigError(
                f'paste finds no object of {", ".join(names) or "a rare class"} in the training '
                'images; name others in paste_classes, or set paste to 0'
            )

    def paste(self, sample: Sample, mean: float, rng: np.random.Generator) -> Sample:
        """Return the frame with some objects pasted in.

        Args:
            sample: image (H, W, 3) and labels (H, W); left as they are.
            mean: how many objects, on average (Poisson). Every class has the same chance.
            rng: source of chance.

        """
        count = rng.poisson(mean)
        if not count:
            return sample
        image, labels = sample[0].copy(), sample[1].copy()
        for _ in range(count):
            objects = self.by_class[rng.integers(len(self.by_class))]
            _paste(image, labels, objects[rng.integers(len(objects))], rng)
        return image, labels


def _rare_ids(samples: Sequence[Sample], classes: int) -> list[int]:
    counts = np.zeros(256, np.int64)
    for _, labels in samples:
        counts += np.bincount(labels.reshape(-1), minlength=256)
    share = counts[:classes] / max(1, counts[:classes].sum())
    return [int(i) for i in np.flatnonzero((share > 0) & (share < RARE))]


def _objects(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], rare: NDArray[np.uint8]
) -> list[RareObject]:
    height, width = labels.shape
    _, pieces, boxes, _ = cv2.connectedComponentsWithStats(rare[labels], connectivity=8)
    found = []
    for piece, (left, top, w, h, area) in enumerate(np.asarray(boxes).tolist()):
        # Piece 0 is what is not rare.
        too_big = w > _WIDEST * width or h > _HIGHEST * height
        if piece == 0 or area < _SMALLEST * width * height or too_big:
            continue
        box = np.s_[top : top + h, left : left + w]
        own = np.where(np.asarray(pieces)[box] == piece, labels[box], UNKNOWN).astype(np.uint8)
        found.append(RareObject(image[box].copy(), own, (top + h) / height, height))
    return found


def _paste(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    thing: RareObject,
    rng: np.random.Generator,
) -> None:
    """Paste in place, unless most of what it would cover is void."""
    height, width = labels.shape
    scale = height / thing.frame_height * rng.uniform(*_SCALES)
    size = tuple(max(1, round(side * scale)) for side in reversed(thing.labels.shape))
    picture = cv2.resize(thing.image, size, interpolation=cv2.INTER_LINEAR)
    ids = cv2.resize(thing.labels, size, interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        picture, ids = picture[:, ::-1], ids[:, ::-1]
    bottom = height * (thing.bottom + rng.uniform(-_HEIGHT_JITTER, _HEIGHT_JITTER))
    left, top = round(rng.uniform(-size[0] / 2, width - size[0] / 2)), round(bottom) - size[1]
    # The part of it that lies within the frame.
    rows = slice(max(0, -top), max(0, min(size[1], height - top)))
    columns = slice(max(0, -left), max(0, min(size[0], width - left)))
    picture, ids = picture[rows, columns], ids[rows, columns]
    window = np.s_[top + rows.start : top + rows.stop, left + columns.start : left + columns.stop]
    covered = ids != UNKNOWN
    if not covered.any() or (labels[window][covered] == UNKNOWN).mean() > 0.5:
        return
    # Borders blend over about a pixel, as a camera's do; labels do not.
    alpha = cv2.blur(covered.astype(np.float32), (3, 3))[..., None] * covered[..., None]
    image[window] = np.rint(alpha * picture + (1 - alpha) * image[window]).astype(np.uint8)
    labels[window] = np.where(covered, ids, labels[window])
