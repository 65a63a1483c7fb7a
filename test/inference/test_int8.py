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

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spssn_ros.errors import ConfigError, WeightsError
from spssn_ros.inference import InferenceConfig, Segmenter, segmenter
from spssn_ros.inference.config import Precision
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.inference.say_once import say_once
from spssn_ros.models import QuantizedGraph, load_weights, save_weights
from spssn_ros.synthetic import StreetScene

backend = pytest.importorskip('spssn_ros.inference.openvino_backend')
openvino = pytest.importorskip('openvino')

Paint = Callable[..., np.ndarray]
SIZE = (96, 64)
INT8 = InferenceConfig.parse('cpu', precision='int8', input_size='native', cpu_threads=1)


class Reversed(torch.nn.Module):
    """The network with its classes in reverse, which tells whether the graph or it has run."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.network(frames).flip(1)


def graph_of(network: torch.nn.Module, folder: Path) -> QuantizedGraph:
    """Return a graph that holds floats: how many bits it has is OpenVINO's matter."""
    model = backend.to_openvino(backend.prepared(network.eval()), SIZE)
    openvino.save_model(model, folder / 'graph.xml', compress_to_fp16=False)
    xml, weights = ((folder / name).read_bytes() for name in ('graph.xml', 'graph.bin'))
    return QuantizedGraph(SIZE, xml, weights, 7, {'openvino': '1.2'})


@pytest.fixture(scope='module')
def graph(random_network: Any, tmp_path_factory: pytest.TempPathFactory) -> QuantizedGraph:
    model, info = random_network
    network = FromUint8(fold_batch_norm(model), info.normalisation)
    return graph_of(Reversed(network), tmp_path_factory.mktemp('graph'))


@pytest.fixture(scope='module')
def floats(random_weights: Path) -> Segmenter:
    return Segmenter.from_weights(
        random_weights, 'cpu', 'auto', 'openvino', input_size='native', cpu_threads=1
    )


def test_the_graph_serves_its_size(
    random_network: Any, graph: QuantizedGraph, floats: Segmenter, tmp_path: Path, picture: Paint
) -> None:
    save_weights(tmp_path / 'both.safetensors', *random_network, graph)
    integers = Segmenter.from_weights(
        tmp_path / 'both.safetensors', precision='int8', input_size='native', cpu_threads=1
    )
    assert integers.description == 'openvino int8 on cpu'
    rgb = picture(*SIZE)
    # The floats that a graph holds are never bfloat16, whatever `auto` is here.
    exact = Segmenter(*random_network, replace(INT8, precision=Precision.FLOAT32))
    expected = 10 - exact(rgb).labels
    # The second time it comes from the folder of compiled networks, not the floats.
    for _ in range(2):
        assert (integers(rgb).labels == expected).mean() > 0.99
        integers = Segmenter(*random_network, INT8, graph)
    # Nobody takes it unasked.
    unasked = Segmenter.from_weights(tmp_path / 'both.safetensors', 'cpu', backend='openvino')
    np.testing.assert_array_equal(unasked(rgb).labels, floats(rgb).labels)


