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
"""The demo's live part: three nodes in processes of their own, and a listener."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import SpssnError
from spssn_ros.nodes.children import Process, check_alive, isolate, started
from spssn_ros.nodes.listen import OverlayListener
from spssn_ros.nodes.params_file import parameter_words

READY_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class DemoJob:
    """What the demo plays.

    Attributes:
        bag: its path.
        image_topic: of the camera.
        label_topic: of the truth; '' if the bag has none.
        compressed: whether the camera's images are.
        weights: of the network.
        rate: speed factor of the bag.
        report: folder for evaluate_node's pictures.
        json: file for its scores.

    """

    bag: Path
    image_topic: str
    label_topic: str
    compressed: bool
    weights: str
    rate: float
    report: Path
    json: Path


def play_demo(job: DemoJob) -> list[NDArray[np.uint8]]:
    """Play the bag to segment_node and evaluate_node; return a few overlays, (H, W, 3) RGB.

    Raises:
        SpssnError: a node ended early, was not ready in time, answered no frame, or had no scores.

    """
    isolate()
    evaluator: Process | None = None
    print(f'[2/3] starting segment_node with {job.weights}', flush=True)
    with OverlayListener() as listener:
        with started('segment_node', _segment_arguments(job)) as segmenter:
            _wait(listener, listener.network_ready, segmenter, 'segment_node')
            if job.label_topic:
                with started('evaluate_node', _evaluate_arguments(job)) as evaluator:
                    _wait(listener, _evaluator_ready(listener), evaluator, 'evaluate_node')
                    _play(job, listener)
            else:
                _play(job, listener)
                # Nobody else tells how many were dropped, and how late the others were.
                listener.spin_until_told()
        if not listener.received:
            raise SpssnError('segment_node answered no frame; its log above says why')
        if evaluator is not None and evaluator.returncode:
            raise SpssnError('evaluate_node wrote no scores; its message above says why')
        if evaluator is None:
            print(listener.summary(), flush=True)
        return listener.overlays()


def _play(job: DemoJob, listener: OverlayListener) -> None:
    topics = [job.image_topic] + ([job.label_topic] if job.label_topic else [])
    print(f'[3/3] playing {job.bag}: {", ".join(topics)}', flush=True)
    options = ['--rate', str(job.rate), '--wait-for-subscribers', '30', '--topics', *topics]
    with started('play_bag', [str(job.bag), *options]) as player:
        listener.spin_until(lambda: player.poll() is not None, float('inf'))
    if player.returncode:
        check_alive(player, 'play_bag')
    # The last frames are still on their way.
    listener.spin_until_quiet()


def _segment_arguments(job: DemoJob) -> list[str]:
    topic = 'image/compressed' if job.compressed else 'image'
    transport = 'compressed' if job.compressed else 'raw'
    return [
        *('--ros-args', '-r', f'{topic}:={job.image_topic}'),
        *parameter_words({'weights': job.weights, 'transport': transport}),
    ]


def _evaluate_arguments(job: DemoJob) -> list[str]:
    # Only raw images enter the report's pictures; a compressed topic has another type.
    image = [] if job.compressed else ['-r', f'image:={job.image_topic}']
    given = {'weights': job.weights, 'report': str(job.report), 'json': str(job.json)}
    return [
        *('--ros-args', '-r', 'label:=/segment_node/label', *image),
        *('-r', f'label_truth:={job.label_topic}'),
        *parameter_words(given),
    ]


def _evaluator_ready(listener: OverlayListener) -> Callable[[], bool]:
    return lambda: listener.subscribers('/segment_node/label') > 0


def _wait(
    listener: OverlayListener, ready: Callable[[], bool], process: Process, name: str
) -> None:
    listener.spin_until(lambda: ready() or process.poll() is not None, READY_TIMEOUT_S)
    check_alive(process, name)
    if not ready():
        raise SpssnError(f'{name} was not ready within {READY_TIMEOUT_S:.0f} s')
