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
"""The package's own description agrees with the code, and set-up fails in sentences."""

import ast
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

import spssn_ros

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'spssn_ros'
MANIFEST = ElementTree.parse(ROOT / 'package.xml').getroot()
REQUIREMENTS = sorted((ROOT / 'requirements').glob('*.txt'))
SHARE = Path(sys.prefix, 'share', 'spssn_ros')
# Import name -> rosdep key, where they differ from `python3-NAME`.
ROSDEP_KEYS = {'cv2': 'python3-opencv'}
LICENCE = 'Licensed under the Apache License, Version 2.0'

needs_installation = pytest.mark.skipif(
    not SHARE.is_dir(), reason='spssn_ros is not installed in this environment (make setup)'
)


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob('*.py')


def imported_packages(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split('.')[0])
    return names - set(sys.stdlib_module_names) - {'spssn_ros'}


PIN = re.compile(
    r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([0-9][0-9a-z.]*)(?:; python_version [<>=]+ '3\.\d+')?"
)


def pins(path: Path) -> dict[str, str]:
    """Return version by name; fails on a line that is not an exact pin."""
    found = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith('#'):
            match = PIN.fullmatch(line)
            assert match, f'{path.name}: {line!r} is not an exact pin'
            found[match[1].lower().replace('_', '-')] = match[2]
    return found


def test_version_is_the_same_everywhere() -> None:
    setup = (ROOT / 'setup.py').read_text()
    assert f"VERSION = '{spssn_ros.__version__}'" in setup
    assert MANIFEST.findtext('version') == spssn_ros.__version__


def test_every_import_is_declared_in_the_manifest_or_for_pip() -> None:
    declared = {element.text for element in MANIFEST.iter('exec_depend')}
    from_pip = set(pins(ROOT / 'requirements' / 'base.txt'))
    undeclared = {
        (name, str(path.relative_to(ROOT)))
        for path in python_files('spssn_ros', 'launch')
        for name in imported_packages(path)
        if name not in declared
        and name not in from_pip
        and ROSDEP_KEYS.get(name, f'python3-{name}') not in declared
        # It comes with PyTorch for CUDA, and is not needed.
        and name != 'triton'
    }
    assert not undeclared


def test_every_declared_dependency_is_used() -> None:
    sources = '\n'.join(path.read_text() for path in python_files('spssn_ros', 'launch'))
    imports = {
        name for path in python_files('spssn_ros', 'launch') for name in imported_packages(path)
    }
    keys = {ROSDEP_KEYS.get(name, f'python3-{name}') for name in imports} | imports
    unused = {
        element.text
        for element in MANIFEST.iter('exec_depend')
        # Optional packages are imported by name; lifecycle nodes bring services of the last.
        if element.text not in keys and f"'{element.text}" not in sources
    }
    assert unused <= {'lifecycle_msgs'}


@pytest.mark.parametrize('path', REQUIREMENTS, ids=lambda path: path.stem)
def test_requirements_are_exact(path: Path) -> None:
    assert pins(path)


def test_requirements_agree_with_one_another() -> None:
    versions: dict[str, set[str]] = {}
    for path in REQUIREMENTS:
        for name, version in pins(path).items():
            if not name.startswith('ros-'):
                versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
    # Another spelling may take a build with gigabytes of CUDA libraries.
    assert 'torch==2.13.0' in (ROOT / 'requirements' / 'base.txt').read_text().splitlines()


