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
"""Start segment_node on one camera or several; if asked, play a bag to it and open RViz.

ros2 launch spssn_ros segment.launch.py image:=/camera/image_raw rviz:=true
ros2 launch spssn_ros segment.launch.py bag:=drive.mcap rviz:=true
ros2 launch spssn_ros segment.launch.py cameras:='[front, rear]' image:=/{camera}/image_raw
"""

import shlex
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessIO
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.utilities import make_namespace_absolute, prefix_namespace

from spssn_ros.files import from_home
from spssn_ros.nodes.dds import (
    CHOICE_VARIABLE,
    large_image_environment,
    shared_memory_shortage,
    uses_fast_dds,
)
from spssn_ros.nodes.params_file import parameter_in

# Launch files that include this one may write them as Python does.
BOOLEANS = ['true', 'false', 'True', 'False']
# What segment_node logs when it begins to answer.
ACTIVE = b'active: segmenting'
CONFIG = Path(__file__).resolve().parents[1] / 'config'

ARGUMENTS = [
    DeclareLaunchArgument(
        'image',
        default_value='',
        description='Topic of the camera images; for compressed ones without /compressed. '
        '{camera} in it stands for the name of each camera. Empty: /camera/image_raw; with '
        'cameras, NAME/image.',
    ),
    DeclareLaunchArgument(
        'camera_info',
        default_value='',
        description='Topic of the CameraInfo; {camera} as in image. Empty: camera_info beside '
        'the image.',
    ),
    DeclareLaunchArgument(
        'weights',
        default_value='',
        description='Weights: a path, or the name of shipped ones. Empty: as in params_file.',
    ),
    DeclareLaunchArgument(
        'device',
        default_value='',
        description='auto, cuda or cpu. Empty: as in params_file.',
    ),
    DeclareLaunchArgument(
        'params_file',
        default_value=str(CONFIG / 'segment_node.yaml'),
        description='YAML file with the parameters of segment_node.',
    ),
    DeclareLaunchArgument(
        'namespace',
        default_value='',
        description='Namespace of segment_node.',
    ),
    DeclareLaunchArgument(
        'cameras',
        default_value='',
        description="Names of several cameras: '[front, rear]' or front,rear. Empty: as in "
        'params_file, usually one camera without a name.',
    ),
    DeclareLaunchArgument(
        'transport',
        default_value='',
        description='raw or compressed images. Empty: as in params_file.',
    ),
    DeclareLaunchArgument(
        'rviz',
        default_value='false',
        choices=BOOLEANS,
        description='Open RViz with the camera image, the overlay, the classes and the road.',
    ),
    DeclareLaunchArgument(
        'bag',
        default_value='',
        description='Bag to play when segment_node is active. Empty: none.',
    ),
    DeclareLaunchArgument(
        'bag_options',
        default_value='',
        description="Options of play_bag, as in '--rate 2 --loop'.",
    ),
    DeclareLaunchArgument(
        'use_sim_time',
        default_value='auto',
        choices=[*BOOLEANS, 'auto'],
        description='Whether segment_node takes its time from /clock; auto: if a bag is played, '
        'else as in params_file.',
    ),
    DeclareLaunchArgument(
        'respawn',
        default_value='false',
        choices=BOOLEANS,
        description='Start segment_node again two seconds after it has ended, whatever the cause.',
    ),
    DeclareLaunchArgument(
        'dds_profile',
        default_value='shipped',
        description='Fast DDS profile for large images: shipped, none, or the path of an XML '
        'file. A profile in your environment goes before it.',
    ),
]


def is_true(text: str) -> bool:
    """Whether one of `BOOLEANS` is true."""
    return text.lower() == 'true'


def dds_setup(profile: str, processes: int) -> list[LaunchDescriptionEntity]:
    """Return what gives the processes started afterwards a DDS profile for large images."""
    if not uses_fast_dds():
        return []
    if profile == 'none':
        # The executables would set it themselves.
        return [SetEnvironmentVariable(CHOICE_VARIABLE, 'none')]
    variables = large_image_environment(None if profile == 'shipped' else Path(profile))
    if not variables:
        return [LogInfo(msg='Fast DDS: your environment names a profile or transports; kept')]
    actions: list[LaunchDescriptionEntity] = [
        SetEnvironmentVariable(name, path) for name, path in variables.items()
    ]
    shortage = shared_memory_shortage(processes) if profile == 'shipped' else None
    if shortage is not None:
        actions.append(LogInfo(msg=f'WARNING: {shortage}'))
    return actions


def camera_names(text: str) -> list[str]:
    """Return the names in '[front, rear]' or 'front,rear'."""
    names = [name.strip(' \'"') for name in text.strip('[] ').split(',')]
    return [name for name in names if name]


def cameras_in(params_file: Path, node: str) -> list[str]:
    """Return the names that the parameter file gives the node, which reads it itself."""
    names = parameter_in(params_file, node, 'cameras')
    return [str(name) for name in names if name] if isinstance(names, list) else []


