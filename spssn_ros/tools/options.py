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
import math
from pathlib import Path

from spssn_ros.datasets.class_list import read_label_set
from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.truth import TruthFormat
from spssn_ros.inference import Segmenter
from spssn_ros.inference.config import BackendName, Device, Precision
from spssn_ros.labels import CAMVID, CITYSCAPES, LabelSet

_LABEL_SETS = {'camvid': CAMVID, 'cityscapes': CITYSCAPES}


def add_weights_option(parser: argparse.ArgumentParser) -> None:
    """Add which weights; some shipped ones by default."""
    parser.add_argument(
        '--weights',
        default='spssn_camvid',
        help='weights file, or the name of a shipped one; default: %(default)s',
    )


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Add by how many threads the CPU runs the network."""
    parser.add_argument(
        '--cpu-threads', type=int, default=0, help='threads on the CPU; 0 (default): automatic'
    )


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which network runs, and how."""
    add_weights_option(parser)
    for option, kind, text in (
        ('device', Device, 'where the network runs; auto (default): on the GPU if there is one'),
        (
            'backend',
            BackendName,
            'what runs it; auto (default): OpenVINO on the CPU, else PyTorch',
        ),
        (
            'precision',
            Precision,
            'its arithmetic; auto (default): float16 on a GPU, on the CPU bfloat16 '
            'where that is faster than float32',
        ),
    ):
        choices = [member.value for member in kind]
        parser.add_argument(f'--{option}', choices=choices, default='auto', help=text)
    _add_input_size(parser)
    add_threads_option(parser)


def add_copy_options(parser: argparse.ArgumentParser) -> None:
    """Add which weights get a copy with something more in it, and where it goes."""
    parser.add_argument(
        '--weights', required=True, help='weights file, or the name of a shipped one'
    )
    _add_input_size(parser, '; not stored: give one that is not auto wherever the copy runs, too')
    parser.add_argument(
        '--output', required=True, type=Path, metavar='FILE', help='weights file to write'
    )


def input_size_note(input_size: str) -> str:
    """Return what to add to the news of a copy that was made for an input size of its own."""
    if input_size == 'auto':
        return ''
    return (
        f'; --input-size {input_size} is not stored: give it, or the parameter input_size, '
        'wherever the copy runs'
    )


def _add_input_size(parser: argparse.ArgumentParser, note: str = '') -> None:
    parser.add_argument(
        '--input-size',
        default='auto',
        metavar='SIZE',
        help='size at which frames enter the network: auto (default; about the area that the '
        'weights were trained at, aspect ratio kept), native or WxH' + note,
    )


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


def add_pairing_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how truth is read and paired with images."""
    parser.add_argument(
        '--truth',
        choices=[member.value for member in TruthFormat],
        default=TruthFormat.AUTO.value,
        help="what truth images hold. ids: class ids, 255 void; camvid-colors: CamVid's 32 "
        "colours; cityscapes-ids: Cityscapes' labelIds; auto (default): mono8 is ids, colour is "
        "CamVid's 32 colours where classes and palette are CamVid's, else the classes' own "
        'colours, black void',
    )
    parser.add_argument(
        '--slop',
        type=float,
        default=0.0,
        metavar='MS',
        help='pair an image with the nearest truth at most this many milliseconds away; default: '
        'header stamps must be equal',
    )


def slop_ns_of(args: argparse.Namespace) -> int:
    """Return the slop in nanoseconds.

    Raises:
        ConfigError: it is negative or no number.

    """
    if not 0 <= args.slop < math.inf:
        raise ConfigError(f'--slop is {args.slop} ms; give 0 or more')
    return round(args.slop * 1e6)


def label_set_of(classes: str) -> LabelSet:
    """Return the classes that an option names: camvid, cityscapes, or a class list file.

    Raises:
        ConfigError: neither a name nor a file.
        DatasetError: the file is no class list.

    """
    if classes in _LABEL_SETS:
        return _LABEL_SETS[classes]
    if not Path(classes).exists():
        raise ConfigError(
            f'--classes is {classes!r}, which is no file; give {", ".join(_LABEL_SETS)} or a file '
            'with one class a line, NAME or NAME R G B'
        )
    return read_label_set(Path(classes))
