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
"""What the label ids mean, as vision_msgs/LabelInfo: with a stand-in for that package."""

import dataclasses
import importlib
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
from std_msgs.msg import Header

from spssn_ros.labels import CAMVID
from spssn_ros.models import Normalisation, WeightsInfo
from spssn_ros.nodes import messages


@dataclass
class FakeVisionClass:
    """The fields of vision_msgs/VisionClass (4.x)."""

    class_id: int = 0
    class_name: str = ''


@dataclass
class FakeLabelInfo:
    """The fields of vision_msgs/LabelInfo (4.x)."""

    header: Header = field(default_factory=Header)
    class_map: list[FakeVisionClass] = field(default_factory=list)
    threshold: float = 0.0


@pytest.fixture
def with_fake_vision_msgs() -> Iterator[Any]:
    try:
        import vision_msgs  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip('the real vision_msgs is installed; segment_node publishes its LabelInfo')
    package, module = types.ModuleType('vision_msgs'), types.ModuleType('vision_msgs.msg')
    vars(module).update(LabelInfo=FakeLabelInfo, VisionClass=FakeVisionClass)
    sys.modules |= {'vision_msgs': package, 'vision_msgs.msg': module}
    yield importlib.reload(messages)
    del sys.modules['vision_msgs'], sys.modules['vision_msgs.msg']
    importlib.reload(messages)


def test_label_info_maps_every_id_to_its_class(with_fake_vision_msgs: Any) -> None:
    assert with_fake_vision_msgs.LABEL_INFO_TYPE is FakeLabelInfo
    info = WeightsInfo('spssn', {}, CAMVID, Normalisation(), (96, 64))
    header = Header(frame_id='front')
    message = with_fake_vision_msgs.label_info(info, header, 0.25)
    assert message.header is header
    assert message.threshold == 0.25
    assert [dataclasses.astuple(c) for c in message.class_map] == list(enumerate(CAMVID.names))
