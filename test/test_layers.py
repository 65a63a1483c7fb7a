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
"""Only nodes and launch files need ROS, and imports go one way through the layers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'spssn_ros'

# Each layer may use those before it. Rooms of one layer do not know one another.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({'command_parser', 'errors', 'files', 'machine', 'png_chunks', 'share', 'stdout'}),
    frozenset({'choices', 'image_file', 'labels', 'missing'}),
    frozenset({'imaging', 'models', 'runtime', 'bags', 'datasets', 'synthetic'}),
    frozenset({'inference'}),
    frozenset({'evaluation'}),
    frozenset({'training'}),
    frozenset({'benchmarking', 'nodes'}),
    frozenset({'tools'}),
)
LEVELS = {room: level for level, layer in enumerate(LAYERS) for room in layer}
ROS = (
    'rclpy',
    'launch',
    'launch_ros',
    'ament_index_python',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'diagnostic_msgs',
    'lifecycle_msgs',
    'rcl_interfaces',
    'rosgraph_msgs',
    'builtin_interfaces',
    'vision_msgs',
    'cv_bridge',
)


def modules() -> dict[str, Path]:
    names = {}
    for path in sorted(PACKAGE.rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        names['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return names


def room_of(module: str) -> str:
    return module.split('.')[1]


def imports(path: Path, deferred: bool = True) -> set[str]:
    """Return the modules that a file imports; `deferred` counts those within functions too."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding='utf-8'))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            assert node.module is not None
            found.add(node.module)
            found |= {f'{node.module}.{alias.name}' for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not deferred:
            continue
        pending += ast.iter_child_nodes(node)
    return found


MODULES = modules()
ROOMS = {room_of(name) for name in MODULES if '.' in name}


def test_every_room_has_its_layer() -> None:
    assert set(LEVELS) == ROOMS


@pytest.mark.parametrize('room', sorted(LEVELS))
def test_imports_go_one_way(room: str) -> None:
    wrong = []
    for name, path in MODULES.items():
        if '.' not in name or room_of(name) != room:
            continue
        for imported in imports(path):
            if imported not in MODULES or '.' not in imported:
                continue
            other = room_of(imported)
            if LEVELS[other] >= LEVELS[room] and other != room:
                wrong.append(f'{name} imports {imported}')
    assert wrong == []


def test_nothing_deployed_imports_training() -> None:
    """Follow imports from nodes, inference and evaluation, whatever way they take."""
    deployed = ('nodes', 'inference', 'evaluation')
    pending = [name for name in MODULES if '.' in name and room_of(name) in deployed]
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        if name in reached:
            continue
        reached.add(name)
        found = imports(MODULES[name])
        # Importing a module runs the packages around it first.
        parents = {'.'.join(i.split('.')[:n]) for i in found for n in range(1, i.count('.') + 1)}
        pending += [other for other in found | parents if other in MODULES]
    assert [name for name in sorted(reached) if name.startswith('spssn_ros.training')] == []
    assert 'spssn_ros.models.spssn' in reached


@pytest.mark.parametrize('room', sorted(set(LEVELS) - {'nodes'}))
def test_only_nodes_name_ros(room: str) -> None:
    named = {
        f'{name} imports {imported}'
        for name, path in MODULES.items()
        if '.' in name and room_of(name) == room
        for imported in imports(path, deferred=False)
        if imported.split('.')[0] in ROS
    }
    assert named == set()


def test_everything_but_the_nodes_imports_without_ros() -> None:
    names = [n for n in MODULES if not n.startswith('spssn_ros.nodes')]
    # Parameters are checked and documented without ROS too.
    names.append('spssn_ros.nodes.parameters')
    code = (
        'import importlib, sys\n'
        f'for name in {ROS!r}:\n'
        '    sys.modules[name] = None\n'
        f'for name in {names!r}:\n'
        '    importlib.import_module(name)\n'
        'print(len(sys.modules))\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
