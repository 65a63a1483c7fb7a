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
"""From images to full-size predictions by a bare network, without the engine.

Fast-SCNN's paper names the two ways to end: `cls`, the class of each pixel, and `prob`, the
probability of each class (sec. 3.2.4). They serve every network. For frames of a camera use
`inference.Segmenter`, whose labels are `cls`, and whose confidence is the winner's `prob`.
"""

import torch
from torch import Tensor

from spssn_ros.models.blocks import resize
from spssn_ros.models.network import Network


def predict_labels(network: Network, images: Tensor) -> Tensor:
    """Return the class of each pixel (`cls`), (N, H, W) uint8.

    Args:
        network: in evaluation mode.
        images: (N, 3, H, W) float, normalised as in training, on the network's device.

    """
    return _full_size_logits(network, images).argmax(1).to(torch.uint8)


def predict_probabilities(network: Network, images: Tensor) -> Tensor:
    """Return the probability of each class at each pixel (`prob`), (N, num_classes, H, W) float.

    Arguments as for `predict_labels`.
    """
    return _full_size_logits(network, images).softmax(1)


@torch.inference_mode()
def _full_size_logits(network: Network, images: Tensor) -> Tensor:
    return resize(network(images).float(), (images.shape[-2], images.shape[-1]))
