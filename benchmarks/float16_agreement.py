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
"""What float16, as CUDA takes it, costs in agreement: told by a CPU, where there is no GPU.

    python benchmarks/float16_agreement.py --data CAMVID --weights W [W...] [--every 10]
        [--json FILE]

Runs the CUDA backend's own code on the CPU, whose float16 rounds as a GPU's but takes half a
minute a frame at 960x720, and compares its labels with those of eager PyTorch in float32. Scores
every tenth frame of val. With a GPU, `spssn benchmark engine --camvid CAMVID --device cuda` tells
it of all frames. Prints Markdown.
"""

import argparse
import contextlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spssn_ros.benchmarking.baseline import EagerPyTorch
from spssn_ros.benchmarking.camvid_scores import Score, compare
from spssn_ros.benchmarking.engine_calls import Engine
from spssn_ros.datasets.camvid import find_camvid
from spssn_ros.datasets.sample import read_pair
from spssn_ros.files import write_whole
from spssn_ros.inference import InputSize, Segmentation
from spssn_ros.inference.config import Precision
from spssn_ros.inference.cuda_backend import CudaBackend
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.machine import describe_machine
from spssn_ros.models import Network, WeightsInfo, load_weights

_AS_IN_THE_NODE = InputSize()


class CpuQueue:
    """Stands in for CUDA's streams: what is queued is done at once, on the CPU."""

    device = torch.device('cpu')

    def host_buffer(self, shape: tuple[int, ...]) -> Tensor:
        """See `DeviceQueue.host_buffer`."""
        return torch.empty(shape, dtype=torch.uint8)

    def entered(self) -> AbstractContextManager[object]:
        """See `DeviceQueue.entered`."""
        return contextlib.nullcontext()

    uploading = entered

    def prepare(self, work: Callable[[], None]) -> Callable[[], None]:
        """See `DeviceQueue.prepare`: nothing to warm up."""
        return work

    def mark(self) -> Callable[[], None]:
        """See `DeviceQueue.mark`."""
        return self.wait

    def wait(self) -> None:
        """See `DeviceQueue.wait`."""

    def release(self) -> None:
        """See `DeviceQueue.release`."""


def main() -> None:
    """Score, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', type=Path, required=True, metavar='CAMVID')
    parser.add_argument('--weights', nargs='+', required=True)
    parser.add_argument('--every', type=int, default=10, metavar='N', help='every Nth frame')
    parser.add_argument('--json', type=Path, help='file to write')
    arguments = parser.parse_args()
    if arguments.every < 1:
        parser.error(f'--every is {arguments.every}; give at least 1')
    results: dict[str, dict[str, Score]] = {}
    print('| differing %, mIoU % | float32 | float16 |\n| --- | --- | --- |')
    for weights in arguments.weights:
        scores = score(weights, arguments.data, arguments.every)
        results[Path(weights).stem] = scores
        cells = (f'{100 * s.differing:.3f}, {100 * s.miou:.2f}' for s in scores.values())
        print(f'| `{weights}` | {" | ".join(cells)} |', flush=True)
    if arguments.json:
        found = {
            name: {key: asdict(score) for key, score in scores.items()}
            for name, scores in results.items()
        }
        text = json.dumps({'machine': describe_machine(), 'results': found}, indent=1) + '\n'
        write_whole(arguments.json, text.encode())


class OnCpu:
    """The CUDA backend in float16, over a queue for the CPU."""

    description = 'float16'

    def __init__(self, model: Network, info: WeightsInfo) -> None:
        self._backend = CudaBackend(
            FromUint8.deployed(model, info), Precision.FLOAT16, queue=CpuQueue()
        )
        self._trained, self._stride = info.input_size, model.output_stride

    def __call__(self, rgb: NDArray[np.uint8], with_confidence: bool = False) -> Segmentation:
        """Segment (H, W, 3) uint8 RGB."""
        frame = (rgb.shape[1], rgb.shape[0])
        entering = _AS_IN_THE_NODE.for_frame(frame, self._trained, self._stride)
        return self._backend.segment(rgb, entering, frame, with_confidence)


def score(weights: str, camvid: Path, every: int) -> dict[str, Score]:
    """Return the scores of float32 and float16 on every `every`th frame of val."""
    model, info = load_weights(weights)
    engines: list[Engine] = [
        EagerPyTorch(model, info, input_size=_AS_IN_THE_NODE),
        OnCpu(model, info),
    ]
    samples = find_camvid(camvid, 'val')[::every]
    scores = compare(engines, map(read_pair, samples), len(samples), len(info.label_set))
    return dict(zip(('float32', 'float16'), scores.values(), strict=True))


if __name__ == '__main__':
    main()
