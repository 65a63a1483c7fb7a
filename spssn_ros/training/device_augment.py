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
"""Batches augmented where the network runs: the whole data set stays on the GPU."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from spssn_ros.labels import UNKNOWN
from spssn_ros.training.augment import Sample, hue_matrix, shadow_light
from spssn_ros.training.batches import Batch, Batches, Draw
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.device_degrade import degrade_tensor
from spssn_ros.training.draw import Tone, draw_augmentation
from spssn_ros.training.paste import MOST_VOID, Placement, RareObjects, fitted, soft_mask

# Of the GPU's free memory that the data set may take; the rest is for training.
_SHARE = 0.5


def fits(samples: Sequence[Sample], device: torch.device) -> bool:
    """Whether the samples leave enough of a CUDA device's memory; reads the first one's size."""
    height, width = samples[0][1].shape
    free, _ = torch.cuda.mem_get_info(device)
    return len(samples) * height * width * 4 < _SHARE * free


class DeviceBatches(Batches):
    """Augments batches by tensor operations, of the same draws as `HostBatches`.

    Frames of different sizes are padded with black and void, as what lies beyond a frame is.

    Args:
        samples: the training images.
        config: the recipe.
        objects: to paste, if any.
        device: where the data set goes.
        rank: see `Batches`.
        world_size: see `Batches`.

    """

    def __init__(
        self,
        samples: Sequence[Sample],
        config: TrainConfig,
        objects: RareObjects | None,
        device: torch.device,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(samples, config, objects, rank, world_size)
        self.device = device
        self.sizes = [(labels.shape[1], labels.shape[0]) for _, labels in samples]
        width, height = (max(sides) for sides in zip(*self.sizes, strict=True))
        count = len(samples)
        self.images = torch.zeros((count, 3, height, width), dtype=torch.uint8, device=device)
        self.labels = torch.full((count, height, width), UNKNOWN, dtype=torch.uint8, device=device)
        for i, (image, labels) in enumerate(samples):
            rows, columns = labels.shape
            pixels = torch.tensor(image, device=device)
            self.images[i, :, :rows, :columns] = pixels.permute(2, 0, 1)
            self.labels[i, :rows, :columns] = torch.tensor(labels, device=device)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """See `Batches.epoch`; the tensors are on the device."""
        return map(self._batch, self.draws(epoch))

    def _batch(self, draws: list[Draw]) -> Batch:
        indices = torch.tensor([draw.index for draw in draws], device=self.device)
        images, labels = self.images[indices].float(), self.labels[indices]
        drawn = []
        for i, draw in enumerate(draws):
            size = self.sizes[draw.index]
            if self.objects is not None:
                for placement in self.objects.draw(size, self.config.paste, draw.rng):
                    _paste(images[i], labels[i], placement, size)
            one = draw_augmentation(self.config, size, draw.rng)
            if one.damage is not None:
                frame = images[i, :, : size[1], : size[0]]
                frame.copy_(degrade_tensor(frame, one.damage))
            drawn.append(one)
        pictures, ids = warp(images, labels, [d.matrix for d in drawn], self.config.crop)
        tones = [d.tone for d in drawn if d.tone is not None]
        if tones:
            pictures = apply_tones(pictures, tones)
        for i, one in enumerate(drawn):
            if one.shadow is not None:
                light = shadow_light(one.shadow, self.config.crop)
                pictures[i] *= torch.from_numpy(light).to(self.device)
        return pictures.round().to(torch.uint8).permute(0, 2, 3, 1), ids


def warp(
    images: Tensor,
    labels: Tensor,
    matrices: Sequence[NDArray[np.float64]],
    crop: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Warp images bilinearly and labels to the nearest, all in one call each.

    Args:
        images: (N, 3, H, W) float.
        labels: (N, H, W) uint8.
        matrices: of each, (2, 3), from frame to crop; see `Augmentation`.
        crop: (width, height) of the result.

    Returns:
        (N, 3, height, width) float, whole numbers, and (N, height, width) uint8; beyond the
        frames 0 and 255.

    """
    height, width = labels.shape[-2:]
    full = [np.vstack([matrix, [0, 0, 1]]) for matrix in matrices]
    inverse = torch.tensor(np.linalg.inv(full)[:, :2], dtype=torch.float32, device=images.device)
    x = torch.arange(crop[0], device=images.device, dtype=torch.float32)
    y = torch.arange(crop[1], device=images.device, dtype=torch.float32)
    rows, columns = torch.meshgrid(y, x, indexing='ij')
    points = torch.stack([columns, rows, torch.ones_like(rows)], -1)
    source = torch.einsum('nij,hwj->nhwi', inverse, points)
    # grid_sample counts from -1 to 1, from border to border.
    grid = (2 * source + 1) / source.new_tensor([width, height]) - 1
    warped = functional.grid_sample(images, grid, mode='bilinear', align_corners=False)
    # Beyond the frame it gives 0, which stands for void in the labels' complement.
    complement = (UNKNOWN - labels.float())[:, None]
    nearest = functional.grid_sample(complement, grid, mode='nearest', align_corners=False)
    return warped.round(), (UNKNOWN - nearest[:, 0]).to(torch.uint8)


def apply_tones(pictures: Tensor, tones: Sequence[Tone]) -> Tensor:
    """Change the colours of (N, 3, H, W) float RGB in 0..255, each by its own tone."""
    tables = torch.tensor(np.stack([t.table for t in tones]), device=pictures.device).float()
    index = pictures.long().flatten(2)
    toned = tables.permute(0, 2, 1).gather(2, index).reshape(pictures.shape)
    luma = np.array([0.299, 0.587, 0.114])
    matrices = [
        (t.saturation * np.eye(3) + (1 - t.saturation) * luma) @ hue_matrix(t.hue) for t in tones
    ]
    colors = torch.tensor(np.stack(matrices), dtype=torch.float32, device=pictures.device)
    return torch.einsum('nij,njhw->nihw', colors, toned).clamp(0, 255).round()


def _paste(image: Tensor, labels: Tensor, placement: Placement, size: tuple[int, int]) -> None:
    """Paste in place into (3, H, W) float and (H, W) uint8, as `paste.paste` does."""
    picture, ids = fitted(placement)
    inside, window = placement.windows((size[1], size[0]))
    if ids[inside].size == 0:
        return
    device = image.device
    pixels = torch.tensor(picture[inside], device=device).permute(2, 0, 1)
    mask = ids[inside] != UNKNOWN
    alpha = torch.from_numpy(soft_mask(mask)).to(device)
    covered = torch.from_numpy(mask).to(device)
    below = labels[window]
    # Decided on the device: asking would wait for it.
    void = ((below == UNKNOWN) & covered).sum()
    use = (void <= MOST_VOID * covered.sum()) & covered
    alpha = alpha * use
    target = image[:, window[0], window[1]]
    target.copy_((alpha * pixels + (1 - alpha) * target).round())
    below.copy_(torch.where(use, torch.tensor(ids[inside], device=device), below))
