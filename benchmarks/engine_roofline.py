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
"""What the network must compute and move for a frame, beside what this machine can.

    python benchmarks/engine_roofline.py [--sizes 480x360,2048x1024] [--cpu-threads 2]

The limits are measured: a product of two large matrices, and a copy of more than the caches hold.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from spssn_ros.benchmarking import count_gflops
from spssn_ros.inference.config import size_text
from spssn_ros.inference.cpu_precision import cpu_precision
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.inference.openvino_backend import OpenVinoBackend
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.models import Normalisation, create_model
from spssn_ros.tools.benchmark_report import parse_sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sizes', default='480x360,960x720,2048x1024')
    parser.add_argument('--cpu-threads', type=int, default=0)
    parser.add_argument('--iterations', type=int, default=30)
    args = parser.parse_args()
    precision = cpu_precision()
    torch.manual_seed(0)
    model = create_model('spssn').eval()
    network = FromUint8(fold_batch_norm(model), Normalisation()).eval()
    backend = OpenVinoBackend(network, precision, args.cpu_threads)
    dtype = getattr(torch, precision.value)
    gflops, gbytes = matmul_gflops(dtype), copy_gbytes()
    print(f'{os.cpu_count()} CPUs, {backend.threads} threads, {backend.description}')
    print(f'limits: {gflops:.0f} GFLOP/s ({precision.value} product), {gbytes:.1f} GB/s (copy)')
    print('size, GFLOP, activations MB, least ms (compute, memory), network ms, share of limit')
    for size in parse_sizes(args.sizes):
        frame = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
        operations = count_gflops(model, size)
        moved = activation_bytes(network, frame, torch.finfo(dtype).bits // 8)
        compute_ms, memory_ms = 1e3 * operations / gflops, moved / gbytes / 1e6
        network_ms = fastest_ms(partial(backend.logits, frame), args.iterations)
        print(
            f'{size_text(size)}, {operations:.2f}, {moved / 1e6:.0f}, '
            f'{compute_ms:.1f}, {memory_ms:.1f}, {network_ms:.1f}, '
            f'{max(compute_ms, memory_ms) / network_ms:.0%}'
        )


def fastest_ms(call: Callable[[], object], iterations: int) -> float:
    """Return the time of the fastest call, which other programs disturbed least."""
    times = []
    for _ in range(iterations + 1):
        start_s = time.perf_counter()
        call()
        times.append(time.perf_counter() - start_s)
    return 1e3 * min(times[1:])


def matmul_gflops(dtype: torch.dtype, side: int = 2048) -> float:
    a, b = torch.rand(side, side).to(dtype), torch.rand(side, side).to(dtype)
    out = torch.empty_like(a)
    return 2e-6 * side**3 / fastest_ms(lambda: torch.mm(a, b, out=out), 10)


def copy_gbytes(megabytes: int = 512) -> float:
    source = torch.zeros(megabytes << 18)
    target = torch.empty_like(source)
    # Read and written.
    return 2e-6 * source.nbytes / fastest_ms(lambda: target.copy_(source), 10)


@torch.inference_mode()
def activation_bytes(network: nn.Module, frame: np.ndarray, element_bytes: int) -> int:
    """Return the bytes that layers read and write, each activation once a layer.

    Those of convolutions and pools; additions and activation functions are part of them where a
    compiler fuses.
    """
    moved = 0

    def count(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal moved
        moved += (inputs[0].numel() + output.numel()) * element_bytes

    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    network(torch.from_numpy(frame[None]))
    for hook in hooks:
        hook.remove()
    return moved


if __name__ == '__main__':
    main()
