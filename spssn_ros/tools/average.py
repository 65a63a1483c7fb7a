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
"""spssn average: weights files in, the file of their mean out."""

import argparse
import dataclasses
from pathlib import Path

from spssn_ros.files import check_file_target
from spssn_ros.models import save_weights
from spssn_ros.models.averaging import average_weights


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'average',
        help='average weights that were trained on from the same ones (a model soup)',
        description='Write weights whose every value is the mean of those of several files: '
        'networks that were trained on from the same weights by different recipes, seeds or data '
        'are often better together, at no cost in speed. Score the result before you trust it. It '
        'holds floats alone: `spssn quantize` comes after it.',
    )
    parser.add_argument(
        'weights',
        nargs='+',
        metavar='WEIGHTS',
        help='weights files, or names of shipped ones; at least two',
    )
    parser.add_argument(
        '--output', required=True, type=Path, metavar='FILE', help='weights file to write'
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Average; return the exit status."""
    check_file_target(args.output)
    model, info = average_weights(args.weights)
    recipe = {'command': args.command_line, **info.recipe}
    save_weights(args.output, model, dataclasses.replace(info, recipe=recipe))
    print(f'the mean of {len(args.weights)} weights files; written to {args.output}')
    return 0
