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
"""A trained network that another one learns from: knowledge distillation."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from spssn_ros.errors import ConfigError
from spssn_ros.inference.config import BackendName, Device, InferenceConfig
from spssn_ros.inference.plan import plan
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.labels import LabelSet
from spssn_ros.models import WeightsInfo, find_weights, load_weights
from spssn_ros.training.arithmetic import Arithmetic
from spssn_ros.training.config import TrainConfig


def check_teacher(path: Path, info: WeightsInfo, label_set: LabelSet) -> None:
    """Check that a teacher's weights are of the training data's classes.

    Raises:
        ConfigError: they are not.

    """
    if info.label_set.names != label_set.names:
        raise ConfigError(
            f'teacher {path} has the classes {", ".join(info.label_set.names)}; the data has '
            f'{", ".join(label_set.names)}; give weights of the same'
        )


class Teacher:
    """What the network of `config.teacher` says of training images.

    Its logits are calibrated: divided by the temperature of its weights.

    Args:
        config: teacher, teacher_scale.
        label_set: of the training data.
        arithmetic: device and precision.

    Attributes:
        network: batch norm folded.
        sentence: which weights it has.

    Raises:
        ConfigError: the weights have other classes.
        WeightsError: the file is missing or not one.

    """

    def __init__(self, config: TrainConfig, label_set: LabelSet, arithmetic: Arithmetic) -> None:
        path = find_weights(config.teacher)
        model, info = load_weights(path)
        check_teacher(path, info, label_set)
        self.sentence = f'taught by {path}'
        network = FromUint8.deployed(model, info).to(arithmetic.device)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._arithmetic, self._scale = arithmetic, config.teacher_scale
        self._engine = None
        if (
            arithmetic.device.type == 'cpu'
            and plan(InferenceConfig(device=Device.CPU)).backend is BackendName.OPENVINO
        ):
            # Need not be installed. Several times as fast, for a large teacher most of a step.
            from spssn_ros.inference.openvino_backend import OpenVinoBackend

            threads = torch.get_num_threads()
            self._engine = OpenVinoBackend(network, arithmetic.precision, threads)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Return float32 logits (N, C, h, w) of (N, H, W, 3) uint8 images, enlarged first."""
        height, width = (round(side * self._scale) for side in images.shape[1:3])
        if self._engine is not None:
            frames = (resize_frame(image, (width, height)) for image in images.numpy())
            return torch.stack([torch.tensor(self._engine.logits(frame)) for frame in frames])
        planes = images.permute(0, 3, 1, 2).float()
        planes = functional.interpolate(planes, (height, width), mode='bilinear')
        with self._arithmetic.autocast():
            logits: Tensor = self.network(planes.permute(0, 2, 3, 1))
        return logits.float()
