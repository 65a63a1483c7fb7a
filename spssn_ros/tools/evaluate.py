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
"""`spssn evaluate`: score a network on bags."""

import argparse
import sys
from pathlib import Path

from spssn_ros.benchmarking.machine import describe_machine
from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.evaluate import EvaluationConfig
from spssn_ros.evaluation.report import Run, print_scores, read_earlier
from spssn_ros.evaluation.result import write_text
from spssn_ros.evaluation.run import run_evaluation, scored_classes
from spssn_ros.tools.options import add_engine_options, segmenter_from


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'evaluate',
        help='score a network, or recorded labels, on bags with truth',
        description='Segment the images of one or more bags and score the labels against the '
        "truth in them, paired by header stamp. Exit status: 0, 1 under --fail-under's mIoU, 2 "
        'on bad input.',
    )
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='bag folder or file')
    parser.add_argument('--image-topic', default='/camera/image_raw', help='default: %(default)s')
    parser.add_argument(
        '--label-topic',
        default='/camera/label_truth',
        help='truth, mono8 class ids, 255 void; default: %(default)s',
    )
    parser.add_argument(
        '--prediction-topic', default='', help='score the labels recorded here, not a network'
    )
    add_engine_options(parser)
    parser.add_argument('--json', metavar='FILE', help="write the scores; '-' for stdout")
    parser.add_argument('--report', type=Path, metavar='DIR', help='write a page, index.html')
    parser.add_argument(
        '--compare',
        type=Path,
        action='append',
        default=[],
        metavar='FILE',
        help="an earlier evaluation's JSON to show beside; may be given several times",
    )
    parser.add_argument(
        '--fail-under', type=float, metavar='MIOU', help='exit 1 if mIoU (0..1) is lower'
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate; return the exit status."""
    if args.fail_under is not None and not 0 <= args.fail_under <= 1:
        raise ConfigError(f'--fail-under is {args.fail_under}; give a fraction from 0 to 1')
    config = EvaluationConfig(args.bags, args.image_topic, args.label_topic, args.prediction_topic)
    compared = read_earlier(args.compare, scored_classes(config, args.weights))
    segmenter = None if args.prediction_topic else segmenter_from(args)
    this_run = Run(args.command_line, str(Path.cwd()), describe_machine())
    result = run_evaluation(config, segmenter, args.weights, args.report, this_run, compared)
    if args.json == '-':
        sys.stdout.write(result.to_json())
    else:
        print_scores(result, compared=compared)
        if args.json:
            write_text(Path(args.json), result.to_json())
    if args.report:
        print(f'report in {args.report / "index.html"}', file=sys.stderr)
    if args.fail_under is not None and not result.matrix.miou() >= args.fail_under:
        print(
            f'mIoU {result.matrix.miou():.4f} is under --fail-under {args.fail_under}',
            file=sys.stderr,
        )
        return 1
    return 0
