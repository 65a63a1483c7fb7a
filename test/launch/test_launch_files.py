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
"""The launch files: their arguments, and with ROS 2's `launch` their behaviour."""

import ast
import importlib.util
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml

LAUNCH = Path(__file__).resolve().parents[2] / 'launch'
SEGMENT_ARGUMENTS = {
    'image', 'camera_info', 'weights', 'device', 'params_file', 'namespace', 'cameras',
    'transport', 'rviz', 'bag', 'use_sim_time', 'dds_profile',
}  # fmt: skip
EVALUATE_ARGUMENTS = {'bag', 'rate', 'report', 'image_topic', 'label_topic'}
CONTRACT = [
    ('segment.launch.py', SEGMENT_ARGUMENTS),
    ('evaluate.launch.py', EVALUATE_ARGUMENTS),
]


def declared_arguments(path: Path) -> dict[str, dict[str, ast.expr]]:
    """Return the keyword arguments of each DeclareLaunchArgument, by the argument's name."""
    return {
        ast.literal_eval(call.args[0]): {k.arg: k.value for k in call.keywords if k.arg}
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == 'DeclareLaunchArgument'
    }


@pytest.mark.parametrize(('name', 'contract'), CONTRACT)
def test_every_argument_of_the_contract_is_declared_and_described(
    name: str, contract: set[str]
) -> None:
    arguments = declared_arguments(LAUNCH / name)
    assert contract <= set(arguments)
    for argument, keywords in arguments.items():
        description = ast.literal_eval(keywords['description'])
        assert description.endswith('.'), argument
        required = (name, argument) == ('evaluate.launch.py', 'bag')
        assert ('default_value' in keywords) is not required


@pytest.mark.parametrize('name', ['segment.launch.py', 'evaluate.launch.py'])
def test_no_default_goes_before_the_params_file(name: str) -> None:
    arguments = declared_arguments(LAUNCH / name)
    for argument in ('weights', 'device', 'transport'):
        assert ast.literal_eval(arguments[argument]['default_value']) == '', argument


# From here on with ROS 2's launch.

# Not asked of `launch`: where that is missing, the name is this repository's folder.
needs_launch = pytest.mark.skipif(
    importlib.util.find_spec('launch_ros') is None, reason='ROS 2 launch is not installed'
)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.replace('.', '_'), LAUNCH / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def segment() -> ModuleType:
    return load('segment.launch.py')


@pytest.fixture
def no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        'FASTDDS_DEFAULT_PROFILES_FILE',
        'FASTRTPS_DEFAULT_PROFILES_FILE',
        'FASTDDS_BUILTIN_TRANSPORTS',
    ):
        monkeypatch.delenv(name, raising=False)


def set_up(module: ModuleType, **values: str) -> list[Any]:
    """Return the actions that the launch file makes of its arguments."""
    from launch import LaunchContext

    context = LaunchContext()
    for argument in module.ARGUMENTS:
        argument.execute(context) if argument.default_value else None
    context.launch_configurations.update(values)
    return list(module.setup(context))


def node(actions: list[Any], executable: str) -> Any:
    """Return the node of an executable, its substitutions performed."""
    from launch import LaunchContext
    from launch_ros.actions import Node

    found = [a for a in actions if isinstance(a, Node) and a.node_executable == executable]
    assert len(found) == 1
    found[0]._perform_substitutions(LaunchContext())
    return found[0]


