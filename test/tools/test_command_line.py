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
"""The command line itself: --debug anywhere, usage errors in one line."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spssn_ros.tools.main import build_parser, main


@pytest.mark.parametrize(
    'words',
    [
        ['--debug', 'evaluate', 'nobag'],
        ['evaluate', 'nobag', '--debug'],
        ['evaluate', '--debug', 'nobag'],
        ['--debug', 'evaluate', 'nobag', '--debug'],
    ],
    ids=' '.join,
)
def test_debug_anywhere_shows_where_an_error_comes_from(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # Not 1, with which a traceback ends Python: that is for scores under the threshold.
    assert main(words) == 2
    told = capsys.readouterr().err
    assert told.startswith('Traceback (most recent call last):')
    assert told.endswith('\nspssn: bag nobag does not exist; check the path\n')


@pytest.mark.parametrize(
    'words',
    [['convert', 'street'], ['convert', '--debug', 'street'], ['--debug', 'convert', 'street']],
    ids=' '.join,
)
def test_debug_of_commands_within_commands(words: list[str]) -> None:
    args = build_parser().parse_args([*words, '--bag', 'x'])
    assert args.debug is ('--debug' in words)


@pytest.mark.parametrize(
    ('words', 'told'),
    [
        ([], 'the following arguments are required: COMMAND; see spssn --help'),
        (['evalute'], "argument COMMAND: invalid choice: 'evalute' (choose from "),
        (['--wat', 'evaluate', 'bag'], 'unrecognized arguments: --wat; see spssn --help'),
        (['evaluate', '--device', 'gpu'], "argument --device: invalid choice: 'gpu' (choose from"),
        (['evaluate', '--workers', '1.5'], "argument --workers: invalid int value: '1.5'; see "),
        (['evaluate', '--json'], 'argument --json: expected one argument; see spssn evaluate -'),
        (
            ['evaluate', 'bag', '--wat', 'a b'],
            "unrecognized arguments: --wat 'a b'; see spssn evaluate --help",
        ),
        (
            ['evaluate', 'bag', '--image_topic', '/a', '--fail_under=1'],
            'arguments: --image_topic /a --fail_under=1 (did you mean --image-topic, --fail-unde',
        ),
        (
            ['segment', 'a', '--output', 'b', 'image_topic:=/a'],
            'unrecognized arguments: image_topic:=/a (did you mean --image-topic?); see spssn se',
        ),
        (['evaluate', '--workers', 'line\nbreak'], r'line\n'),
        (['segment', 'a', 'b', '--output', 'c'], 'unrecognized arguments: b; see spssn segment -'),
        (['segment', 'a'], 'the following arguments are required: --output; see spssn segment --'),
        (['convert', 'camvd'], "argument SOURCE: invalid choice: 'camvd' (choose from"),
        (
            ['convert', 'street', '--rate', 'fast'],
            "argument --rate: invalid float value: 'fast'; see spssn convert street --help",
        ),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_help(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    output, errors = capsys.readouterr()
    assert output == ''
    assert errors.count('\n') == 1
    assert errors.startswith('spssn: ')
    assert told in errors
    assert errors.endswith(' --help\n')


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


def test_every_help_that_an_error_names_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    found = [parser.prog for parser in parsers(build_parser())]
    assert len(found) == len({*found}) > 15
    for prog in found:
        command, *words = prog.split()
        assert command == 'spssn'
        with pytest.raises(SystemExit) as caught:
            main([*words, '--help'])
        assert caught.value.code == 0
        assert f'usage: {prog} [-h] [--debug]' in capsys.readouterr().out


def test_every_option_is_described() -> None:
    for parser in parsers(build_parser()):
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                assert action.help, f'{parser.prog}: {action.option_strings or action.dest}'


LOST_CTRL_C = """
import argparse, ctypes, signal, sys, time
from spssn_ros.tools import main as tool

@ctypes.CFUNCTYPE(None)
def compiled():
    signal.raise_signal(signal.SIGINT)

def work(args):
    compiled()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(0.01)
    return 0

parser = argparse.ArgumentParser()
parser.set_defaults(func=work, debug=False)
tool.build_parser = lambda: parser
# Who starts tests in the background has them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(tool.main([]))
"""


def test_ctrl_c_that_a_library_swallows_ends_the_command_all_the_same() -> None:
    done = subprocess.run(
        [sys.executable, '-c', LOST_CTRL_C],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, '', '')


def test_a_reader_that_leaves_changes_neither_status_nor_files(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = 'import sys; from spssn_ros.tools.start import spssn; sys.exit(spssn())'
    words = ['convert', 'street', '--bag', str(tmp_path / 'bag'), '--frames', '1']
    done = subprocess.run(
        [sys.executable, '-c', command, *words],
        cwd=Path(__file__).resolve().parents[2],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0
    assert 'Broken pipe' not in done.stderr
    assert (tmp_path / 'bag' / 'metadata.yaml').is_file()
