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
"""What the engine is compared with: the plain way to run a network in PyTorch."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from spssn_ros.inference import Segmentation
from spssn_ros.inference.config import Device, InputSize
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.models import Network, WeightsInfo

AS_THEY_ARE = InputSize(native=True)


class EagerPyTorch:
    """Channels last, float32, batch norm as trained, all logits upsampled, then argmax.

    Args:
        model: the network, of which it takes a copy.
        info: of its weights.
        device: where it runs.
        input_size: at which frames enter the network; by default as they are.

    """

    def __init__(
        self,
        model: Network,
        info: WeightsInfo,
        device: Device = Device.CPU,
        input_size: InputSize = AS_THEY_ARE,
    ) -> None:
        self.device = device.value
        self._input_size, self._trained = input_size, info.input_size
        self._stride = model.output_stride
        self.description = f'eager PyTorch float32 on {self.device}'
        # Neither the device nor the memory format of the caller's own changes.
        network = FromUint8(copy.deepcopy(model), info.normalisation, info.temperature).eval()
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, rgb: NDArray[np.uint8], with_confidence: bool = False) -> Segmentation:
        """Segment (H, W, 3) uint8 RGB, contiguous and writeable; labels have its size."""
        height, width = rgb.shape[:2]
        size = self._input_size.for_frame((width, height), self._trained, self._stride)
        frame = resize_frame(rgb, size)
        logits = self.network(torch.from_numpy(frame[None]).to(self.device))
        upsampled = functional.interpolate(
            logits, (height, width), mode='bilinear', align_corners=False
        )[0]
        labels = upsampled.argmax(0).to(torch.uint8).cpu().numpy()
        if not with_confidence:
            return Segmentation(labels)
        probability = upsampled.softmax(0).amax(0)
        return Segmentation(labels, (probability * 255).round().to(torch.uint8).cpu().numpy())
