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
"""Options that several subcommands share."""

import argparse

from spssn_ros.inference import Segmenter
from spssn_ros.inference.config import BackendName, Device, Precision


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which network runs, and how."""
    parser.add_argument(
        '--weights',
        default='spssn_camvid',
        help='weights file, or the name of a shipped one; default: %(default)s',
    )
    for option, kind in (('device', Device), ('backend', BackendName), ('precision', Precision)):
        choices = [member.value for member in kind]
        parser.add_argument(f'--{option}', choices=choices, default='auto')
    parser.add_argument(
        '--input-size', default='auto', help='auto, native or WxH; default: %(default)s'
    )
    parser.add_argument('--cpu-threads', type=int, default=0, help='0 for automatic')


def segmenter_from(args: argparse.Namespace) -> Segmenter:
    """Build the segmenter that the options describe.

    Raises:
        SpssnError: an option, weights file or device that cannot be used.

    """
    return Segmenter.from_weights(
        args.weights,
        args.device,
        args.precision,
        args.backend,
        args.input_size,
        args.cpu_threads,
    )
