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
"""The node's state as diagnostic_msgs (REP 107)."""

import math
import time
from collections.abc import Iterable
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

from spssn_ros.inference import Segmenter
from spssn_ros.nodes.camera import Camera
from spssn_ros.runtime import SlotCounts

STUCK_S = 20.0
"""A frame at work for longer is an error.

Compiling for a new size is done by then, and so is capturing two graphs, of 3 to 7 s each, as a
GPU does for several cameras.
"""


def diagnostic_array(
    node_name: str,
    stamp: object,
    segmenter: Segmenter | None,
    cameras: Iterable[tuple[Camera, SlotCounts]],
) -> DiagnosticArray:
    """Return one status a camera.

    Args:
        node_name: fully qualified.
        stamp: builtin_interfaces/Time of now.
        segmenter: the network at work; None while the node is inactive.
        cameras: with the mailbox's counts.

    """
    array = DiagnosticArray()
    array.header.stamp = stamp
    array.status = [_status(node_name, segmenter, camera, counts) for camera, counts in cameras]
    return array


def age_ms(now: Time, stamp: Any) -> float:
    """Return the milliseconds since a header's stamp, by the clock of `now`; NaN for no stamp."""
    if not (stamp.sec or stamp.nanosec):
        return float('nan')
    # Not as a Time of rclpy, which refuses what lies before 1970: a damaged stamp, say.
    return (now.nanoseconds - (stamp.sec * 1_000_000_000 + stamp.nanosec)) / 1e6


def _status(
    node_name: str, segmenter: Segmenter | None, camera: Camera, counts: SlotCounts
) -> DiagnosticStatus:
    statistics = camera.statistics
    fps_in, fps_out = statistics.rate_in.per_second(), statistics.rate_out.per_second()
    values: dict[str, object] = {
        'fps_in': f'{fps_in:.1f}',
        'fps_out': f'{fps_out:.1f}',
        'received': counts.received,
        'answered': statistics.answered,
        'dropped': counts.dropped,
        'rejected': statistics.rejected,
        'last_error': statistics.last_error,
        'frame_age_ms': _number(statistics.frame_age_ms),
        **_engine(segmenter),
    }
    for stage, times in statistics.stages.percentiles().items():
        values[f'{stage}_ms_p50'] = _number(times.p50)
        values[f'{stage}_ms_p95'] = _number(times.p95)
    if torch.cuda.is_available():
        values['gpu_memory_mib'] = f'{torch.cuda.memory_reserved() / 2**20:.0f}'
    status = DiagnosticStatus()
    status.name = f'{node_name}: {camera.name or "camera"}'
    status.hardware_id = camera.topic
    status.level, status.message = _judge(segmenter is not None, camera, fps_in, fps_out)
    status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return status


def _engine(segmenter: Segmenter | None) -> dict[str, str]:
    if segmenter is None:
        return {'engine': '', 'device': '', 'backend': '', 'precision': ''}
    plan = segmenter.plan
    return {
        'engine': segmenter.description,
        'device': plan.device.value,
        'backend': plan.backend.value,
        'precision': segmenter.backend.precision.value,
    }


def _judge(active: bool, camera: Camera, fps_in: float, fps_out: float) -> tuple[bytes, str]:
    if not active:
        return DiagnosticStatus.WARN, 'inactive'
    since_s = camera.statistics.working_since_s
    if since_s is not None and (working_s := time.monotonic() - since_s) > STUCK_S:
        return DiagnosticStatus.ERROR, f'one frame has been at work for {working_s:.0f} s'
    if camera.statistics.pace.has_stopped():
        return DiagnosticStatus.WARN, f'no images on {camera.topic}'
    rejected = camera.statistics.rate_rejected.per_second()
    if rejected > 0 and fps_out == 0:
        return DiagnosticStatus.ERROR, camera.statistics.last_error
    if rejected > 0:
        return (
            DiagnosticStatus.WARN,
            f'{rejected:.1f} frames a second rejected: {camera.statistics.last_error}',
        )
    if not camera.wanted():
        return DiagnosticStatus.OK, 'idle: nobody subscribes'
    if camera.statistics.is_failing and fps_in == 0:
        # Of a slow camera, between two frames no rate tells anything.
        return DiagnosticStatus.ERROR, camera.statistics.last_error
    return DiagnosticStatus.OK, f'{fps_out:.1f} of {fps_in:.1f} frames a second answered'


def _number(value: float) -> str:
    return '' if math.isnan(value) else f'{value:.1f}'
