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
"""What copying and converting a frame costs by threads, at once and at a camera's pace.

    python benchmarks/host_copies.py [--threads 1 4 16] [--rate 60] [--json FILE]

A GPU's engine copies frames into pinned memory, and the node converts bgr8 to RGB, both of which
PyTorch and OpenCV share out among threads. Prints Markdown, by --rate frames a second and back to
back: median and 95th percentile of a frame, milliseconds, and how many cores are busy all the
while; most of that are threads that wait for work.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from spssn_ros.benchmarking.timing import Timing
from spssn_ros.files import write_whole
from spssn_ros.inference.config import size_text
from spssn_ros.machine import describe_machine
from spssn_ros.synthetic import StreetScene

SIZES = ((480, 360), (2048, 1024))
SECONDS = 0.5


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 4, 16])
    parser.add_argument('--rate', type=float, default=60.0, help='of the camera, Hz')
    parser.add_argument('--json', type=Path, help='file to write')
    arguments = parser.parse_args()
    results = []
    print('| frame | work | ms, 95th percentile, cores: at the rate | back to back |')
    print('| --- | --- | --- | --- |')
    for size in SIZES:
        for name, threads, work in _works(size, arguments.threads):
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
            found = {
                key: _paced(work, rate)
                for key, rate in (('at_the_rate', arguments.rate), ('back_to_back', 0.0))
            }
            cells = ['{ms}, {p95_ms}, {cores}'.format(**values) for values in found.values()]
            print(f'| {size_text(size)} | {name} | {" | ".join(cells)} |', flush=True)
            results.append({'size': size_text(size), 'work': name, **found})
    if arguments.json:
        report = {'machine': describe_machine(), 'rate_hz': arguments.rate, 'results': results}
        write_whole(arguments.json, (json.dumps(report, indent=2) + '\n').encode())


def _works(
    size: tuple[int, int], threads: list[int]
) -> list[tuple[str, int, Callable[[], object]]]:
    frame = StreetScene(0, *size).render(0.0)[0]
    pinned = torch.empty(frame.shape, dtype=torch.uint8, pin_memory=torch.cuda.is_available())
    tensor, array = torch.from_numpy(frame), pinned.numpy()
    works: list[tuple[str, int, Callable[[], object]]] = [
        ('copy by NumPy', 1, partial(np.copyto, array, frame))
    ]
    kinds: dict[str, Callable[[], object]] = {
        'copy by PyTorch': partial(pinned.copy_, tensor),
        'bgr8 to RGB by OpenCV': partial(cv2.cvtColor, frame, cv2.COLOR_BGR2RGB),
    }
    for name, work in kinds.items():
        works += [(f'{name}, {n} thread{"s" * (n > 1)}', n, work) for n in threads]
    return works


def _paced(work: Callable[[], object], rate_hz: float) -> dict[str, float]:
    """Time the work, called at a rate, or at once again for 0."""
    times_ms: list[float] = []
    cpu_s, start_s = time.process_time(), time.monotonic()
    while (now_s := time.monotonic() - start_s) < SECONDS:
        if rate_hz:
            time.sleep(max(0.0, len(times_ms) / rate_hz - now_s))
        begun_s = time.perf_counter()
        work()
        times_ms.append((time.perf_counter() - begun_s) * 1e3)
    timing = Timing.of(times_ms)
    return {
        'ms': round(timing.median_ms, 2),
        'p95_ms': round(timing.p95_ms, 2),
        'cores': round((time.process_time() - cpu_s) / (time.monotonic() - start_s), 2),
    }


if __name__ == '__main__':
    main()
