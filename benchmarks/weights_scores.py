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
"""The scores of weights files side by side, clean and degraded, and a picture of eight frames.

    python benchmarks/weights_scores.py BAG --weights W [W...] [--json FILE] [--picture FILE]

Prints Markdown: mIoU, class average, global average, expected calibration error, IoU by class, and
mIoU under each degradation. The picture, image | truth | prediction, is of the first weights.
"""

import argparse
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.bags.labelled import IMAGE_TOPIC, LABEL_TOPIC
from spssn_ros.errors import BagError
from spssn_ros.evaluation.distributed import Processes
from spssn_ros.evaluation.evaluate import EvaluationConfig, decoded_frames
from spssn_ros.evaluation.report import Run
from spssn_ros.evaluation.run import run_evaluation
from spssn_ros.files import write_whole
from spssn_ros.imaging import Painter, encode_png
from spssn_ros.inference import Segmenter
from spssn_ros.machine import describe_machine

_PICTURED = 8


def main() -> None:
    """Score, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('bag', type=Path, metavar='BAG')
    parser.add_argument('--weights', nargs='+', required=True)
    parser.add_argument('--json', type=Path, help='file to write')
    parser.add_argument('--picture', type=Path, help='PNG to write')
    arguments = parser.parse_args()
    scores: dict[str, Any] = {}
    for weights in arguments.weights:
        segmenter = Segmenter.from_weights(weights)
        config = EvaluationConfig(
            [arguments.bag], [IMAGE_TOPIC], [LABEL_TOPIC], calibration=True, robustness=True
        )
        run = Run('', '', {})
        result = run_evaluation(config, segmenter, weights, None, run, processes=Processes())
        scores[Path(weights).stem] = result.to_dict()
    print(markdown(scores))
    if arguments.json:
        text = json.dumps({'machine': describe_machine(), 'scores': scores}, indent=2) + '\n'
        write_whole(arguments.json, text.encode())
    if arguments.picture:
        segmenter = Segmenter.from_weights(arguments.weights[0])
        write_whole(arguments.picture, encode_png(picture(arguments.bag, segmenter)))


def markdown(scores: dict[str, Any]) -> str:
    """Return the three tables, a row for each weights file."""
    whole = ('miou', 'class_average', 'global_average', 'calibration_error')
    return '\n\n'.join(
        _table(columns, {name: [values[c] for c in columns] for name, values in rows.items()})
        for columns, rows in (
            (whole, scores),
            *(
                (tuple(next(iter(scores.values()))[key]), {n: v[key] for n, v in scores.items()})
                for key in ('iou', 'robustness')
            ),
        )
    )


def _table(columns: tuple[str, ...], rows: dict[str, list[float | None]]) -> str:
    lines = ['| % | ' + ' | '.join(name.replace('_', ' ') for name in columns) + ' |']
    lines.append('| --- |' + ' --- |' * len(columns))
    for name, values in rows.items():
        cells = ('-' if value is None else f'{value * 100:.1f}' for value in values)
        lines.append(f'| `{name}` | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def picture(bag: Path, segmenter: Segmenter) -> NDArray[np.uint8]:
    """Return eight frames, evenly spaced, in two columns of image | truth | prediction."""
    painter = Painter(segmenter.label_set)
    strips = []
    config = EvaluationConfig([bag], [IMAGE_TOPIC], [LABEL_TOPIC])
    (share,) = config.work()
    wanted = set(np.linspace(0, share.size - 1, _PICTURED).round().astype(int).tolist())
    with closing(decoded_frames(share, config, segmenter.label_set)) as frames:
        for number, frame in enumerate(frames):
            if number not in wanted or frame.rgb is None:
                continue
            panes = [frame.rgb, painter.color(frame.truth)]
            panes.append(painter.color(segmenter(frame.rgb).labels))
            # Every second pixel is enough on a page.
            strips.append(np.hstack([pane[::2, ::2] for pane in panes]))
    if not strips:
        raise BagError(f'bag {bag} has no pair of image and truth to show')
    gap = np.full((strips[0].shape[0], 8, 3), 255, np.uint8)
    columns = strips[::2], strips[1::2]
    return np.vstack([np.hstack([a, gap, b]) for a, b in zip(*columns, strict=False)])


if __name__ == '__main__':
    main()
