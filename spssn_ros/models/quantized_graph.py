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
"""The 8-bit graph that a weights file may hold beside the float tensors.

It is OpenVINO's IR, for frames of one size, as two tensors of bytes; here nobody looks into it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

METADATA_KEY = 'int8'
XML_KEY, BIN_KEY = 'int8.xml', 'int8.bin'


@dataclass(frozen=True)
class QuantizedGraph:
    """A network in 8-bit integers.

    Attributes:
        size: (width, height) in pixels of the frames that enter it.
        xml: the IR's structure.
        weights: the IR's constants.
        frames: number of frames by which it was calibrated.
        versions: of the programs that made it, by name.

    """

    size: tuple[int, int]
    xml: bytes = field(repr=False)
    weights: bytes = field(repr=False)
    frames: int
    versions: Mapping[str, str]

    def digest(self) -> str:
        """Return the SHA-256 of the graph, hexadecimal."""
        return hashlib.sha256(self.xml + self.weights).hexdigest()

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the graph as (N,) uint8 tensors by key."""
        parts = {XML_KEY: self.xml, BIN_KEY: self.weights}
        return {k: torch.frombuffer(bytearray(v), dtype=torch.uint8) for k, v in parts.items()}

    def to_metadata(self) -> dict[str, str]:
        """Return what is known of the graph: JSON text by key."""
        known = {'input_size': self.size, 'frames': self.frames, 'sha256': self.digest()}
        return {METADATA_KEY: json.dumps(known | dict(self.versions))}

    @classmethod
    def of(cls, metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> 'QuantizedGraph':
        """Rebuild from `to_metadata` and `to_tensors`.

        Raises:
            LookupError, ValueError, TypeError, OverflowError, RecursionError: a part is missing
                or damaged.

        """
        known = dict(json.loads(metadata[METADATA_KEY]))
        xml, weights = (_bytes(tensors[key]) for key in (XML_KEY, BIN_KEY))
        width, height = (int(side) for side in known.pop('input_size'))
        frames, promised = int(known.pop('frames')), known.pop('sha256')
        versions = {str(name): str(version) for name, version in known.items()}
        graph = cls((width, height), xml, weights, frames, versions)
        # OpenVINO does not survive every damage.
        if graph.digest() != promised:
            raise ValueError('its SHA-256 is not that in the metadata')
        return graph


def _bytes(tensor: Tensor) -> bytes:
    if tensor.dtype is not torch.uint8 or tensor.dim() != 1:
        raise ValueError(f'{tuple(tensor.shape)} {tensor.dtype} is no row of bytes')
    return tensor.numpy().tobytes()
