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
"""Augmentation by tensors gives what OpenCV gives, from the same draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from spssn_ros.imaging.degradation import Damage, Degradation, degrade, fixed_damage
from spssn_ros.labels import LabelSet
from spssn_ros.training import draw
from spssn_ros.training.augment import Sample
from spssn_ros.training.batches import HostBatches
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.device_augment import DeviceBatches
from spssn_ros.training.device_degrade import compress_jpeg, degrade_tensor
from spssn_ros.training.paste import RareObjects

CPU = torch.device('cpu')
LABELS = LabelSet(('a', 'b', 'c', 'rare'), ((0, 0, 0),) * 4)
Picture = Callable[..., np.ndarray]


@pytest.fixture(scope='module')
def samples(picture: Picture) -> list[Sample]:
    """Frames of two sizes, smooth with edges, whose labels follow from their colours."""
    found = []
    for i in range(6):
        width, height = ((96, 80), (72, 64))[i % 2]
        image = picture(width, height, seed=i)
        labels = (image[..., 0] // 86).astype(np.uint8)
        labels[30:40, 40:46] = 3
        image[30:40, 40:46] = (250, 10, 250)
        labels[:6] = 255
        found.append((image, labels))
    return found


def both(samples: list[Sample], epoch: int = 0, **values: Any) -> list[Any]:
    """Return the images and labels of an epoch by the device and by the host, as arrays."""
    config = TrainConfig(**({'crop': (64, 56), 'batch_size': 3, 'color': 0.0} | values))
    objects = RareObjects(samples, LABELS, ['rare']) if config.paste else None
    sources = (DeviceBatches(samples, config, objects, CPU), HostBatches(samples, config, objects))
    result = []
    for source in sources:
        batches = list(source.epoch(epoch))
        assert [images.shape for images, _ in batches] == [(3, 56, 64, 3)] * 2
        assert {tensor.dtype for batch in batches for tensor in batch} == {torch.uint8}
        result += [torch.cat([batch[part] for batch in batches]).numpy() for part in (0, 1)]
    return result


@pytest.mark.parametrize(
    'values',
    [
        {'scale': (1.0, 1.0)},
        {'scale': (0.5, 2.0)},
        {'scale': (0.75, 1.5), 'rotate_degrees': 20.0},
        {'scale': (0.9, 1.3), 'paste': 2.0},
    ],
)
def test_geometry_equals_opencv(samples: list[Sample], values: dict[str, Any]) -> None:
    for epoch in range(3):
        images, labels, host_images, host_labels = both(samples, epoch, **values)
        # OpenCV places samples to a 32nd of a pixel, so that ties at class borders fall apart.
        assert (labels == host_labels).mean() > 0.985
        difference = np.abs(images.astype(int) - host_images)
        assert difference.mean() < 0.6
        assert (difference > 12).mean() < 0.005
        assert ((labels == 255) == (host_labels == 255)).mean() > 0.985


def test_pasted_objects_are_there(samples: list[Sample]) -> None:
    plain = both(samples, scale=(1.0, 1.0))
    pasted = both(samples, scale=(1.0, 1.0), paste=3.0)
    for k in (1, 3):
        assert (pasted[k] == 3).sum() > 1.5 * (plain[k] == 3).sum()


@pytest.mark.parametrize(
    'values',
    [
        {'color': 0.4},
        {'hue': 30.0},
        {'color': 0.2, 'hue': 10.0, 'dusk': 1.0},
        {'shadows': 1.0},
    ],
)
def test_colours_equal_opencv(samples: list[Sample], values: dict[str, Any]) -> None:
    images, _, host_images, _ = both(samples, scale=(1.0, 1.0), **values)
    difference = np.abs(images.astype(int) - host_images)
    assert np.median(difference) <= 1
    assert difference.mean() < 2


@pytest.mark.parametrize(
    'damage', [Damage(Degradation.MOTION_BLUR, 25.0, 0.4), Damage(Degradation.LOW_RESOLUTION, 4.0)]
)
def test_frames_are_degraded_as_opencv_does_it(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    monkeypatch.setattr(draw, 'draw_damage', lambda rng: damage)
    # Enlarged, so that it matters what comes first.
    images, labels, host_images, host_labels = both(samples, scale=(2.5, 2.5), degrade=1.0)
    plain = both(samples, scale=(2.5, 2.5))
    np.testing.assert_array_equal(labels, plain[1])
    assert (labels == host_labels).mean() > 0.985
    change = np.abs(host_images.astype(int) - plain[2]).mean()
    assert np.abs(images.astype(int) - host_images).mean() < 0.15 * change


@pytest.mark.parametrize(
    'kind', [k for k in Degradation if k not in (Degradation.NOISE, Degradation.DARK)]
)
@pytest.mark.parametrize('size', [(96, 64), (90, 50)])
def test_degradations_equal_opencv(
    picture: Picture, kind: Degradation, size: tuple[int, int]
) -> None:
    image = picture(*size)
    wanted = degrade(image, fixed_damage(kind)).astype(float)
    tensor = torch.from_numpy(image).permute(2, 0, 1).float()
    found = degrade_tensor(tensor, fixed_damage(kind)).permute(1, 2, 0).numpy()
    assert found.shape == image.shape
    change = np.abs(image - wanted).mean()
    # JPEG encoders round chrominance in their own ways.
    part = 0.35 if kind is Degradation.JPEG else 0.1
    assert np.abs(found - wanted).mean() < part * change + 0.3


@pytest.mark.parametrize('amount', [1.5, 1.7, 2.37, 3.0])
def test_resolution_is_lowered_by_any_factor_as_opencv_does_it(
    picture: Picture, amount: float
) -> None:
    image, damage = picture(90, 50), Damage(Degradation.LOW_RESOLUTION, amount)
    tensor = torch.from_numpy(image).permute(2, 0, 1).float()
    found = degrade_tensor(tensor, damage).permute(1, 2, 0).numpy()
    assert np.abs(found - degrade(image, damage)).max() < 2


def test_noise_is_of_the_same_kind() -> None:
    gray = torch.full((3, 60, 80), 128.0)
    noisy = degrade_tensor(gray, Damage(Degradation.NOISE, 20.0, seed=4))
    assert float(noisy.std()) == pytest.approx(20, rel=0.03)
    again = degrade_tensor(gray, Damage(Degradation.NOISE, 20.0, seed=4))
    assert torch.equal(noisy, again)
    dark = degrade_tensor(gray, fixed_damage(Degradation.DARK))
    wanted = degrade(np.full((60, 80, 3), 128, np.uint8), fixed_damage(Degradation.DARK))
    assert float(dark.mean()) == pytest.approx(wanted.mean(), abs=0.5)
    assert float(dark.std()) == pytest.approx(wanted.std(), rel=0.05)


def test_better_jpeg_keeps_more(picture: Picture) -> None:
    tensor = torch.from_numpy(picture(64, 48)).permute(2, 0, 1).float()
    losses = [float((compress_jpeg(tensor, q) - tensor).abs().mean()) for q in (10, 30, 60, 95)]
    assert losses == sorted(losses, reverse=True)
    flat = torch.full((3, 20, 30), 77.0)
    assert float((compress_jpeg(flat, 30) - flat).abs().max()) < 4


def test_an_epoch_can_be_drawn_again(samples: list[Sample]) -> None:
    values = {'color': 0.3, 'degrade': 1.0, 'shadows': 0.5, 'paste': 1.0}
    first, again, other = (both(samples, epoch, **values)[0] for epoch in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
