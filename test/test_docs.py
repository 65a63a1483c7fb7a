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
"""The documents name tests, files and images that exist."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document: Path) -> None:
    for file, name in re.findall(r'`([\w/]+\.py)::(\w+)`', document.read_text()):
        tree = ast.parse((ROOT / 'test' / file).read_text())
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in functions, f'{file} has no {name}'


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r'\]\(([^)#]+)\)', document.read_text()):
        if '://' not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize(
    ('script', 'key', 'results', 'document'),
    [
        ('ablations', 'runs', 'ablations_cpu_avx2', 'ablations'),
        ('ablations', 'runs', 'ablations_recipes_cpu_amx', 'ablations'),
        ('weights_scores', 'scores', 'camvid_weights_cpu_amx', 'weights'),
        ('input_sizes', 'results', 'camvid_input_sizes_cpu_amx', 'weights'),
    ],
)
def test_tables_are_those_of_the_committed_results(
    script: str,
    key: str,
    results: str,
    document: str,
    benchmark_module: Callable[[str], Any],
) -> None:
    found = json.loads((ROOT / f'benchmarks/results/{results}.json').read_text())[key]
    lines = (ROOT / f'docs/{document}.md').read_text().splitlines()
    expected = [line for line in benchmark_module(script).markdown(found).splitlines() if line]
    assert expected
    assert [line for line in expected if line not in lines] == []