def camera_remappings(image: str, camera_info: str, cameras: list[str]) -> list[tuple[str, str]]:
    """Return the remappings of the node's inputs, camera by camera.

    Raises ValueError where several cameras would read one topic, or {camera} has no name.
    """
    if not cameras and '{camera}' in image + camera_info:
        raise ValueError(
            f"image is '{image}' and camera_info '{camera_info}', but no camera has a name; give "
            'cameras, as in cameras:=front,rear'
        )
    image = image or ('{camera}/image' if cameras else '/camera/image_raw')
    folder, slash, _ = image.rpartition('/')
    info = camera_info or f'{folder}{slash}camera_info'
    if len(cameras) > 1 and not ('{camera}' in image and '{camera}' in info):
        raise ValueError(
            f"cameras names {len(cameras)} but image is '{image}' and camera_info '{info}'; put "
            '{camera} where the name of the camera belongs, as in image:=/{camera}/image_raw'
        )
    remappings = []
    for camera in cameras or ['']:
        prefix = f'{camera}/' if camera else ''
        topic = image.replace('{camera}', camera)
        remappings += [
            (f'{prefix}image', topic),
            (f'{prefix}image/compressed', f'{topic}/compressed'),
            (f'{prefix}camera_info', info.replace('{camera}', camera)),
        ]
    return remappings


def start_bag(bag: str, options: list[str], segment_node: Node) -> list[LaunchDescriptionEntity]:
    """Return what plays the bag as soon as the node answers: loading a network takes seconds.

    Raises FileNotFoundError where there is no such bag.
    """
    if not Path(bag).exists():
        raise FileNotFoundError(f"the bag '{bag}' does not exist; give the path of a bag")
    player = Node(
        package='spssn_ros',
        executable='play_bag',
        # By then the subscribers have found the player.
        arguments=[bag, '--start-delay', '1', *options],
        output='screen',
    )
    waiting = [player]

    def start(event: ProcessIO) -> list[LaunchDescriptionEntity]:
        return [waiting.pop()] if waiting and ACTIVE in event.text else []

    return [
        RegisterEventHandler(
            OnProcessIO(target_action=segment_node, on_stdout=start, on_stderr=start)
        )
    ]


def setup(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the actions that the arguments ask for."""
    values = {
        argument.name: LaunchConfiguration(argument.name).perform(context)
        for argument in ARGUMENTS
    }
    for name in ('params_file', 'bag'):
        values[name] = str(from_home(values[name])) if values[name] else ''
    # The launch file that includes this one may have pushed one.
    pushed = context.launch_configurations.get('ros_namespace')
    namespace = make_namespace_absolute(prefix_namespace(pushed, values['namespace'])).rstrip('/')
    node = f'{namespace}/segment_node'
    given = camera_names(values['cameras'])
    cameras = given or cameras_in(Path(values['params_file']), node)
    bag = values['bag']
    use_sim_time = values['use_sim_time']
    sim_time = bool(bag) if use_sim_time == 'auto' else is_true(use_sim_time)
    parameters: dict[str, object] = {}
    # Else the file decides, or a SetParameter of the launch file that includes this one.
    if sim_time or use_sim_time != 'auto':
        parameters['use_sim_time'] = sim_time
    for name in ('weights', 'device', 'transport'):
        if values[name]:
            parameters[name] = ParameterValue(values[name], value_type=str)
    if given:
        parameters['cameras'] = given
    remappings = camera_remappings(values['image'], values['camera_info'], cameras)

    actions = dds_setup(values['dds_profile'], 1 + bool(bag) + is_true(values['rviz']))
    segment_node = Node(
        package='spssn_ros',
        executable='segment_node',
        name='segment_node',
        namespace=values['namespace'],
        parameters=[values['params_file'], *([parameters] if parameters else [])],
        remappings=remappings,
        # Threads of the inference engine take a while to end on a busy machine.
        sigterm_timeout='20',
        respawn=is_true(values['respawn']),
        respawn_delay=2.0,
        output='screen',
    )
    if bag:
        clock = ['--clock'] if sim_time else []
        actions += start_bag(bag, [*clock, *shlex.split(values['bag_options'])], segment_node)
    actions.append(segment_node)
    transport = values['transport'] or parameter_in(Path(values['params_file']), node, 'transport')
    config = 'segment_compressed.rviz' if transport == 'compressed' else 'segment.rviz'
    # RViz is not in the node's namespace.
    images = [t if t.startswith('/') else f'{namespace}/{t}' for _, t in remappings[:2]]
    outputs = f'{node}/{cameras[0]}' if cameras else node
    actions.append(
        Node(
            package='rviz2',
            executable='rviz2',
            arguments=['-d', str(CONFIG / config)],
            # The RViz files show the topics of one camera without a name.
            remappings=[
                ('/camera/image_raw', images[0]),
                ('/camera/image_raw/compressed', images[1]),
                *(
                    (f'/segment_node/{topic}', f'{outputs}/{topic}')
                    for topic in ('overlay', 'color', 'mask/road')
                    if outputs != '/segment_node'
                ),
            ],
            condition=IfCondition(values['rviz']),
            output='screen',
        )
    )
    return actions


def generate_launch_description() -> LaunchDescription:
    """Return the description that `ros2 launch` runs."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=setup)])
