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
"""The `spssn` command: one module a subcommand."""

import argparse
import io
import shlex
import sys
import traceback
from collections.abc import Sequence
from typing import Any

if __name__ == '__main__':
    # As the executable does, `python -m` and torchrun tell of a package that is missing below.
    from spssn_ros.tools.start import spssn

    sys.exit(spssn())

from spssn_ros import __version__
from spssn_ros.command_parser import CommandParser
from spssn_ros.errors import SpssnError
from spssn_ros.files import explain
from spssn_ros.image_file import silence_decoders
from spssn_ros.missing import explain_import
from spssn_ros.runtime import end_signals_raised, lost_interrupts_raised_again
from spssn_ros.tools import (
    average,
    benchmark,
    calibrate,
    convert,
    demo,
    evaluate,
    export,
    quantize,
    segment,
    train,
)

SUBCOMMANDS = (
    demo,
    segment,
    evaluate,
    convert,
    train,
    average,
    calibrate,
    quantize,
    export,
    benchmark,
)


class _Parser(CommandParser):
    """That of `spssn`, or of a subcommand at any depth: all of them take --debug."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A subcommand's default would undo what stands before it.
        self.add_argument(
            '--debug',
            action='store_true',
            default=argparse.SUPPRESS,
            help='show the traceback of an error',
        )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command and all its subcommands."""
    parser: argparse.ArgumentParser = _Parser(
        prog='spssn', description='Semantic segmentation tools.'
    )
    parser.add_argument('--version', action='version', version=f'spssn {__version__}')
    parser.set_defaults(debug=False)
    subparsers = parser.add_subparsers(metavar='COMMAND', required=True)
    for module in SUBCOMMANDS:
        module.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, 1 under a threshold, 2 on bad input or a file that cannot be read or written, 130 after
        Ctrl-C.

    Raises:
        SystemExit: a usage error, with 2; after --help and --version, with 0; after SIGTERM, with
            143; after SIGHUP, with 129.

    """
    words = list(sys.argv[1:] if argv is None else argv)
    # Names of files need not be text of any encoding.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    args = build_parser().parse_args(words)
    # For what records how it came about.
    args.command_line = shlex.join(['spssn', *words])
    if not args.debug:
        silence_decoders()
    try:
        with lost_interrupts_raised_again(), end_signals_raised():
            status: int = args.func(args)
    except (SpssnError, OSError, ImportError) as error:
        if args.debug:
            traceback.print_exc()
        print(f'spssn: {_in_words(error)}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _in_words(error: Exception) -> str:
    if isinstance(error, ImportError):
        return explain_import(error)
    if isinstance(error, OSError):
        file = f'{error.filename}: ' if error.filename else ''
        return (file + explain(error)).replace('\n', r'\n')
    return str(error)
