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
"""Does reading hold `spssn evaluate` up? Its frames a second beside those of the network alone.

    python benchmarks/evaluate_speed.py BAG [BAG...] [--runs 3] [--json FILE]

Evaluates every bag (images on /camera/image_raw or /camera/image_raw/compressed) and segments the
same frames, decoded beforehand, in turn; prints the medians and their ratio.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from spssn_ros.bags.labelled import COMPRESSED_TOPIC, IMAGE_TOPIC, LABEL_TOPIC
from spssn_ros.bags.reader import BagReader
from spssn_ros.evaluation.evaluate import EvaluationConfig, decode_image, evaluate
from spssn_ros.inference import Segmenter
from spssn_ros.machine import describe_machine


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG')
    parser.add_argument('--weights', default='spssn_camvid')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--json', type=Path, help='file to write')
    arguments = parser.parse_args()
    machine = describe_machine()
    segmenter = Segmenter.from_weights(arguments.weights)
    rows = []
    for bag in arguments.bags:
        with BagReader(bag) as reader:
            topic = COMPRESSED_TOPIC if COMPRESSED_TOPIC in reader.topics else IMAGE_TOPIC
            frames = [decode_image(item.message) for item in reader.messages([topic])]
        segmenter(frames[0])
        config = EvaluationConfig([bag], [topic], [LABEL_TOPIC])
        alone, whole = [], []
        for _ in range(arguments.runs):
            start = time.perf_counter()
            for frame in frames:
                segmenter(frame)
            alone.append(len(frames) / (time.perf_counter() - start))
            whole.append(evaluate(config, segmenter.label_set, segmenter).fps)
        row = {
            'bag': bag.name,
            'topic': topic,
            'frames': len(frames),
            'network_fps': round(statistics.median(alone), 1),
            'evaluate_fps': round(statistics.median(whole), 1),
            'ratio': round(statistics.median(w / a for w, a in zip(whole, alone, strict=True)), 3),
        }
        rows.append(row)
        print(
            f'{row["bag"]} {topic}: network alone {row["network_fps"]} frames/s, evaluate '
            f'{row["evaluate_fps"]}, ratio {row["ratio"]}'
        )
    if arguments.json:
        result = {'machine': machine, 'engine': segmenter.description, 'bags': rows}
        arguments.json.write_text(json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
    main()