def test_who_would_gain_by_the_graph_knows_it(
    random_network: Any,
    graph: QuantizedGraph,
    tmp_path: Path,
    picture: Paint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = tmp_path / 'both.safetensors'
    save_weights(both, *random_network, graph)

    def gains(size: tuple[int, int], *options: str, on: bool = True) -> bool:
        monkeypatch.setattr(segmenter, 'cpu_prefers_integers', lambda: on)
        engine = Segmenter.from_weights(both, 'cpu', *options, input_size='native')
        assert not engine.would_gain_by_integers, 'before a frame'
        engine(picture(*size))
        return engine.would_gain_by_integers

    assert gains(SIZE, 'auto', 'openvino')
    assert not gains(SIZE, 'auto', 'openvino', on=False)
    assert not gains((80, 64), 'auto', 'openvino'), 'the graph is for another size'
    assert not gains(SIZE, 'auto', 'torch'), 'which computes no integers'
    assert not gains(SIZE, 'int8'), 'it has them'
    # What is written without the graph does not speak of it.
    info = load_weights(both)[1]
    assert info.int8_size == SIZE
    save_weights(tmp_path / 'floats.safetensors', random_network[0], info)
    assert load_weights(tmp_path / 'floats.safetensors')[1].int8_size is None


@pytest.mark.parametrize('name', ['spssn_camvid', 'spssn_camvid_fast'])
def test_a_shipped_graph_compiles_and_agrees(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # With AMX, OpenVINO could not compile these with what is left in floats as bfloat16.
    monkeypatch.setattr(backend, 'cpu_precision', lambda: Precision.BFLOAT16)
    integers = Segmenter.from_weights(name, precision='int8')
    exact = Segmenter.from_weights(name, 'cpu', 'float32', 'openvino')
    frame, _ = StreetScene().render(0.0)
    assert (integers(frame).labels != exact(frame).labels).mean() < 0.05
    (request,) = integers.backend._compiled.values()
    hint = request.get_compiled_model().get_property('INFERENCE_PRECISION_HINT')
    assert hint == openvino.Type.f32


def test_another_size_takes_floats_and_says_so_once(
    random_network: Any,
    graph: QuantizedGraph,
    floats: Segmenter,
    picture: Paint,
    caplog: pytest.LogCaptureFixture,
) -> None:
    integers = Segmenter(*random_network, INT8, graph)
    say_once.cache_clear()
    rgb = picture(80, 64)
    with caplog.at_level(logging.WARNING, 'spssn_ros'):
        integers(picture(*SIZE))
        assert integers.description == 'openvino int8 on cpu'
        assert not caplog.records
        for _ in range(2):
            np.testing.assert_array_equal(integers(rgb).labels, floats(rgb).labels)
    # It tells what has computed the latest frame.
    assert integers.description == floats.description
    assert integers.backend.precision is floats.backend.precision
    integers(picture(*SIZE))
    assert integers.description == 'openvino int8 on cpu'
    (record,) = caplog.records
    assert record.message == (
        'frames enter at 80x64, but the weights hold 8-bit integers for 96x64 only, so floats are '
        'taken; run `spssn quantize` with such frames, or choose that input_size'
    )


def test_weights_without_a_graph(random_weights: Path, random_network: Any) -> None:
    with pytest.raises(ConfigError, match=r'holds no 8-bit graph; .* `spssn quantize BAG --w'):
        Segmenter.from_weights(random_weights, precision='int8')
    with pytest.raises(ConfigError, match=r'comes without an 8-bit graph; .* `spssn quantize`'):
        Segmenter(*random_network, INT8)


def test_a_graph_that_openvino_cannot_read(
    random_network: Any, graph: QuantizedGraph, picture: Paint
) -> None:
    for bad in (
        replace(graph, xml=b''),
        replace(graph, xml=graph.xml[: len(graph.xml) // 2]),
        replace(graph, weights=graph.weights[: len(graph.weights) // 2]),
        replace(graph, weights=b''),
    ):
        with pytest.raises(WeightsError) as caught:
            Segmenter(*random_network, INT8, bad)(picture(*SIZE))
        assert re.match(
            r"OpenVINO .* cannot read the 8-bit graph of the weights, made by {'openvino': '1.2'} "
            r'\(.*\); run `spssn quantize` again$',
            str(caught.value),
        )
        assert '\n' not in str(caught.value)


def test_a_graph_of_another_network(
    random_network: Any, tmp_path: Path, picture: Paint, graph: QuantizedGraph
) -> None:
    class Fewer(Reversed):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            return self.network(frames)[:, :5]

    model, info = random_network
    fewer = graph_of(Fewer(FromUint8(fold_batch_norm(model), info.normalisation)), tmp_path)
    with pytest.raises(
        WeightsError,
        match=r"has inputs and outputs .*\('f32', 1, 8, 12, 5\)\], but the network "
        r".*\('f32', 1, 8, 12, 11\)\]; run `spssn quantize` again",
    ):
        Segmenter(model, info, INT8, fewer)(picture(*SIZE))
    nothing = replace(graph, xml=b'<net name="x" version="11"></net>')
    with pytest.raises(WeightsError, match=r'has inputs and outputs \[\], but'):
        Segmenter(model, info, INT8, nothing)(picture(*SIZE))
    with pytest.raises(
        WeightsError, match=r"\[\('u8', 1, 64, 96, 3\).*, but .*'u8', 1, 64, 80, 3"
    ):
        Segmenter(model, info, INT8, replace(graph, size=(80, 64)))(picture(80, 64))
