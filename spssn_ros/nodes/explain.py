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
"""Says in the log, once a cause, why the node is silent or drops frames."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.topic_endpoint_info import TopicEndpointInfo

from spssn_ros.nodes.camera import Camera
from spssn_ros.nodes.dds import driver_setting, uses_fast_dds
from spssn_ros.nodes.parameters import Transport
from spssn_ros.nodes.pipeline import WORK_STAGES
from spssn_ros.runtime import SlotCounts

GRACE_S = 2.0
"""Discovery takes a moment; what ends within it is nothing to report."""

SILENT_S = 5.0
"""A camera that still sends nothing after so long is told of."""

REST_S = 60.0
"""What comes and goes within it is one cause, told once: drops about the limit, say."""

_LOOKS = 10
"""How often to look for whose QoS does not match before giving up."""

_FACTS = '/label_info_json'

_UNKNOWN_NODE = '_NODE_NAME_UNKNOWN_'

_IMAGE_TYPES = {
    Transport.RAW: 'sensor_msgs/msg/Image',
    Transport.COMPRESSED: 'sensor_msgs/msg/CompressedImage',
}


class Explainer:
    """Looks at the cameras about once a second and tells each cause when it begins.

    Args:
        node: whose log and graph are used.
        transport: of the camera images.
        counts: the mailbox's counts of a camera.

    """

    def __init__(
        self,
        node: LifecycleNode,
        transport: Transport,
        counts: Callable[[Camera], SlotCounts],
    ) -> None:
        self._node = node
        self._type = _IMAGE_TYPES[transport]
        self._counts = counts
        self._log = node.get_logger()
        self._since: dict[tuple[str, str], float] = {}
        self._gone: dict[tuple[str, str], float] = {}
        self._told: set[tuple[str, str]] = set()
        # The counts from which the share of drops is told, and since when.
        self._before: dict[str, tuple[float, SlotCounts]] = {}
        self._mismatched: dict[str, int] = {}

    def look(
        self,
        camera: Camera,
        would_gain_by_integers: bool = False,
        prepared_at_s: float = float('-inf'),
    ) -> None:
        """Tell what has begun since the last look.

        Args:
            camera: to look at.
            would_gain_by_integers: whether precision int8 would make its frames faster.
            prepared_at_s: see `Segmenter.prepared_at_s`.

        """
        topic = camera.topic
        pace = camera.statistics.pace
        no_frames = pace.has_stopped()
        if no_frames:
            published = self._look_at_publishers(camera)
        else:
            published = True
            # They end without a look at the graph, and are told when they begin again.
            self._end(camera, 'publisher')
            self._end(camera, 'type')
        self._cause(
            camera,
            'silent',
            published and no_frames,
            f'{topic} is published, but no image has come for {pace.patience_s():.0f} s: is the '
            f'camera running?{_large_images()}',
            grace_s=SILENT_S,
            rest_s=REST_S,
        )
        self._cause(
            camera,
            'subscriber',
            published and not camera.wanted(),
            f'idle: {topic} is published, but nobody subscribes to an output, so nothing '
            'is computed; subscribe to one, such as ~/label or ~/overlay',
            rest_s=REST_S,
        )
        self._cause(
            camera,
            'info',
            not no_frames and camera.info is None and 'camera_info' in camera.wanted(),
            f'~/{camera.info_remappable} has a subscriber, but nothing to send: no CameraInfo has '
            f'come on {camera.info_topic}; remap (--ros-args -r '
            f'{camera.info_remappable}:=/your/camera_info)',
            grace_s=SILENT_S,
            rest_s=REST_S,
        )
        self._cause(
            camera,
            'stamp',
            camera.statistics.unstamped,
            f'{topic}: the images have no stamp (header.stamp is zero), and so have the outputs: '
            'nothing can be matched with them by time, and their age is unknown; have the camera '
            'driver stamp its images',
            grace_s=0.0,
            rest_s=REST_S,
        )
        self._look_at_drops(camera, would_gain_by_integers, prepared_at_s)

    def note_mismatch(self, topic: str) -> None:
        """Have `look_at_qos` look at a topic: somebody's QoS on it does not match this node's."""
        self._mismatched[topic] = _LOOKS

    def look_at_qos(self) -> None:
        """Tell who does not match, and what is offered and requested."""
        for topic, looks in list(self._mismatched.items()):
            # The middleware tells of a mismatch before the graph knows whose it is.
            if self._tell_mismatch(topic) or looks == 1:
                del self._mismatched[topic]
            else:
                self._mismatched[topic] = looks - 1

    def _tell_mismatch(self, topic: str) -> bool:
        me = self._node.get_fully_qualified_name()
        found = False
        for publisher in self._node.get_publishers_info_by_topic(topic):
            for subscription in self._node.get_subscriptions_info_by_topic(topic):
                names = (_full_name(publisher), _full_name(subscription))
                offered, requested = publisher.qos_profile, subscription.qos_profile
                known = not any(name.endswith(_UNKNOWN_NODE) for name in names)
                if me not in names or not known or _compatible(offered, requested):
                    continue
                found = True
                key = (topic, ' '.join(names))
                if key not in self._told:
                    self._told.add(key)
                    self._log.warning(
                        f'incompatible QoS on {topic}: {names[0]} offers {_describe(offered)}, '
                        f'but {names[1]} requests {_describe(requested)}, so that no message '
                        'passes; request no more than is offered (parameters '
                        'qos_overrides.<topic>...)'
                    )
        return found

    def _look_at_publishers(self, camera: Camera) -> bool:
        """Tell why no image can come; return whether one could."""
        topic = camera.topic
        publishers = self._node.get_publishers_info_by_topic(topic)
        types = {info.topic_type for info in publishers}
        elsewhere = '' if types else self._elsewhere(topic)
        self._cause(
            camera,
            'publisher',
            not types,
            f'waiting for images: nobody publishes {topic}{elsewhere}; start the '
            f'camera, or remap (--ros-args -r {camera.remappable}:=/your/topic)',
        )
        found = ', '.join(sorted(types))
        self._cause(
            camera,
            'type',
            bool(types) and self._type not in types,
            f'{topic} is published as {found}, but the node reads {self._type}; remap to another '
            "topic, or set transport: 'raw' reads Image, 'compressed' CompressedImage",
        )
        # Of those whose QoS does not match `look_at_qos` tells.
        return self._type in types and self._has_match(topic, publishers)

    def _has_match(self, topic: str, publishers: Sequence[TopicEndpointInfo]) -> bool:
        me = self._node.get_fully_qualified_name()
        wanted = [
            info.qos_profile
            for info in self._node.get_subscriptions_info_by_topic(topic)
            if _full_name(info) == me
        ]
        return any(
            _compatible(info.qos_profile, profile) for info in publishers for profile in wanted
        )

    def _elsewhere(self, topic: str) -> str:
        """Name up to five other topics on which images are published; '' where there is none."""
        topics = self._node.get_topic_names_and_types()
        # What this node publishes, and others of its kind do, is no camera's.
        folders = [name.rpartition('/')[0] for name, _ in topics if name.endswith(_FACTS)]
        mine = self._node.get_fully_qualified_name()
        outputs = tuple(f'{folder}/' for folder in (mine, *folders) if folder)
        publishers = self._node.get_publishers_info_by_topic
        others = [
            f'{name} ({kinds[0].rpartition("/")[2]})'
            for name, kinds in topics
            if kinds[0] in _IMAGE_TYPES.values()
            and name != topic
            and not name.startswith(outputs)
            # An output may be remapped out of them.
            and any(_full_name(info) != mine for info in publishers(name))
        ]
        if not others:
            return ''
        return f' (images are on {", ".join(others[:5])}{", ..." if len(others) > 5 else ""})'

    def _look_at_drops(
        self, camera: Camera, would_gain_by_integers: bool, prepared_at_s: float
    ) -> None:
        counts = self._counts(camera)
        since_s, before = self._before.get(camera.name, (float('-inf'), SlotCounts()))
        if prepared_at_s > since_s:
            # While the network is compiled for a new size, frames of any rate are dropped.
            self._before[camera.name] = (time.monotonic(), counts)
            return
        received = counts.received - before.received
        # A share of a handful of frames says little.
        if received < 20:
            return
        self._before[camera.name] = (time.monotonic(), counts)
        share = (counts.dropped - before.dropped) / received
        stages = camera.statistics.stages.percentiles()
        # Without the time that the frame waited for its turn.
        work_ms = sum(stages[stage].p50 for stage in WORK_STAGES if stage in stages)
        self._cause(
            camera,
            'drops',
            share > 0.05,
            f'{camera.topic}: {share:.0%} of the frames are replaced by newer ones before their '
            f'turn, because a frame takes {work_ms:.0f} ms; lower the camera rate, set max_rate, '
            'or give a smaller input_size or lighter weights'
            + ', or start the node with precision int8, which these weights hold and this CPU is '
            'faster with' * would_gain_by_integers,
            rest_s=REST_S,
        )

    def _cause(
        self,
        camera: Camera,
        name: str,
        present: bool,
        text: str,
        grace_s: float = GRACE_S,
        rest_s: float = 0.0,
    ) -> None:
        """Tell what has been present for `grace_s`; again, once it had gone for `rest_s`."""
        if not present:
            self._end(camera, name, rest_s)
            return
        key = (camera.name, name)
        self._gone.pop(key, None)
        since = self._since.setdefault(key, time.monotonic())
        if key not in self._told and time.monotonic() - since >= grace_s:
            self._told.add(key)
            self._log.warning(text)

    def _end(self, camera: Camera, name: str, rest_s: float = 0.0) -> None:
        key = (camera.name, name)
        self._since.pop(key, None)
        if time.monotonic() - self._gone.setdefault(key, time.monotonic()) >= rest_s:
            self._told.discard(key)


def _large_images() -> str:
    if not uses_fast_dds():
        return ''
    return (
        " Fast DDS's default settings lose images above about 1 MB; start the camera driver with "
        f'{driver_setting()} in its environment'
    )


def _compatible(offered: QoSProfile, requested: QoSProfile) -> bool:
    return bool(qos_check_compatible(offered, requested)[0] != QoSCompatibility.ERROR)


def _describe(profile: QoSProfile) -> str:
    words = f'{profile.reliability.name}, {profile.durability.name}'
    return words.lower().replace('_', ' ')


def _full_name(endpoint: Any) -> str:
    namespace, name = endpoint.node_namespace, endpoint.node_name
    return f'{namespace.rstrip("/")}/{name}'
