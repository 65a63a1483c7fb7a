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
"""`spssn benchmark`: speed of the networks, of the engine and of the node."""

import argparse
from collections.abc import Callable
from pathlib import Path

from spssn_ros.benchmarking import (
    EngineBenchmark,
    benchmark_engine,
    score_camvid,
)
from spssn_ros.files import check_file_target
from spssn_ros.inference.config import Device, Precision
from spssn_ros.machine import describe_machine
from spssn_ros.models import MODEL_NAMES
from spssn_ros.tools import benchmark_models, benchmark_node
from spssn_ros.tools.benchmark_engine import engine_report
from spssn_ros.tools.benchmark_report import (
    Report,
    output,
    parse_sizes,
    with_bar,
)
from spssn_ros.tools.options import add_threads_option, add_weights_option


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'benchmark',
        help='measure the speed of networks, engine or node',
        description='Measure speed on this machine; let nothing else run meanwhile. Times on '
        'CUDA are of finished work: between CUDA events, or synchronised.',
    )
    kinds = parser.add_subparsers(metavar='WHAT', required=True)

    models = kinds.add_parser(
        'models',
        help='every network, beside what its paper publishes',
        description='Parameters, operations and speed by eager PyTorch, one image, after a '
        'warm-up: the forward pass alone, batch norm merged, as the papers measure, and end to '
        'end, from a uint8 frame to labels of its size. 19 classes, random weights.',
    )
    models.add_argument(
        '--models',
        default=','.join(MODEL_NAMES),
        metavar='NAME,...',
        help='default: %(default)s',
    )
    models.add_argument(
        '--count-only', action='store_true', help='parameters and operations, without timing'
    )
    sizes = '2048x1024,1024x1024,1024x512,720x720,480x360'
    _add_options(models, benchmark_models.measure, sizes, iterations=200)
    _add_device_options(models, 'float32')

    engine = kinds.add_parser(
        'engine',
        help='the Segmenter end to end, all backends side by side',
        description='From a uint8 frame to labels of its size, resizing and copies included; '
        'frames enter the network as they are. The baseline is the same weights in eager PyTorch: '
        'float32, channels last, all logits upsampled, argmax; on the CPU, or on the GPU with '
        '--device cuda.',
    )
    _add_options(engine, _engine, '480x360,960x720,2048x1024', iterations=50)
    _add_device_options(engine, 'auto')
    add_weights_option(engine)
    engine.add_argument(
        '--models',
        default='spssn,fast_scnn',
        metavar='NAME,...',
        help="networks to measure as well, 19 classes, random weights; '' for none; "
        'default: %(default)s',
    )
    engine.add_argument(
        '--camvid',
        type=Path,
        metavar='DIR',
        help='also score on the validation frames of CamVid, which enter as in the node',
    )

    node = kinds.add_parser(
        'node',
        help='segment_node in its own process, over DDS',
        description='Publish frames one by one, at fixed rates, and at rising rates until 5 % of '
        'them are dropped; time the labels that come back.',
    )
    _add_options(node, benchmark_node.measure, '480x360,960x720,2048x1024')
    node.add_argument(
        '--rate', default='10,30,60', metavar='HZ,...', help='fixed rates; default: %(default)s'
    )
    node.add_argument(
        '--seconds', type=float, default=6.0, help='of measuring each rate; default: %(default)g'
    )
    node.add_argument(
        '--input-size',
        default='auto',
        metavar='SIZE',
        help="the node's parameter: auto, native or WxH; default: %(default)s",
    )
    add_weights_option(node)
    node.add_argument(
        '--models',
        default='spssn',
        metavar='NAME,...',
        help="networks to measure as well, 19 classes, random weights; '' for none; "
        'default: %(default)s',
    )


def _add_options(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace], Report],
    sizes: str,
    iterations: int = 0,
) -> None:
    parser.add_argument('--sizes', default=sizes, metavar='WxH,...', help='default: %(default)s')
    if iterations:
        parser.add_argument(
            '--iterations',
            type=int,
            default=iterations,
            help='calls measured for a row; default: %(default)s',
        )
    parser.add_argument('--json', metavar='FILE', help="write the numbers; '-' for stdout")
    parser.add_argument('--markdown', metavar='FILE', help='write the tables')
    parser.set_defaults(func=run, measure=measure, what=parser.prog.split()[-1])


def _add_device_options(parser: argparse.ArgumentParser, precision: str) -> None:
    parser.add_argument(
        '--device',
        choices=[member.value for member in Device],
        default='auto',
        help='where networks run; auto (default): on the GPU if there is one',
    )
    parser.add_argument(
        '--precision',
        choices=[member.value for member in Precision],
        default=precision,
        help='default: %(default)s',
    )
    add_threads_option(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and return the exit status."""
    if args.json and args.json != '-':
        check_file_target(Path(args.json), makes_folders=True)
    if args.markdown:
        check_file_target(Path(args.markdown), makes_folders=True)
    # Before measuring: the load is then that of other programs.
    machine = describe_machine()
    report: Report = args.measure(args)
    output(report, args.what, machine, args.json, args.markdown)
    return 0


def _engine(args: argparse.Namespace) -> Report:
    config = EngineBenchmark(
        parse_sizes(args.sizes),
        args.weights,
        tuple(name for name in args.models.split(',') if name),
        args.iterations,
        args.device,
        args.precision,
        args.cpu_threads,
        args.camvid,
    )
    rows = (1 + len(config.models)) * len(config.sizes)
    return engine_report(
        config, list(with_bar(benchmark_engine(config), rows)), score_camvid(config)
    )
