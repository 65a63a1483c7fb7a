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

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed')
openvino = pytest.importorskip('openvino')
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from harness import camera_image, picture, ros_args, set_parameter, values  # noqa: E402

from spssn_ros.inference import Segmenter  # noqa: E402
from spssn_ros.inference.fold_bn import fold_batch_norm  # noqa: E402
from spssn_ros.inference.openvino_backend import prepared, to_openvino  # noqa: E402
from spssn_ros.inference.preprocess import FromUint8  # noqa: E402
from spssn_ros.models import QuantizedGraph, load_weights, save_weights  # noqa: E402


def with_graph(weights: Path, path: Path) -> Path:
    """Copy weights with a graph for pictures; its numbers are floats, which is quick to make."""
    height, width = picture().shape[:2]
    model, info = load_weights(weights)
    size = Segmenter(model, info).input_size_for((width, height))
    network = prepared(FromUint8(fold_batch_norm(model), info.normalisation).eval())
    openvino.save_model(to_openvino(network, size), path.with_suffix('.xml'), False)
    parts = (path.with_suffix(suffix).read_bytes() for suffix in ('.xml', '.bin'))
    save_weights(path, model, info, QuantizedGraph(size, *parts, 1, {}))
    return path


def test_integers_serve_their_size_and_other_weights_are_refused(
    peer: Any, run_node: Any, tiny_weights: Path, tmp_path: Path
) -> None:
    both = with_graph(tiny_weights, tmp_path / 'both.safetensors')
    node = run_node('segment_node', *ros_args(both, 'precision:=int8'))
    labels = peer.listen('/segment_node/label')
    peer.send_until(peer.publisher('image'), camera_image(picture()), lambda: labels)
    expected = Segmenter.from_weights(both, precision='int8')(picture()).labels
    assert bytes(labels[-1].data) == expected.tobytes()
    assert len(np.unique(expected)) > 1
    assert node.says('openvino int8 on cpu')
    assert 'floats are taken' not in node.output
    diagnostics = peer.listen('/diagnostics', DiagnosticArray)
    assert peer.spin_until(lambda: diagnostics)
    assert values(diagnostics[-1])['precision'] == 'int8'
    diagnostics.clear()
    assert set_parameter(peer, 'input_size', '64x48').successful
    peer.send_until(
        peer.publisher('image'),
        camera_image(picture()),
        lambda: diagnostics and values(diagnostics[-1])['precision'] != 'int8',
    )
    facts = values(diagnostics[-1])
    assert facts['engine'] == f'openvino {facts["precision"]} on cpu'
    assert node.says('floats are taken')
    refused = set_parameter(peer, 'weights', tiny_weights)
    assert not refused.successful
    assert f"precision is 'int8' but {tiny_weights} holds no 8-bit graph" in refused.reason