@pytest.fixture(scope='module')
def egg_info(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what setup.py says of the package, as pip and colcon ask it."""
    base = tmp_path_factory.mktemp('egg')
    command = [sys.executable, 'setup.py', '-q', 'egg_info', '--egg-base', str(base)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return base / 'spssn_ros.egg-info'


def test_extras_are_what_set_up_installs_and_nothing_else_is_required(egg_info: Path) -> None:
    found: dict[str, dict[str, str]] = {}
    extra = 'always'
    for line in (egg_info / 'requires.txt').read_text().splitlines():
        if section := re.match(r'\[(\w+)', line):
            extra = section[1]
        elif line:
            name, _, version = re.sub(r'\[.*?\]', '', line).partition('==')
            found.setdefault(extra, {})[name.lower().replace('_', '-')] = version
    # Of more, executables of a workspace might find that it is not there.
    assert found['always'] == {'setuptools': ''}
    tools = {
        name: version
        for file in ('base', 'system')
        for name, version in pins(ROOT / 'requirements' / f'{file}.txt').items()
    }
    assert found['tools'] == tools
    assert found['all'] == tools | pins(ROOT / 'requirements' / 'ros-kilted.txt')


def test_a_source_distribution_is_whole(egg_info: Path) -> None:
    packed = set((egg_info / 'SOURCES.txt').read_text().splitlines())
    folders = ('requirements', 'scripts', 'docs', 'config', 'launch', 'resource', 'test')
    files = {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and path.suffix != '.pyc'
    }
    files |= {'CHANGELOG.rst', 'LICENSE', 'Makefile', 'README.md', 'package.xml', '.ci/run'}
    assert files - packed == set()


def test_setup_finds_its_requirements_from_another_folder(tmp_path: Path) -> None:
    """With --symlink-install colcon builds where there is a link to setup.py, and no more."""
    (tmp_path / 'setup.py').symlink_to(ROOT / 'setup.py')
    command = [sys.executable, 'setup.py', '--name']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.endswith('spssn_ros\n'), done.stderr


def test_ros_wheels_are_of_one_distribution() -> None:
    kilted = pins(ROOT / 'requirements' / 'ros-kilted.txt')
    jazzy = pins(ROOT / 'requirements' / 'ros-jazzy.txt')
    assert (kilted['ros-rclpy'], jazzy['ros-rclpy']) == ('9.1.2', '7.1.6')
    for name in ('ros-rcl', 'ros-rmw-fastrtps-cpp', 'ros-sensor-msgs', 'ros-std-srvs'):
        assert kilted[name] != jazzy[name]


def test_entry_points_name_existing_functions() -> None:
    entries = re.findall(r"'(\w+) = \{PACKAGE\}\.([\w.]+):(\w+)'", (ROOT / 'setup.py').read_text())
    assert [name for name, _, _ in entries] == [
        'segment_node',
        'evaluate_node',
        'play_bag',
        'spssn',
    ]
    for name, module, function in entries:
        tree = ast.parse((PACKAGE / f'{module.replace(".", "/")}.py').read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert function in functions, name


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in python_files('spssn_ros')}
    assert [str(folder) for folder in folders if not (folder / '__init__.py').exists()] == []


def test_every_source_carries_the_licence() -> None:
    sources = list(python_files('spssn_ros', 'launch', 'test', 'benchmarks'))
    names = ('setup.py', 'setup.cfg', 'package.xml', 'Makefile', 'MANIFEST.in', 'pyproject.toml')
    sources += [ROOT / name for name in names]
    sources += [*(ROOT / 'scripts').iterdir(), *(ROOT / '.ci').iterdir(), *REQUIREMENTS]
    sources += [path for path in (ROOT / 'config').rglob('*') if path.is_file()]
    missing = [str(path) for path in sources if LICENCE not in path.read_text()[:1000]]
    assert missing == []
    assert 'TERMS AND CONDITIONS FOR USE' in (ROOT / 'LICENSE').read_text()


@needs_installation
def test_installed_share_has_every_launch_and_configuration_file() -> None:
    for folder in ('launch', 'config'):
        source = {
            path.relative_to(ROOT)
            for path in (ROOT / folder).rglob('*')
            if path.is_file() and path.suffix != '.pyc'
        }
        assert source
        assert {path for path in source if not (SHARE / path).is_file()} == set()
    assert (SHARE / 'package.xml').is_file()
    index = Path(sys.prefix, 'share', 'ament_index', 'resource_index', 'packages', 'spssn_ros')
    assert index.is_file()


@needs_installation
def test_installed_package_has_weights_and_types() -> None:
    installed = Path(sysconfig.get_path('purelib'), 'spssn_ros')
    weights = {path.name for path in (PACKAGE / 'weights').glob('*.safetensors')}
    assert {path.name for path in (installed / 'weights').glob('*.safetensors')} == weights
    assert (installed / 'py.typed').is_file()


@needs_installation
def test_installed_package_has_every_file_of_the_report() -> None:
    installed = Path(sysconfig.get_path('purelib'), 'spssn_ros')
    # Not what Python compiled of them.
    found = (PACKAGE / 'evaluation' / 'report').glob('page.*')
    source = {path.relative_to(PACKAGE) for path in found}
    assert {path.name for path in source} == {'page.css', 'page.html.jinja', 'page.py'}
    assert {path for path in source if not (installed / path).is_file()} == set()


@needs_installation
@pytest.mark.parametrize('folder', ['bin', 'lib/spssn_ros'])
def test_installed_command_runs_from_anywhere(folder: str, tmp_path: Path) -> None:
    for name in ('segment_node', 'evaluate_node', 'play_bag', 'spssn'):
        assert Path(sys.prefix, folder, name).is_file()
    command = [str(Path(sys.prefix, folder, 'spssn')), '--version']
    output = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == f'spssn {spssn_ros.__version__}'


# Set-up


def fake_python(folder: Path, version: str, has_venv: bool) -> Path:
    """Write a program that answers the questions that set-up asks a Python."""
    minor = int(version.split('.')[1])
    path = folder / 'python-fake'
    path.write_text(
        '#!/bin/sh\n'
        f'case "$*" in -V) echo "Python {version}" ;;\n'
        f'*"(3, 10)"*) exit {int(minor < 10)} ;;\n'
        f'*"(3, 14)"*) exit {int(minor >= 14)} ;;\n'
        f'*ensurepip*) exit {int(not has_venv)} ;;\n'
        '*) exit 3 ;; esac\n'
    )
    path.chmod(0o755)
    return path


def create(folder: Path, python: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / 'scripts' / 'setup.sh'), 'create', str(folder / 'environment')],
        env={'PATH': '/usr/bin:/bin', 'PYTHON': python, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ('version', 'has_venv', 'sentence'),
    [
        ('3.9.2', True, 'is Python 3.9.2, and 3.10 or later is needed'),
        ('3.14.0', True, 'is Python 3.14.0, but the ROS wheels exist for 3.10 to 3.13'),
        ('3.12.3', False, 'has no venv module; install it'),
    ],
)
def test_setup_refuses_an_unfit_python(
    tmp_path: Path, version: str, has_venv: bool, sentence: str
) -> None:
    result = create(tmp_path, str(fake_python(tmp_path, version, has_venv)))
    assert result.returncode == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / 'environment').exists()


def test_setup_tells_a_named_ros_from_a_sourced_one(tmp_path: Path) -> None:
    python = str(fake_python(tmp_path, '3.12.3', True))
    result = create(tmp_path, python, ROS_DISTRO='jazzy')
    assert (result.returncode, result.stderr) == (
        2,
        'setup: ROS_DISTRO is jazzy but no installation is sourced; run: source '
        '/opt/ros/jazzy/setup.bash, or unset ROS_DISTRO to take the ROS wheels\n',
    )


def test_setup_says_where_there_are_no_ros_wheels(tmp_path: Path) -> None:
    python = str(fake_python(tmp_path, '3.12.3', True))
    uname = tmp_path / 'uname'
    uname.write_text('#!/bin/sh\necho Linux aarch64\n')
    uname.chmod(0o755)
    path = f'{tmp_path}:/usr/bin:/bin'
    result = create(tmp_path, python, PATH=path)
    assert (result.returncode, result.stderr) == (
        2,
        'setup: the ROS wheels exist for x86-64 Linux, and this is Linux aarch64; source a ROS 2 '
        "installation, or take the commands without nodes: pip install '.[tools]'\n",
    )
    sourced = {'ROS_DISTRO': 'jazzy', 'AMENT_PREFIX_PATH': '/opt/ros/jazzy'}
    assert '[1/3]' in create(tmp_path, python, PATH=path, **sourced).stdout


def test_setup_says_that_python_is_not_found(tmp_path: Path) -> None:
    result = create(tmp_path, 'python3.99')
    assert (result.returncode, result.stderr) == (
        2,
        "setup: 'python3.99' is not found; name a Python with PYTHON=...\n",
    )


def test_setup_shows_the_output_of_a_step_that_fails(tmp_path: Path) -> None:
    result = create(tmp_path, str(fake_python(tmp_path, '3.12.3', True)))
    assert result.returncode == 2
    assert '[1/3] creating environment with Python 3.12.3' in result.stdout
    assert 'setup: this command failed:' in result.stderr


def test_setup_that_is_interrupted_leaves_no_log(tmp_path: Path) -> None:
    python = fake_python(tmp_path, '3.12.3', True)
    # It hangs where the environment is made.
    python.write_text(python.read_text().replace('*) exit 3', '*) echo >"$0.made"; exec sleep 60'))
    logs = tmp_path / 'logs'
    logs.mkdir()
    process = subprocess.Popen(
        [str(ROOT / 'scripts' / 'setup.sh'), 'create', str(tmp_path / 'environment')],
        env={'PATH': '/usr/bin:/bin', 'PYTHON': str(python), 'TMPDIR': str(logs)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not Path(f'{python}.made').exists():
            assert process.poll() is None
            time.sleep(0.01)
        assert len([*logs.iterdir()]) == 1
    finally:
        # Not SIGINT, which who starts tests in the background has them ignore; all get it.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    assert [*logs.iterdir()] == []


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ['make', '--no-print-directory', *arguments],
        cwd=ROOT,
        # What `make test` was called with is not for these.
        env={k: v for k, v in os.environ.items() if not k.startswith(('MAKE', 'MFLAGS', 'ROS_'))},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_the_targets() -> None:
    output = make().stdout
    targets = 'setup demo test lint bench soak overload fuzz coverage clean'
    for target in targets.split():
        assert re.search(rf'^  {target} +\w', output, re.MULTILINE)


def test_make_names_the_wheels_there_are() -> None:
    result = make('setup', 'ROS_WHEELS=foxy')
    assert result.returncode == 2
    assert "ROS_WHEELS is 'foxy'; there are jazzy kilted" in result.stderr


def test_make_demo_passes_the_options_on() -> None:
    output = make(
        '--dry-run', 'demo', 'BAG=a b.mcap', 'IMAGE_TOPIC=/i', 'LABEL_TOPIC=/l', 'WEIGHTS=w'
    ).stdout
    command = ' '.join(output.replace('\\\n', ' ').split())
    options = "--bag 'a b.mcap' --image-topic '/i' --label-topic '/l' --weights 'w'"
    assert f'spssn demo --output out/demo {options}' in command
    assert '--bag' not in make('--dry-run', 'demo').stdout
    quoted = make('--dry-run', 'demo', "BAG=Anna's, $$HOME").stdout
    assert shlex.split(quoted.split('--bag')[1])[0] == "Anna's, $HOME"


def make_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make where there is only what says what there is to make."""
    folder.mkdir()
    for name in ('Makefile', 'requirements'):
        (folder / name).symlink_to(ROOT / name)
    return make('-C', str(folder), *arguments)


@pytest.mark.parametrize('character', [*' \\:;\'"`&|<>()[]*?%$#'])
def test_make_refuses_a_folder_that_it_could_not_work_in(tmp_path: Path, character: str) -> None:
    folder = tmp_path / f'a{character}b'
    result = make_in(folder, 'help')
    assert (result.returncode, result.stdout) == (2, '')
    assert len(result.stderr.splitlines()) == 1
    told = {' ': 'a space'}.get(character, character)
    assert f"'{folder}' contains {told}, which " in result.stderr
    assert result.stderr.endswith(' cannot handle; move the folder.  Stop.\n')


def test_make_works_in_a_folder_of_any_language(tmp_path: Path) -> None:
    folder = tmp_path / 'größe=1,@~道路'
    result = make_in(folder, '--dry-run', 'setup')
    assert f"scripts/setup.sh create '{folder}/.venv'" in result.stdout


# Continuous integration


def run_ci(folder: Path, apt_status: int, uid: int) -> tuple[int, list[str], str]:
    """Run .ci/run among programs that only write down how they are called."""
    programs = folder / 'bin'
    programs.mkdir()
    calls = folder / 'calls'
    for name, status in (('apt-get', apt_status), ('make', 0)):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{calls}\nexit {status}\n')
    (programs / 'id').write_text(f'#!/bin/sh\necho {uid}\n')
    (programs / 'timeout').write_text('#!/bin/sh\nshift\nexec "$@"\n')
    for path in programs.iterdir():
        path.chmod(0o755)
    for name in ('bash', 'dirname', 'sh'):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    done = subprocess.run(
        [str(programs / 'bash'), str(ROOT / '.ci' / 'run')],
        env={'PATH': str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, calls.read_text().splitlines(), done.stderr


INSTALL = 'apt-get install --yes --no-install-recommends chromium fonts-liberation'


@pytest.mark.parametrize(
    ('apt_status', 'uid', 'calls', 'says'),
    [
        (0, 0, ['apt-get update', INSTALL], ''),
        (100, 0, ['apt-get update'], 'ci: Chromium cannot be installed'),
        (0, 1000, [], ''),
    ],
)
def test_ci_installs_a_browser_where_it_can_and_tests_in_any_case(
    tmp_path: Path, apt_status: int, uid: int, calls: list[str], says: str
) -> None:
    status, called, errors = run_ci(tmp_path, apt_status, uid)
    assert (status, called) == (0, [*calls, 'make lint', 'make test'])
    assert errors.startswith(says)
    assert len(errors.splitlines()) == bool(says)
