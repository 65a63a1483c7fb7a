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
"""What a larger network input gives and costs: mIoU and time of CamVid weights, by input size.

    python benchmarks/input_sizes.py --data CAMVID --weights W [W...] [--sizes WxH ...]
        [--precision auto] [--iterations 40] [--json FILE]

Scores val and the last fifth of each drive of train, neither of which stage 1 of the shipped
recipe has seen, and times calls of `Segmenter`, from a frame to its labels, in turns. Prints
Markdown.
"""

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.benchmarking.engine_calls import Calls, take_turns
from spssn_ros.evaluation import ConfusionMatrix
from spssn_ros.files import write_whole
from spssn_ros.inference import Segmenter
from spssn_ros.machine import describe_machine
from spssn_ros.training.augment import Sample
from spssn_ros.training.checkpoint import summary
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.samples import read_data

_SIZES = ('480x360', '576x432', '640x480', '720x544', '800x600', '960x720')
_SPLITS = TrainConfig(train_splits=('train',), val_split='val', holdout=0.2)


def main() -> None:
    """Score, time, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', type=Path, required=True, metavar='CAMVID')
    parser.add_argument('--weights', nargs='+', required=True)
    parser.add_argument('--sizes', nargs='+', default=_SIZES, metavar='WxH')
    parser.add_argument('--precision', default='auto', help='as of spssn evaluate')
    parser.add_argument('--iterations', type=int, default=40)
    parser.add_argument('--json', type=Path, help='file to write')
    arguments = parser.parse_args()
    data = read_data(_SPLITS, arguments.data)
    splits = {'val': data.val, 'last fifths': data.holdout}
    results: dict[str, Any] = {}
    for weights in arguments.weights:
        segmenters = {
            size: Segmenter.from_weights(weights, input_size=size, precision=arguments.precision)
            for size in arguments.sizes
        }
        rows: dict[str, Any] = {
            name: {size: _score(found, samples) for size, found in segmenters.items()}
            for name, samples in splits.items()
        }
        images = itertools.cycle(image for image, _ in data.val)
        calls: Calls = {
            size: partial(_label_next, found, images) for size, found in segmenters.items()
        }
        times = take_turns(calls, arguments.iterations)
        rows['time'] = {size: asdict(timing) for size, timing in times.items()}
        rows['engine'] = next(iter(segmenters.values())).description
        results[Path(weights).stem] = rows
    print(markdown(results))
    if arguments.json:
        text = json.dumps({'machine': describe_machine(), 'results': results}, indent=1) + '\n'
        write_whole(arguments.json, text.encode())


def _score(segmenter: Segmenter, samples: Sequence[Sample]) -> dict[str, Any]:
    matrix = ConfusionMatrix(len(segmenter.label_set))
    for image, truth in samples:
        matrix.update(truth, segmenter(image).labels)
    return summary(matrix, segmenter.label_set)


def _label_next(segmenter: Segmenter, images: Iterator[NDArray[np.uint8]]) -> None:
    segmenter(next(images))


def markdown(results: dict[str, Any]) -> str:
    """Return a table for each weights file, a column for each size."""
    tables = []
    for weights, rows in results.items():
        sizes = list(rows['val'])
        lines = [
            f'| `{weights}` | {" | ".join(sizes)} |',
            '| --- |' + ' --- |' * len(sizes),
        ]
        for name in ('val', 'last fifths'):
            cells = (f'{100 * rows[name][size]["miou"]:.1f}' for size in sizes)
            lines.append(f'| {name}, mIoU % | {" | ".join(cells)} |')
        cells = (f'{rows["time"][size]["median_ms"]:.1f}' for size in sizes)
        lines.append(f'| ms, median | {" | ".join(cells)} |')
        tables.append('\n'.join(lines))
    return '\n\n'.join(tables)


if __name__ == '__main__':
    main()
