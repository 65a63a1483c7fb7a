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
"""Change the code here and there: do its tests notice?

    python benchmarks/mutants.py [--package imaging] [--sample 80] [--seed 0] [--output DIR]
        [--python bin/python]

cosmic-ray makes the mutants (+ for -, < for <=, 1 for 0, `not`, `continue` for `break`, ...). One
at most is drawn for each place in the code. Each has to stand the tests of its package that reach
its function, or its module where it lies in none, in a copy of the source. Left out are places
without behaviour: annotations, decorators, the texts of errors; and `is` for `==`. Prints a line
a mutant and a summary; PACKAGE.diff gets those that no test noticed. Runs with cosmic-ray's
Python; `--python` is that of the tests.
"""

import argparse
import ast
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome

ROOT = Path(__file__).resolve().parents[1]
# Both run with the Python of the tests: has each line's tests noted, and lists them.
NOTE_TESTS = """
import coverage, pytest
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    coverage.Coverage.current().switch_context(item.nodeid.partition('[')[0])
"""
LIST_REACHED = """
import json, coverage
data = coverage.CoverageData()
data.read()
print(json.dumps({name: data.contexts_by_lineno(name) for name in data.measured_files()}))
"""
PYTEST = ('pytest', '-q', '-x', '-p', 'no:cacheprovider', '-p', 'pytest_timeout')
SAME_IN_PRACTICE = ('Eq_Is', 'NotEq_IsNot', 'Is_Eq', 'IsNot_NotEq')
Reached = dict[str, dict[str, list[str]]]


def copy_source(target: Path) -> None:
    """Copy what git knows, and what it would add."""
    names = subprocess.check_output(
        ['git', 'ls-files', '-z', '-co', '--exclude-standard'], cwd=ROOT, text=True
    )
    for name in names.split('\0'):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def run_tests(python: str, folder: str) -> tuple[Reached, float]:
    """Run the unchanged tests; return which lines each reached, and the seconds it took.

    Raises:
        SystemExit: a test fails.

    """
    Path('note_tests.py').write_text(NOTE_TESTS)
    Path('coverage.ini').write_text('[run]\ncore = ctrace\ninclude = spssn_ros/*\n')
    start = time.monotonic()
    command = [python, '-m', 'coverage', 'run', '--rcfile=coverage.ini', '-m', *PYTEST]
    if subprocess.run([*command, '-p', 'note_tests', folder]).returncode:
        raise SystemExit(f'mutants: tests of {folder} fail as they are; mend them first')
    seconds = time.monotonic() - start
    listed = subprocess.check_output([python, '-c', LIST_REACHED], text=True)
    here = f'{Path.cwd()}/'
    return {name.removeprefix(here): lines for name, lines in json.loads(listed).items()}, seconds


def is_worth_trying(mutation: MutationSpec, tree: ast.Module) -> bool:
    """Return whether a mutation is in a place that has behaviour."""
    return not mutation.operator_name.endswith(SAME_IN_PRACTICE) and not any(
        (part.lineno, part.col_offset) <= tuple(mutation.start_pos)
        and tuple(mutation.end_pos) <= (part.end_lineno, part.end_col_offset)
        for part in parts_without_behaviour(tree)
    )


def parts_without_behaviour(tree: ast.Module) -> Iterator[ast.expr | ast.stmt]:
    """Yield annotations, decorators and statements that raise."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            yield node
        for name in ('annotation', 'returns'):
            if isinstance(part := getattr(node, name, None), ast.expr):
                yield part
        yield from getattr(node, 'decorator_list', ())


def tests_of(mutation: MutationSpec, tree: ast.Module, reached: Reached, folder: str) -> list[str]:
    """Return the tests that reach the mutant's function, or its module; its own file first."""
    line = mutation.start_pos[0]
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    spans = (range(node.lineno, (node.end_lineno or 0) + 1) for node in functions)
    inside = min((span for span in spans if line in span), key=len, default=range(sys.maxsize))
    lines = reached.get(str(mutation.module_path), {})
    tests = {test for at, names in lines.items() if int(at) in inside for test in names} - {''}
    # What tests do in other processes and shared fixtures is not noted.
    own = f'{folder}/test_{mutation.module_path.stem}.py'
    if Path(own).is_file():
        return [own, *sorted(test for test in tests if not test.startswith(own))]
    return sorted(tests) or [folder]


def main() -> None:
    """Try mutants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--package', default='imaging', help='folder of spssn_ros/')
    parser.add_argument('--sample', type=int, default=80, help='mutants to try')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--python', default=sys.executable, help='that of the tests')
    parser.add_argument('--output', type=Path, default=Path('out/mutants'))
    args = parser.parse_args()
    output = args.output.resolve()
    copy = output / 'source'
    shutil.rmtree(copy, ignore_errors=True)
    copy_source(copy)
    os.chdir(copy)
    # Compiled files could be older than a mutant made within the same second.
    os.environ['PYTHONDONTWRITEBYTECODE'] = '1'
    # Other packages' plugins take most of the seconds of a start.
    os.environ['PYTEST_DISABLE_PLUGIN_AUTOLOAD'] = '1'
    os.environ['SPSSN_EXAMPLES'] = '20'
    folder = f'test/{args.package}'
    reached, seconds = run_tests(args.python, folder)
    paths = sorted(Path('spssn_ros', args.package).glob('*.py'))
    trees = {path: ast.parse(path.read_text()) for path in paths}
    with use_db('mutants.sqlite') as database:
        init(paths, database, {})
        mutations = [item.mutations[0] for item in database.work_items]
    mutations = [one for one in mutations if is_worth_trying(one, trees[one.module_path])]
    mutations.sort(key=lambda one: (one.module_path, one.operator_name, one.occurrence))
    random.Random(args.seed).shuffle(mutations)
    places = {(one.module_path, tuple(one.start_pos)): one for one in mutations}
    survivors = []
    sample = list(places.values())[: args.sample]
    for number, mutation in enumerate(sample, 1):
        tests = tests_of(mutation, trees[mutation.module_path], reached, folder)
        command = shlex.join([args.python, '-m', *PYTEST, *tests])
        result = mutate_and_test([mutation], command, 20 + 2 * seconds)
        if result.test_outcome is TestOutcome.SURVIVED:
            survivors.append(result.diff)
        place = f'{mutation.module_path}:{mutation.start_pos[0]}'
        print(f'{number}/{len(sample)} {result.test_outcome.value} {place}', flush=True)
        (output / f'{args.package}.diff').write_text('\n\n'.join(survivors) + '\n')
    killed = len(sample) - len(survivors)
    print(
        f'{args.package}: {len(sample)} mutants of {len(places)} places, {killed} killed, '
        f'{len(survivors)} survived: {100 * killed / max(1, len(sample)):.0f}% killed'
    )


if __name__ == '__main__':
    main()
