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
"""Play a bag with truth labels to segment_node and score what it answers, live.

ros2 launch spssn_ros evaluate.launch.py bag:=camvid_val.mcap report:=report rate:=0.5

The bag starts when the node is active; when it ends, the scores are printed and written.
"""

import shlex
import signal
from collections.abc import Callable
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events import matches_action
from launch.events.process import ProcessExited, SignalProcess
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from spssn_ros.files import from_home
from spssn_ros.nodes.params_file import parameter_in

FOLDER = Path(__file__).resolve().parent
# The last frame is still in the network when the bag ends.
LAST_FRAME_S = 3.0
# Pictures of the report take a while to write.
REPORT_S = '60'

# Arguments that segment.launch.py has too; it gets them as they are.
SHARED_ARGUMENTS = [
    DeclareLaunchArgument(
        'weights',
        default_value='',
        description='Weights: a path, or the name of shipped ones; their classes are scored. '
        'Empty: as in params_file.',
    ),
    DeclareLaunchArgument(
        'device',
        default_value='',
        description='auto, cuda or cpu. Empty: as in params_file.',
    ),
    DeclareLaunchArgument(
        'params_file',
        default_value=str(FOLDER.parent / 'config' / 'segment_node.yaml'),
        description='YAML file with the parameters of segment_node.',
    ),
    DeclareLaunchArgument(
        'transport',
        default_value='',
        choices=['', 'raw', 'compressed'],
        description='How the bag holds images: raw, or compressed under image_topic/compressed. '
        'Empty: as in params_file.',
    ),
    DeclareLaunchArgument(
        'dds_profile',
        default_value='shipped',
        description='Fast DDS profile for large images: shipped, none, or the path of an XML '
        'file. A profile in your environment goes before it.',
    ),
]
ARGUMENTS = [
    DeclareLaunchArgument('bag', description='Bag with images and truth labels.'),
    DeclareLaunchArgument(
        'rate', default_value='1.0', description='Speed of playing; 2 is twice as recorded.'
    ),
    DeclareLaunchArgument(
        'report',
        default_value='',
        description='Folder for a page with scores and frames. Empty: none.',
    ),
    DeclareLaunchArgument(
        'compare',
        default_value='',
        description='JSON file of an earlier evaluation to show beside. Empty: none.',
    ),
    DeclareLaunchArgument(
        'json', default_value='', description='File for the scores as JSON. Empty: none.'
    ),
    DeclareLaunchArgument(
        'fail_under',
        default_value='',
        description='Lowest mIoU (0..1) that will do: below it, evaluate_node says so and ends '
        'with status 1, and so does the launch. Empty: none.',
    ),
    DeclareLaunchArgument(
        'image_topic',
        default_value='/camera/image_raw',
        description='Topic of the camera images in the bag.',
    ),
    DeclareLaunchArgument(
        'label_topic',
        default_value='/camera/label_truth',
        description='Topic of the truth labels in the bag (mono8, a class id a pixel).',
    ),
    *SHARED_ARGUMENTS,
]


def is_node(executable: str) -> Callable[[LaunchDescriptionEntity], bool]:
    """Return a function that tells whether an action is the node of this executable."""
    return lambda action: isinstance(action, Node) and action.node_executable == executable


def in_force(values: dict[str, str], name: str) -> str:
    """Return an argument or, without it, the same parameter in params_file; '' without both.

    segment_node reads that file itself; the bag's topics and the scored classes follow from it.
    """
    if values[name]:
        return values[name]
    return str(parameter_in(from_home(values['params_file']), '/segment_node', name) or '')


def stop(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Shut down because a process has ended; fail where it failed.

    Raises:
        RuntimeError: it failed. Nothing else makes `ros2 launch` end with another status than 0,
            by which a script learns of `fail_under`.

    """
    if context.is_shutdown:
        return []
    if event.returncode != 0:
        raise RuntimeError(f'{event.process_name} ended with status {event.returncode}')
    return [Shutdown(reason='evaluation ended')]


def setup(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the three nodes, and what each one's events lead to."""
    values = {
        argument.name: LaunchConfiguration(argument.name).perform(context)
        for argument in ARGUMENTS
    }
    transport = in_force(values, 'transport')
    image = values['image_topic'] + '/compressed' * (transport == 'compressed')
    topics = [image, values['label_topic']]
    options = ['--rate', values['rate'], '--wait-for-subscribers', '30', '--topics', *topics]
    segment = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(FOLDER / 'segment.launch.py')),
        # The evaluator pairs by stamp, so the clock of the recording is of no use here.
        launch_arguments={
            'image': values['image_topic'],
            'use_sim_time': 'false',
            'bag': values['bag'],
            'bag_options': shlex.join(options),
            'rviz': 'false',
            **{a.name: values[a.name] for a in SHARED_ARGUMENTS},
        }.items(),
    )
    given = {**values, 'weights': in_force(values, 'weights')}
    types = {'weights': str, 'report': str, 'json': str, 'compare': str, 'fail_under': float}
    evaluator = Node(
        package='spssn_ros',
        executable='evaluate_node',
        name='evaluate_node',
        parameters=[
            {
                'mode': 'live',
                **{
                    name: ParameterValue(kind(given[name]), value_type=kind)
                    for name, kind in types.items()
                    if given[name]
                },
            }
        ],
        remappings=[
            # Both are in the same namespace, whatever a launch file that includes this one pushed.
            ('label', 'segment_node/label'),
            ('label_truth', values['label_topic']),
            ('image', values['image_topic']),
        ],
        sigterm_timeout=REPORT_S,
        output='screen',
    )

    def finish(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        if event.returncode != 0:
            return stop(event, context)
        interrupt = SignalProcess(
            signal_number=signal.SIGINT, process_matcher=matches_action(evaluator)
        )
        return [TimerAction(period=LAST_FRAME_S, actions=[EmitEvent(event=interrupt)])]

    return [
        RegisterEventHandler(OnProcessExit(target_action=is_node('play_bag'), on_exit=finish)),
        RegisterEventHandler(OnProcessExit(target_action=is_node('segment_node'), on_exit=stop)),
        RegisterEventHandler(OnProcessExit(target_action=evaluator, on_exit=stop)),
        # Goes before the evaluator, because it sets the DDS profile for both.
        segment,
        evaluator,
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the description that `ros2 launch` runs."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=setup)])
