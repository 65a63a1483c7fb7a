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
"""What every network must do, with every option that changes its structure."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spssn_ros.errors import ConfigError
from spssn_ros.inference import Segmenter
from spssn_ros.inference.fold_bn import fold_batch_norm
from spssn_ros.labels import CAMVID
from spssn_ros.models import (
    MODEL_NAMES,
    Network,
    Normalisation,
    WeightsInfo,
    create_model,
    predict_labels,
    predict_probabilities,
    save_weights,
)
from spssn_ros.tools.export import ExportFormat, export

CLASSES = len(CAMVID)
# Neither is a multiple of a stride.
WIDTH, HEIGHT = 131, 97
WITH_AUXILIARY = ('spssn', 'spssn_stream', 'fast_scnn')
STRIDES = {name: 8 if name in WITH_AUXILIARY else 16 for name in MODEL_NAMES}

Case = tuple[str, dict[str, Any]]
CASES: list[Case] = [
    *((name, {}) for name in MODEL_NAMES),
    ('spssn', {'chain_length': 2, 'first_stride': 1}),
    ('spssn', {'chain_length': 0}),
    ('spssn_stream', {'chain_length': 0, 'first_stride': 1}),
    ('fast_scnn', {'first_stride': 1}),
    ('fast_scnn', {'skip': False}),
]


def title(case: Case) -> str:
    return '-'.join([case[0], *(f'{key}={value}' for key, value in case[1].items())])


every_network = pytest.mark.parametrize('case', CASES, ids=title)
every_name = pytest.mark.parametrize('name', MODEL_NAMES)


def images(seed: int, batch: int, height: int, width: int) -> Tensor:
    """Blurred random frames, (batch, height, width, 3) uint8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, height // 8, width // 8, generator=generator) * 256
    smooth = functional.interpolate(coarse, (height, width), mode='bilinear')
    return smooth.permute(0, 2, 3, 1).to(torch.uint8).contiguous()


def scaled(frames: Tensor) -> Tensor:
    """Map uint8 frames to (batch, 3, height, width) in [-1, 1]."""
    return frames.permute(0, 3, 1, 2) / 127.5 - 1


def colors(seed: int, batch: int, height: int, width: int) -> Tensor:
    return scaled(images(seed, batch, height, width))


def assert_alike(actual: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= tolerance * expected.abs().max()


@cache
def _network(name: str, options: tuple[tuple[str, Any], ...]) -> Network:
    torch.manual_seed(3)
    model = create_model(name, CLASSES, **dict(options))
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0, 0.2)
        norm.momentum = 1.0
    with torch.no_grad():
        # A look at data gives batch norm statistics of its own.
        model.train()(colors(0, 4, HEIGHT, WIDTH))
        # Every class wins somewhere in the first image: logits get mean 0 and deviation 1.
        logits = model.eval()(colors(0, 1, HEIGHT, WIDTH))
        last = model.classifier[-1]
        mean, deviation = logits.mean((0, 2, 3)), logits.std((0, 2, 3))
        last.bias.sub_(mean).div_(deviation)
        last.weight.div_(deviation[:, None, None, None])
    return model


def network(case: Case) -> Network:
    """Return a network in evaluation mode that looks trained; tests must not change it."""
    return _network(case[0], tuple(case[1].items()))


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Case], Path]:
    """Return a function that writes a network's weights file."""

    def save(case: Case) -> Path:
        path = tmp_path / 'weights.safetensors'
        info = WeightsInfo(case[0], case[1], CAMVID, Normalisation(), (96, 64))
        save_weights(path, network(case), info)
        return path

    return save


