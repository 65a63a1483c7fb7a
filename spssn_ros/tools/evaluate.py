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
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from spssn_ros.bags.labelled import IMAGE_TOPIC, INSTANCE_TOPIC, LABEL_TOPIC
from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.distributed import Processes, join_processes
from spssn_ros.evaluation.evaluate import DEFAULT_WORKERS, EvaluationConfig
from spssn_ros.evaluation.report import Earlier, Run, print_scores, read_earlier
from spssn_ros.evaluation.result import EvaluationResult, check_targets, write_text
from spssn_ros.evaluation.run import run_evaluation, scored_classes
from spssn_ros.evaluation.threshold import Threshold
from spssn_ros.evaluation.truth import TruthFormat
from spssn_ros.imaging.degradation import Degradation
from spssn_ros.machine import describe_machine
from spssn_ros.tools.options import (
    add_engine_options,
    add_pairing_options,
    label_set_of,
    segmenter_from,
)


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'evaluate',
        help='score a network, or recorded labels, on bags with truth',
        description='Segment the images of one or more bags and score the labels against the '
        'truth in them, paired by header stamp. Exit status: 0; 1 if the mIoU is under '
        '--fail-under; 2 on bad input, or when a file cannot be written; 130 after Ctrl-C.',
    )
    parser.add_argument('bags', nargs='*', type=Path, metavar='BAG', help='bag folder or file')
    for option, text in (
        (
            '--image-topic',
            'raw or compressed images (where T is absent, T/compressed); several cameras: several '
            'topics. Default: ' + IMAGE_TOPIC,
        ),
        (
            '--label-topic',
            'truth, one for each image topic in their order. Default: ' + LABEL_TOPIC,
        ),
        (
            '--prediction-topic',
            'score the labels recorded here, not a network; one for each label topic',
        ),
    ):
        parser.add_argument(
            option, nargs='+', action='extend', default=[], metavar='TOPIC', help=text
        )
    add_pairing_options(parser)
    parser.add_argument(
        '--classes',
        help='what the ids of recorded predictions mean: camvid, cityscapes, or a file with one '
        'class a line, NAME or NAME R G B; default: label_info_json where it was recorded beside '
        "them, else the weights' classes",
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=DEFAULT_WORKERS,
        metavar='N',
        help='threads that decode images while the network works, 0 for none; the scores do not '
        'depend on it. Default: %(default)s',
    )
    parser.add_argument(
        '--categories',
        default='',
        metavar='FILE',
        help='score groups of classes too: a YAML file of `category: [class, ...]`, or '
        "cityscapes, which Cityscapes' classes have by default",
    )
    parser.add_argument(
        '--instance-topic',
        nargs='+',
        metavar='TOPIC',
        help="the truth's instances, mono16, for iIoU: Cityscapes' instanceIds, for other "
        'classes any number an instance and 0 for none; one for each label topic, or none. '
        f'Default: {INSTANCE_TOPIC} if there is one label topic and every bag has it',
    )
    parser.add_argument(
        '--degrade',
        choices=[kind.value for kind in Degradation],
        help='degrade every image first, at a fixed severity: how robust is the network?',
    )
    parser.add_argument(
        '--robustness',
        action='store_true',
        help='score each of these degradations too, and show their mIoU side by side',
    )
    parser.add_argument(
        '--calibration',
        action='store_true',
        help='compare confidence with accuracy: expected calibration error and, in the report, '
        'the reliability diagram',
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
    """Evaluate, alone or as one of the processes that torchrun started; return the status."""
    with join_processes() as processes:
        return _run(args, processes)


def _run(args: argparse.Namespace, processes: Processes) -> int:
    threshold = Threshold('--fail-under', args.fail_under)
    bags = args.bags or _bags_among_topics(args)
    if not bags:
        raise ConfigError('no bag is given; name the bags before the options')
    if args.classes and not args.prediction_topic:
        raise ConfigError('--classes is for --prediction-topic; a network has its own classes')
    config = EvaluationConfig(
        bags,
        args.image_topic or [IMAGE_TOPIC],
        args.label_topic or [LABEL_TOPIC],
        args.prediction_topic,
        TruthFormat(args.truth),
        args.slop,
        args.workers,
        () if args.instance_topic == ['none'] else args.instance_topic,
        args.categories,
        Degradation(args.degrade) if args.degrade else None,
        args.calibration,
        args.robustness,
    )
    if processes.is_first:
        # '-' is no file.
        check_targets(Path(args.json) if args.json not in (None, '', '-') else None, args.report)
    label_set = (
        label_set_of(args.classes) if args.classes else scored_classes(config, args.weights)
    )
    compared = read_earlier(args.compare, label_set)
    args.cpu_threads = processes.cpu_threads(args.cpu_threads)
    segmenter = None if args.prediction_topic else segmenter_from(args)
    this_run = Run(args.command_line, str(Path.cwd()), describe_machine())
    result = run_evaluation(
        config,
        segmenter,
        args.weights,
        args.report,
        this_run,
        compared,
        label_set,
        processes,
        functools.partial(_tell, args.json, compared),
    )
    missed = threshold.missed_by(result)
    if processes.is_first:
        if args.report:
            print(f'report in {args.report / "index.html"}', file=sys.stderr)
        if missed:
            print(missed, file=sys.stderr)
    return int(bool(missed))


def _bags_among_topics(args: argparse.Namespace) -> list[Path]:
    """Take out the bags that came behind a list of topics, as in --label-topic /truth BAG."""
    bags: list[Path] = []
    several = (args.image_topic, args.label_topic, args.prediction_topic, args.instance_topic)
    for topics in filter(None, several):
        while len(topics) > 1 and Path(topics[-1]).exists():
            bags.insert(0, Path(topics.pop()))
    return bags


def _tell(json: str | None, compared: Sequence[Earlier], result: EvaluationResult) -> None:
    if json == '-':
        sys.stdout.write(result.to_json())
    else:
        print_scores(result, compared=compared)
        if json:
            write_text(Path(json), result.to_json())