def parameters(made: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that a node is given one by one, and the files given before them."""
    words = [''.join(getattr(part, 'text', '') for part in word) for word in made.cmd]
    *files, own = [words[i + 1] for i, word in enumerate(words) if word == '--params-file']
    # What launch writes is in the folder for temporary files.
    if not Path(own).name.startswith('launch_params_'):
        return {}, [*files, own]
    # launch writes a list as a Python tuple; ROS ignores such tags.
    document = yaml.load(Path(own).read_text(), yaml.FullLoader)
    (entry,) = document.values()
    values = entry['ros__parameters'].items()
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values}, files


def remappings(actions: list[Any]) -> dict[str, str]:
    return dict(node(actions, 'segment_node').expanded_remapping_rules)


@needs_launch
@pytest.mark.parametrize('name', [name for name, _ in CONTRACT])
def test_launch_shows_the_arguments(name: str) -> None:
    description = load(name).generate_launch_description()
    shown = {argument.name for argument in description.get_launch_arguments()}
    assert shown == set(declared_arguments(LAUNCH / name))


@needs_launch
def test_one_camera_is_remapped_with_its_camera_info(segment: ModuleType) -> None:
    assert remappings(set_up(segment)) == {
        'image': '/camera/image_raw',
        'image/compressed': '/camera/image_raw/compressed',
        'camera_info': '/camera/camera_info',
    }
    assert remappings(set_up(segment, image='picture'))['camera_info'] == 'camera_info'
    own = set_up(segment, image='/a/b', camera_info='/c/info')
    assert remappings(own)['camera_info'] == '/c/info'


@needs_launch
@pytest.mark.parametrize('cameras', ['[front, rear]', 'front,rear', '[\'front\', "rear"]'])
def test_several_cameras_get_a_topic_each(segment: ModuleType, cameras: str) -> None:
    assert segment.camera_names(cameras) == ['front', 'rear']
    plain = remappings(set_up(segment, cameras=cameras))
    assert {key for key, value in plain.items() if key != value} == set()
    assert {'front/image', 'rear/image', 'rear/camera_info'} <= set(plain)
    mapped = remappings(set_up(segment, cameras=cameras, image='/{camera}/raw'))
    assert mapped['front/image'] == '/front/raw'
    assert mapped['rear/image/compressed'] == '/rear/raw/compressed'
    assert mapped['rear/camera_info'] == '/rear/camera_info'


@needs_launch
def test_several_cameras_on_one_topic_are_refused(segment: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"image is '/cam/raw'.*put \{camera\} where the name"):
        set_up(segment, cameras='front,rear', image='/cam/raw')


@needs_launch
def test_the_cameras_of_the_params_file_are_remapped_and_shown(
    segment: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {cameras: [front, rear]}}')
    actions = set_up(segment, params_file=str(file), image='/{camera}/raw')
    mapped = remappings(actions)
    assert (mapped['front/image'], mapped['rear/image']) == ('/front/raw', '/rear/raw')
    assert 'cameras' not in parameters(node(actions, 'segment_node'))[0]
    shown = dict(node(actions, 'rviz2').expanded_remapping_rules)
    assert shown['/segment_node/overlay'] == '/segment_node/front/overlay'
    with pytest.raises(ValueError, match='cameras names 2 but image'):
        set_up(segment, params_file=str(file), image='/cam/raw')
    # What is given goes before it.
    given = set_up(segment, params_file=str(file), cameras='[top]', image='/{camera}/raw')
    assert remappings(given)['top/image'] == '/top/raw'


@needs_launch
def test_a_place_for_names_without_a_name_is_refused(segment: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"image is '/\{camera\}/raw'.* no camera has a name"):
        set_up(segment, image='/{camera}/raw')


@needs_launch
def test_only_given_parameters_go_before_the_file(segment: ModuleType) -> None:
    def given(**values: str) -> dict[str, Any]:
        own, files = parameters(node(set_up(segment, **values), 'segment_node'))
        assert [Path(file).name for file in files] == ['segment_node.yaml']
        return own

    assert given() == {}
    assert given(weights='12', device='cpu', transport='compressed', cameras='[a, b]') == {
        'weights': '12',
        'device': 'cpu',
        'transport': 'compressed',
        'cameras': ['a', 'b'],
    }
    assert given(bag=str(LAUNCH)) == {'use_sim_time': True}
    assert given(bag=str(LAUNCH), use_sim_time='false') == {'use_sim_time': False}
    assert given(use_sim_time='true') == {'use_sim_time': True}
    # As Nav2's launch files write it.
    assert given(use_sim_time='True') == {'use_sim_time': True}
    assert given(use_sim_time='False') == {'use_sim_time': False}


@needs_launch
def test_booleans_of_other_launch_files_are_taken(segment: ModuleType) -> None:
    from launch import LaunchContext

    arguments = {argument.name: argument for argument in segment.ARGUMENTS}
    for value in ('true', 'True', 'false', 'False'):
        for name in ('use_sim_time', 'respawn', 'rviz'):
            context = LaunchContext()
            context.launch_configurations[name] = value
            arguments[name].execute(context)
        rviz = node(set_up(segment, rviz=value), 'rviz2')
        assert rviz.condition.evaluate(LaunchContext()) is (value.lower() == 'true')
    context.launch_configurations['rviz'] = 'yes'
    with pytest.raises(RuntimeError, match='yes'):
        arguments['rviz'].execute(context)


def test_the_rviz_files_differ_by_the_transport() -> None:
    raw, compressed = (
        yaml.safe_load((LAUNCH.parent / 'config' / name).read_text())
        for name in ('segment.rviz', 'segment_compressed.rviz')
    )
    topic = compressed['Visualization Manager']['Displays'][0]['Topic']
    assert topic['Value'] == '/camera/image_raw/compressed'
    topic['Value'] = '/camera/image_raw'
    assert compressed == raw


@needs_launch
def test_rviz_shows_compressed_images_where_the_node_reads_them(
    segment: ModuleType, tmp_path: Path
) -> None:
    def config(**values: str) -> str:
        made = node(set_up(segment, **values), 'rviz2')
        words = [''.join(getattr(part, 'text', '') for part in word) for word in made.cmd]
        return Path(words[words.index('-d') + 1]).name

    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {transport: compressed}}')
    assert config() == 'segment.rviz'
    assert config(transport='compressed') == 'segment_compressed.rviz'
    assert config(params_file=str(file)) == 'segment_compressed.rviz'
    assert config(params_file=str(file), transport='raw') == 'segment.rviz'


@needs_launch
@pytest.mark.parametrize(
    'values', [{'namespace': 'robot'}, {'namespace': '/robot/'}, {'ros_namespace': '/robot'}]
)
def test_rviz_follows_the_node_into_its_namespace(
    segment: ModuleType, tmp_path: Path, values: dict[str, str]
) -> None:
    def shown(**more: str) -> dict[str, str]:
        return dict(node(set_up(segment, **values, **more), 'rviz2').expanded_remapping_rules)

    mapped = shown()
    assert mapped['/camera/image_raw'] == '/camera/image_raw'
    assert mapped['/segment_node/overlay'] == '/robot/segment_node/overlay'
    assert shown(image='eye/image')['/camera/image_raw'] == '/robot/eye/image'
    mapped = shown(cameras='[front, rear]')
    assert mapped['/camera/image_raw'] == '/robot/front/image'
    assert mapped['/segment_node/color'] == '/robot/segment_node/front/color'
    assert mapped['/camera/image_raw/compressed'] == '/robot/front/image/compressed'
    # The node's own entry in the file too.
    file = tmp_path / 'mine.yaml'
    file.write_text('/robot/segment_node: {ros__parameters: {cameras: [top]}}')
    assert shown(params_file=str(file))['/camera/image_raw'] == '/robot/top/image'


@needs_launch
def test_the_evaluation_follows_the_params_file(tmp_path: Path) -> None:
    evaluate = load('evaluate.launch.py')
    file = tmp_path / 'mine.yaml'

    def given(**values: str) -> tuple[dict[str, Any], dict[str, str]]:
        from launch.actions import IncludeLaunchDescription

        actions = set_up(evaluate, bag='bag', **values)
        included = [a for a in actions if isinstance(a, IncludeLaunchDescription)]
        own, files = parameters(node(actions, 'evaluate_node'))
        assert files == []
        return own, dict(included[0].launch_arguments)

    actions = set_up(evaluate, bag='bag')
    # Beside the evaluator's own name, whatever namespace both are in.
    assert dict(node(actions, 'evaluate_node').expanded_remapping_rules)['label'] == (
        'segment_node/label'
    )

    own, included = given()
    # As in the file that comes with the package.
    assert own == {'mode': 'live', 'weights': 'spssn_camvid'}
    assert (included['weights'], included['transport']) == ('', '')
    assert included['bag_options'].endswith('--topics /camera/image_raw /camera/label_truth')

    file.write_text('/**: {ros__parameters: {weights: mine, transport: compressed}}')
    own, included = given(params_file=str(file))
    assert own == {'mode': 'live', 'weights': 'mine'}
    assert (included['weights'], included['transport']) == ('', '')
    assert included['params_file'] == str(file)
    assert '--topics /camera/image_raw/compressed /camera/' in included['bag_options']

    own, included = given(
        params_file=str(file), weights='12', transport='raw', json='s.json', fail_under='1'
    )
    assert own == {'mode': 'live', 'weights': '12', 'json': 's.json', 'fail_under': 1.0}
    assert isinstance(own['fail_under'], float)
    assert (included['weights'], included['transport']) == ('12', 'raw')
    assert '--topics /camera/image_raw /camera/' in included['bag_options']


@needs_launch
def test_missing_bag_is_told_before_anything_starts(segment: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the bag '.*nothing\.mcap' does not exist"):
        set_up(segment, bag=str(tmp_path / 'nothing.mcap'))


@needs_launch
def test_a_tilde_is_the_home_folder(
    segment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'drive').mkdir()
    (tmp_path / 'p.yaml').write_text('/**: {ros__parameters: {cameras: [front]}}')
    played: list[str] = []
    monkeypatch.setattr(segment, 'start_bag', lambda bag, *_: played.append(bag) or [])
    actions = set_up(segment, bag='~/drive', params_file='~/p.yaml', image='/{camera}/raw')
    assert remappings(actions)['front/image'] == '/front/raw'
    assert played == [str(tmp_path / 'drive')]


@needs_launch
@pytest.mark.usefixtures('no_profile')
def test_dds_profile_is_set_unless_refused_or_there(
    segment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from launch import LaunchContext
    from launch.actions import LogInfo, SetEnvironmentVariable

    def profiles(**values: str) -> list[str]:
        actions = set_up(segment, **values)
        setters = [a for a in actions if isinstance(a, SetEnvironmentVariable)]
        # They must come before the processes that need them.
        assert actions[: len(setters)] == setters
        context = LaunchContext()
        for setter in setters:
            setter.execute(context)
        return sorted({''.join(part.text for part in setter.value) for setter in setters})

    assert [Path(path).name for path in profiles()] == ['fastdds_large_images.xml']
    assert profiles(dds_profile='none') == ['none']
    with pytest.raises(ValueError, match=r"'/no/such\.xml' is not a file"):
        profiles(dds_profile='/no/such.xml')
    monkeypatch.setenv('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp')
    assert profiles() == []
    assert not any(isinstance(action, LogInfo) for action in set_up(segment))
    monkeypatch.delenv('RMW_IMPLEMENTATION')
    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', 'mine.xml')
    assert profiles() == []


# Whole runs, with the installed executables.


class Noise:
    """A scene whose every frame differs."""

    camera_matrix = np.eye(3)

    def render(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(round(time_s * 1000))
        image = random.integers(0, 256, (64, 96, 3), np.uint8)
        return image, (image[..., 0] % 11).astype(np.uint8)


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    from spssn_ros.bags.labelled import write_street_bag
    from spssn_ros.bags.writer import Storage

    path = tmp_path / 'bag'
    # As many as the player keeps for a subscriber that is late.
    write_street_bag(path, Noise(), 10, 10.0, Storage.MCAP)
    return path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, no_profile: None) -> Callable[..., int]:
    """Return a function that launches a file as `ros2 launch` does; it returns the status."""
    ament = pytest.importorskip('ament_index_python', reason='the ament index is not installed')
    try:
        share = Path(ament.get_package_share_directory('spssn_ros'))
    except (LookupError, OSError):
        pytest.skip('spssn_ros is not installed in the ament index (make test does it)')
    from launch import LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')

    def launch(name: str, *actions: Any, **arguments: str) -> int:
        # What is registered last is told of an event first.
        service = LaunchService(noninteractive=True)
        source = PythonLaunchDescriptionSource(str(share / 'launch' / name))
        include = IncludeLaunchDescription(source, launch_arguments=arguments.items())
        service.include_launch_description(LaunchDescription([include, *actions]))
        return int(service.run())

    return launch


@needs_launch
def test_evaluate_scores_the_bag_and_ends_by_itself(
    run: Callable[..., int], bag: Path, random_weights: Path, tmp_path: Path
) -> None:
    assert (
        run(
            'evaluate.launch.py',
            bag=str(bag),
            weights=str(random_weights),
            device='cpu',
            json=str(tmp_path / 'scores.json'),
            report=str(tmp_path / 'report'),
        )
        == 0
    )
    scores = json.loads((tmp_path / 'scores.json').read_text())
    # A busy machine may drop frames, but every truth label is accounted for.
    assert scores['frames'] > 0
    assert scores['frames'] + scores['unmatched_labels'] == 10
    assert len(scores['iou']) == 11
    assert list((tmp_path / 'report').iterdir())


@needs_launch
@pytest.mark.parametrize(
    ('arguments', 'failed'),
    [
        ({'fail_under': '0.99'}, ('evaluate_node', 1)),
        ({'compare': '/no/such.json'}, ('evaluate_node', 2)),
        ({'label_topic': '/nothing'}, ('play_bag', 2)),
        ({'device': 'tpu'}, ('segment_node', 2)),
    ],
)
def test_the_launch_fails_with_its_processes(
    run: Callable[..., int],
    bag: Path,
    random_weights: Path,
    arguments: dict[str, str],
    failed: tuple[str, int],
) -> None:
    from launch.actions import RegisterEventHandler
    from launch.event_handlers import OnProcessExit

    ended: list[tuple[str, int]] = []

    def note(event: Any, _: Any) -> None:
        ended.append((event.action.node_executable, event.returncode))

    given = {'bag': str(bag), 'weights': str(random_weights), **arguments}
    handler = RegisterEventHandler(OnProcessExit(on_exit=note))
    assert run('evaluate.launch.py', handler, **given) == 1
    assert failed in ended


@needs_launch
@pytest.mark.parametrize(('respawn', 'starts'), [('True', 2), ('false', 1)])
def test_a_killed_node_is_started_again_if_so_asked(
    run: Callable[..., int], random_weights: Path, respawn: str, starts: int
) -> None:
    from launch.actions import RegisterEventHandler, Shutdown, TimerAction
    from launch.event_handlers import OnProcessExit, OnProcessIO

    pids: list[int] = []

    def look(event: Any) -> Any:
        if b'active: segmenting' not in event.text:
            return None
        pids.append(event.pid)
        if len(pids) == starts:
            return Shutdown() if starts > 1 else os.kill(event.pid, signal.SIGKILL)
        return os.kill(event.pid, signal.SIGKILL)

    def ended(event: Any, context: Any) -> Any:
        # Time enough to be started again.
        return TimerAction(period=4.0, actions=[Shutdown()]) if starts == 1 else None

    handlers = [
        RegisterEventHandler(OnProcessIO(on_stdout=look, on_stderr=look)),
        RegisterEventHandler(OnProcessExit(on_exit=ended)),
        TimerAction(period=300.0, actions=[Shutdown()]),
    ]
    arguments = {'weights': str(random_weights), 'device': 'cpu', 'respawn': respawn}
    run('segment.launch.py', *handlers, **arguments)
    assert len(pids) == len(set(pids)) == starts
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
