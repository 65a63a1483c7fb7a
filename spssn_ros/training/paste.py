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
from spssn_ros.training.class_weights import class_shares

Window = tuple[slice, slice]

RARE = 0.02
"""A class with a smaller part of the labelled pixels is rare."""

MOST_VOID = 0.5
"""An object is not pasted where a greater part of what it would cover is void."""

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


@dataclass(frozen=True)
class Placement:
    """An object and where it goes.

    Attributes:
        thing: the object.
        size: (width, height) at which it is pasted.
        mirrored: whether left and right are exchanged.
        left: first column in the frame, which may lie outside.
        top: first row, likewise.

    """

    thing: RareObject
    size: tuple[int, int]
    mirrored: bool
    left: int
    top: int

    def windows(self, frame: tuple[int, ...]) -> tuple[Window, Window]:
        """Return the part of the object that lies within a frame (H, W), and where it lies."""
        rows = slice(max(0, -self.top), max(0, min(self.size[1], frame[0] - self.top)))
        columns = slice(max(0, -self.left), max(0, min(self.size[0], frame[1] - self.left)))
        return (rows, columns), (_shifted(rows, self.top), _shifted(columns, self.left))


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

    def draw(
        self, size: tuple[int, int], mean: float, rng: np.random.Generator
    ) -> list[Placement]:
        """Draw which objects go where into a frame.

        Args:
            size: (width, height) of the frame.
            mean: how many objects, on average (Poisson). Every class has the same chance.
            rng: source of chance.

        """
        placements = []
        for _ in range(rng.poisson(mean)):
            objects = self.by_class[rng.integers(len(self.by_class))]
            placements.append(_place(objects[rng.integers(len(objects))], size, rng))
        return placements


def paste(sample: Sample, placements: Sequence[Placement]) -> Sample:
    """Return the frame, (H, W, 3) and (H, W) uint8, with the objects in it; it stays as it was.

    An object is left out where most of what it would cover is void.
    """
    if not placements:
        return sample
    image, labels = sample[0].copy(), sample[1].copy()
    for placement in placements:
        picture, ids = fitted(placement)
        inside, window = placement.windows(labels.shape)
        picture, ids = picture[inside], ids[inside]
        covered = ids != UNKNOWN
        if not covered.any() or (labels[window][covered] == UNKNOWN).mean() > MOST_VOID:
            continue
        alpha = soft_mask(covered)[..., None]
        image[window] = np.rint(alpha * picture + (1 - alpha) * image[window]).astype(np.uint8)
        labels[window] = np.where(covered, ids, labels[window])
    return image, labels


def fitted(placement: Placement) -> Sample:
    """Return the object's image and labels at the size, and the way round, it is pasted."""
    size, thing = placement.size, placement.thing
    picture = cv2.resize(thing.image, size, interpolation=cv2.INTER_LINEAR)
    # INTER_NEAREST would be half a pixel off.
    ids = cv2.resize(thing.labels, size, interpolation=cv2.INTER_NEAREST_EXACT)
    if placement.mirrored:
        picture, ids = cv2.flip(picture, 1), cv2.flip(ids, 1)
    return np.asarray(picture, np.uint8), np.asarray(ids, np.uint8)


def soft_mask(covered: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the part of the object in each pixel: borders blend, as a camera's do."""
    return np.asarray(cv2.blur(covered.astype(np.float32), (3, 3)) * covered, np.float32)


def _shifted(part: slice, offset: int) -> slice:
    return slice(part.start + offset, max(part.start, part.stop) + offset)


def _rare_ids(samples: Sequence[Sample], classes: int) -> list[int]:
    share = class_shares(samples, classes)
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


def _place(thing: RareObject, frame: tuple[int, int], rng: np.random.Generator) -> Placement:
    width, height = frame
    scale = height / thing.frame_height * rng.uniform(*_SCALES)
    rows, columns = (max(1, round(side * scale)) for side in thing.labels.shape)
    mirrored = bool(rng.random() < 0.5)
    bottom = height * (thing.bottom + rng.uniform(-_HEIGHT_JITTER, _HEIGHT_JITTER))
    left = round(rng.uniform(-columns / 2, width - columns / 2))
    return Placement(thing, (columns, rows), mirrored, left, round(bottom) - rows)