@every_network
@pytest.mark.parametrize('size', [(97, 131), (64, 96), (33, 47)])
def test_logits_have_the_input_s_size_over_the_stride_rounded_up(
    case: Case, size: tuple[int, int]
) -> None:
    model = network(case)
    stride = model.output_stride
    assert stride == STRIDES[case[0]]
    height, width = size
    three = colors(1, 3, height, width)
    with torch.inference_mode():
        logits, alone = model(three), model(three[1:2])
    assert logits.shape == (3, CLASSES, -(-height // stride), -(-width // stride))
    assert logits.isfinite().all()
    # Images of a batch do not see each other.
    assert_alike(alone, logits[1:2])
    assert (logits[0] - logits[1]).abs().max() > 0.1


@every_network
def test_batch_norm_folds_into_the_convolutions(case: Case) -> None:
    model = network(case)
    folded = fold_batch_norm(model)
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    x = colors(2, 1, HEIGHT, WIDTH)
    with torch.inference_mode():
        expected, logits = model(x), folded(x)
    assert expected.std() > 0.1
    assert_alike(logits, expected, 1e-4)


@pytest.mark.parametrize(
    ('name', 'export_format'),
    [
        *((name, ExportFormat.ONNX) for name in MODEL_NAMES),
        # The engine's test converts the others to OpenVINO.
        ('shufflenetv2_dpc', ExportFormat.OPENVINO),
        ('mobilenetv2_basic', ExportFormat.OPENVINO),
    ],
)
def test_exports_compute_the_same(
    name: str, export_format: ExportFormat, saved: Callable[[Case], Path], tmp_path: Path
) -> None:
    openvino = pytest.importorskip('openvino')
    if export_format is ExportFormat.ONNX:
        pytest.importorskip('onnxscript', reason='pip install onnx onnxscript')
    case = (name, {})
    written = export(str(saved(case)), export_format, tmp_path / 'net', (WIDTH, HEIGHT))
    frames = images(5, 1, HEIGHT, WIDTH)
    with torch.inference_mode():
        expected = network(case)(scaled(frames))
    assert written.output_shape == tuple(expected.shape)
    settings = {'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': 1}
    compiled = openvino.Core().compile_model(written.files[0], 'CPU', settings)
    assert_alike(torch.from_numpy(compiled(frames.numpy())[0]), expected, 1e-3)


@pytest.mark.parametrize(
    ('case', 'backend'),
    [
        *((case, 'torch') for case in CASES),
        *(((name, {}), 'openvino') for name in MODEL_NAMES),
    ],
    ids=lambda value: value if isinstance(value, str) else title(value),
)
def test_the_engine_runs_it_from_a_weights_file(
    case: Case, backend: str, saved: Callable[[Case], Path]
) -> None:
    pytest.importorskip(backend)
    segmenter = Segmenter.from_weights(
        saved(case),
        device='cpu',
        precision='float32',
        backend=backend,
        input_size='native',
        cpu_threads=1,
    )
    frames = images(0, 1, HEIGHT, WIDTH)
    labels = predict_labels(network(case), scaled(frames))[0].numpy()
    probabilities = predict_probabilities(network(case), scaled(frames))[0]
    assert len(np.unique(labels)) >= 5
    torch.testing.assert_close(probabilities.sum(0), torch.ones(HEIGHT, WIDTH))
    result = segmenter(frames[0].numpy(), with_confidence=True)
    assert result.labels.shape == (HEIGHT, WIDTH)
    # Rounding decides between classes that are as good as equal.
    assert (result.labels == labels).mean() > 0.995
    assert result.confidence is not None
    np.testing.assert_allclose(result.confidence / 255, probabilities.amax(0), atol=0.01)


@every_name
def test_resized_frames_enter_in_multiples_of_the_stride(
    name: str, saved: Callable[[Case], Path]
) -> None:
    segmenter = Segmenter.from_weights(saved((name, {})), device='cpu', backend='torch')
    width, height = segmenter.input_size_for((2048, 1024))
    assert (width % STRIDES[name], height % STRIDES[name]) == (0, 0)
    assert (width, height) == ((112, 56) if STRIDES[name] == 8 else (112, 48))


@every_network
def test_a_seed_fixes_the_weights(case: Case) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(create_model(case[0], 5, **case[1]).state_dict())
    first, again, other = states
    assert all(torch.equal(first[key], again[key]) for key in first)
    convolutions = [key for key, value in first.items() if value.ndim == 4]
    assert not any(torch.equal(first[key], other[key]) for key in convolutions)


@every_network
def test_an_input_fixes_the_logits(case: Case) -> None:
    model, x = network(case), colors(4, 2, HEIGHT, WIDTH)
    with torch.inference_mode():
        logits = model(x)
        assert torch.equal(model(x), logits)
        striped = model(x.contiguous(memory_format=torch.channels_last))
    assert_alike(striped, logits)


@every_network
def test_the_gradient_reaches_every_parameter(case: Case) -> None:
    torch.manual_seed(0)
    # In evaluation mode: in training, batch norm takes away any bias before it.
    model = create_model(case[0], 5, **case[1]).eval()
    logits = model(torch.rand(2, 3, 96, 128))
    loss = functional.cross_entropy(logits, logits.detach().roll(1, 1).argmax(1))
    loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # Zeroing the skip connection leaves its parameters for other weights to fill.
    expected = 'shallow.' if case[1].get('skip') is False else 'none'
    assert all(name.startswith(expected) for name in without), without


@every_name
def test_unknown_options_and_values_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} takes no such option: .*'width'"):
        create_model(name, width=2)
    with pytest.raises(ConfigError, match=r'^num_classes is 0; give an integer, at least 1$'):
        create_model(name, 0)
    with pytest.raises(ConfigError, match=r'^dropout is 1; give a probability from 0 to below 1$'):
        create_model(name, dropout=1)


@pytest.mark.parametrize('name', WITH_AUXILIARY)
def test_auxiliary_heads_serve_training_only(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_model(name, CLASSES, auxiliary=True).eval()
    x = colors(6, 2, HEIGHT, WIDTH)
    logits, auxiliary = model.forward_auxiliary(x)
    assert torch.equal(model(x), logits)
    # Behind learning to downsample at 1/8, behind the global feature extractor at 1/32.
    assert [tuple(other.shape) for other in auxiliary] == [
        (2, CLASSES, 13, 17),
        (2, CLASSES, 4, 5),
    ]
    sum(other.square().mean() for other in (logits, *auxiliary)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(p.grad.any() for p in model.auxiliary.parameters())
    # A weights file holds nothing of them.
    path = tmp_path / 'weights.safetensors'
    options = {'auxiliary': True, 'dropout': 0.2}
    save_weights(path, model, WeightsInfo(name, options, CAMVID, Normalisation(), (96, 64)))
    segmenter = Segmenter.from_weights(path, backend='torch')
    assert segmenter.info.options == {'dropout': 0.2}


@every_name
def test_without_auxiliary_heads_none_are_there(name: str) -> None:
    model = create_model(name, 3)
    assert model.auxiliary is None
    with pytest.raises(ConfigError, match=r'^the network has no auxiliary heads; .*=True$'):
        model.forward_auxiliary(torch.rand(1, 3, 32, 32))
    if name not in WITH_AUXILIARY:
        with pytest.raises(ConfigError, match=f"^{name} takes no such option: .*'auxiliary'"):
            create_model(name, auxiliary=True)
