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
"""A command line that tells its errors as the commands tell theirs: in one line."""

import argparse
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn


class CommandParser(argparse.ArgumentParser):
    """Tells a usage error in one line that names the help, where argparse lists every option.

    Subcommands do so too: argparse makes their parsers of the class of their parent's.
    """

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; words that nothing takes are an error of this parser.

        Argparse leaves those of a subcommand to the outermost parser, whose help does not list
        what the subcommand takes.
        """
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f'unrecognized arguments: {shlex.join(unknown)}{self._meant(unknown)}')
        return found, unknown

    def _meant(self, unknown: Sequence[str]) -> str:
        """Return which options may have been meant, also by `name:=value` as ROS has it."""
        options = [option for option in self._option_string_actions if option.startswith('--')]
        meant: list[str] = []
        for word in unknown:
            name, is_ros, _ = word.partition(':=')
            if is_ros or word.startswith('-'):
                name = '--' + name.partition('=')[0].strip('-').replace('_', '-')
                meant += get_close_matches(name, options, n=1, cutoff=0.7)
        return f' (did you mean {", ".join(dict.fromkeys(meant))}?)' if meant else ''

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with status 2."""
        line = f'{self.prog.split()[0]}: {message}; see {self.prog} --help'
        # What is quoted may hold line breaks.
        self.exit(2, line.replace('\n', r'\n') + '\n')
