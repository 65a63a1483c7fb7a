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
"""`spssn quantize`: add a graph of 8-bit integers to a weights file."""

import argparse
import dataclasses
from pathlib import Path

from tqdm import tqdm

from spssn_ros.bags.labelled import IMAGE_TOPIC, LABEL_TOPIC
from spssn_ros.evaluation.camera_topic import camera_topic_in
from spssn_ros.evaluation.quantization import (
    CalibrationFrames,
    Cost,
    QuantizationConfig,
    cost,
)
from spssn_ros.evaluation.truth import TruthFormat
from spssn_ros.files import check_file_target
from spssn_ros.inference import InferenceConfig, Segmenter
from spssn_ros.inference.config import BackendName, Device, InputSize, Precision, size_text
from spssn_ros.inference.quantize import import_nncf, quantize
from spssn_ros.models import load_weights, save_weights
from spssn_ros.tools.options import (
    add_copy_options,
    add_pairing_options,
    input_size_note,
    slop_ns_of,
)


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'quantize',
        help='add 8-bit integers to a weights file, for precision int8 on the CPU',
        description='Quantise a network to 8-bit integers by NNCF, with ranges from frames of a '
        'bag, and write a weights file that holds them beside the floats. Precision int8 takes '
        'them for frames of that one input size, which OpenVINO on the CPU then runs faster. At '
        'the end it tells what that costs on frames of the bag that were not calibrated on.',
    )
    parser.add_argument('bag', type=Path, metavar='BAG', help='bag folder or file')
    parser.add_argument('--image-topic', default=IMAGE_TOPIC, help='default: %(default)s')
    parser.add_argument(
        '--label-topic', default='', help=f'truth; default: {LABEL_TOPIC} if the bag has it'
    )
    add_pairing_options(parser)
    add_copy_options(parser)
    parser.add_argument(
        '--frames',
        type=int,
        default=QuantizationConfig.frames,
        metavar='N',
        help='frames to calibrate on, evenly spaced; at most half of the bag is taken; default: '
        '%(default)s',
    )
    parser.add_argument(
        '--half', action='store_true', help='store the floats in float16, in half the space'
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Quantise; return the exit status."""
    config = QuantizationConfig(
        args.bag,
        args.image_topic,
        args.label_topic,
        args.frames,
        TruthFormat(args.truth),
        slop_ns_of(args),
    )
    # Not after minutes of work.
    check_file_target(args.output)
    topic = camera_topic_in(args.bag, args.image_topic)
    config = dataclasses.replace(config, image_topic=topic)
    model, info = load_weights(args.weights)
    config.truth.check(info.label_set)
    import_nncf()
    engine = InferenceConfig(
        Device.CPU, BackendName.OPENVINO, input_size=InputSize.parse(args.input_size)
    )
    floats = Segmenter(model, info, engine)
    with tqdm(unit='frame', disable=None) as bar:
        frames = CalibrationFrames(config, floats.input_size_for, bar.update)
        bar.total = frames.count
        graph = quantize(model, info, frames.size, frames, frames.count)
    integers = Segmenter(model, info, dataclasses.replace(engine, precision=Precision.INT8), graph)
    with tqdm(unit='frame', disable=None) as bar:
        found = cost(config, frames.stamps_ns, floats, integers, bar.update)
    save_weights(args.output, model, info, graph, args.half)
    print(
        f'quantised for {size_text(frames.size)} by {frames.count} frames; {_text(found)}; '
        f'written to {args.output}{input_size_note(args.input_size)}'
    )
    return 0


def _text(cost: Cost) -> str:
    if not cost.frames:
        return 'no frame was left to tell what it costs'
    text = (
        f'on {cost.frames} others {cost.differing:.2%} of the labels differ from those of floats'
    )
    if cost.miou_before is None or cost.miou_after is None:
        return text
    return f'{text}, mIoU {cost.miou_before:.2%} -> {cost.miou_after:.2%}'
