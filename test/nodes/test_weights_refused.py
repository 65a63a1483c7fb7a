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
"""Weights that are damaged are refused while the node works on with those it has."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

rclpy = pytest.importorskip('rclpy', reason='rclpy is not installed')
from harness import camera_image, picture, ros_args, set_parameter  # noqa: E402


def test_a_live_swap_to_damaged_weights_is_refused_with_the_reason(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    cut, nan, pipe = (tmp_path / f'{name}.safetensors' for name in ('cut', 'nan', 'pipe'))
    cut.write_bytes(tiny_weights.read_bytes()[:-1])
    tensors = load_file(tiny_weights)
    key = next(key for key, value in tensors.items() if value.dtype == torch.float32)
    tensors[key].view(-1)[0] = float('nan')
    with safe_open(tiny_weights, framework='pt') as file:
        save_file(tensors, nan, file.metadata())
    os.mkfifo(pipe)
    node = run_node('segment_node', *ros_args(tiny_weights))
    labels = peer.listen('/segment_node/label')
    publisher, message = peer.publisher('image'), camera_image(picture())
    peer.send_until(publisher, message, lambda: labels)
    before = bytes(labels[-1].data)
    for path, reason in (
        (cut, 'is not a safetensors file'),
        (nan, f'is damaged: {key} holds what is no finite number'),
        (pipe, 'no weights file'),
    ):
        refused = set_parameter(peer, 'weights', path)
        assert not refused.successful
        assert reason in refused.reason
        assert str(path) in refused.reason
    labels.clear()
    peer.send_until(publisher, message, lambda: labels)
    assert bytes(labels[-1].data) == before
    assert 'Traceback' not in node.output
