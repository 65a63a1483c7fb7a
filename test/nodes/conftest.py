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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope='session')
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a small SPSSN: real inference, quick to compile."""
    import torch

    from spssn_ros.labels import CAMVID
    from spssn_ros.models import Normalisation, WeightsInfo, create_model, save_weights

    torch.manual_seed(1)
    options = {'chain_length': 1}
    model = create_model('spssn', len(CAMVID), **options)
    # Untrained logits hardly differ; stretched, the picture decides the class.
    with torch.no_grad():
        model.classifier[-1].weight.mul_(20)
    info = WeightsInfo('spssn', options, CAMVID, Normalisation(), (96, 64))
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_weights(path, model, info)
    return path


@pytest.fixture
def peer() -> Iterator[Any]:
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    from harness import Peer

    made = Peer()
    yield made
    made.close()


@pytest.fixture
def run_node() -> Iterator[Callable[..., Any]]:
    """Start nodes; whatever still runs at the end of the test is stopped."""
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    from harness import RunningNode

    nodes: list[Any] = []

    def start(module: str, *arguments: str) -> Any:
        nodes.append(RunningNode(module, *arguments))
        return nodes[-1]

    yield start
    for node in nodes:
        node.stop()


@pytest.fixture
def bench(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Make an active `segment_node` in this process, of a class and with parameters given.

    The one made before ends.
    """
    rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
    from harness import environment, ros_args
    from in_process import Bench
    from rclpy.lifecycle import TransitionCallbackReturn

    for name, value in environment(in_process=True).items():
        if name.startswith('ROS_'):
            monkeypatch.setenv(name, value)
    benches: list[Bench] = []

    def close() -> None:
        while benches:
            benches.pop().close()
        rclpy.try_shutdown()

    def make(kind: Any, *parameters: str) -> Bench:
        close()
        # What is tested is the node; a GPU would answer other than the CPU that tests expect.
        given = ['device:=cpu', 'diagnostics_period:=0.1', *parameters]
        rclpy.init(args=ros_args(tiny_weights, *given))
        made = Bench(kind)
        benches.append(made)
        assert made.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert made.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        return made

    yield make
    close()
