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
"""`spssn calibrate`: make the confidence of a weights file honest."""

import argparse
import dataclasses
from pathlib import Path

from tqdm import tqdm

from spssn_ros.bags.labelled import IMAGE_TOPIC, LABEL_TOPIC
from spssn_ros.evaluation.evaluate import EvaluationConfig
from spssn_ros.evaluation.temperature import calibrate
from spssn_ros.evaluation.truth import TruthFormat
from spssn_ros.files import check_file_target
from spssn_ros.inference.config import InputSize
from spssn_ros.models import load_weights, save_weights
from spssn_ros.tools.options import add_copy_options, add_pairing_options, input_size_note


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'calibrate',
        help="fit a weights file's temperature, so that its confidence means something",
        description='Fit the temperature by which the logits are divided (temperature scaling) '
        'on bags with truth that the network has not been trained on, and store it in a copy of '
        'the weights, which holds floats alone: `spssn quantize` comes after it. No label '
        'changes; the confidence does. See the effect with `spssn evaluate --calibration`.',
    )
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='bag folder or file')
    parser.add_argument('--image-topic', default=IMAGE_TOPIC, help='default: %(default)s')
    parser.add_argument('--label-topic', default=LABEL_TOPIC, help='default: %(default)s')
    add_pairing_options(parser)
    add_copy_options(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate; return the exit status."""
    config = EvaluationConfig(
        args.bags,
        [args.image_topic],
        [args.label_topic],
        truth=TruthFormat(args.truth),
        slop_ms=args.slop,
        # Which temperature fits does not depend on them, so that they may be missing.
        instance_topics=(),
    )
    # Not after minutes of work.
    check_file_target(args.output)
    model, info = load_weights(args.weights)
    with tqdm(unit='frame', disable=None) as bar:
        fit = calibrate(config, model, info, InputSize.parse(args.input_size), bar.update)
    save_weights(args.output, model, dataclasses.replace(info, temperature=fit.temperature))
    print(
        f'temperature {fit.temperature:.4f} by {fit.frames} frames: expected calibration error '
        f'{fit.error_before:.2%} -> {fit.error_after:.2%}; written to {args.output}'
        + input_size_note(args.input_size)
    )
    return 0
