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
"""`spssn export`: the exported files, run by OpenVINO, against the network in PyTorch."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spssn_ros.labels import LabelSet
from spssn_ros.models import Normalisation, WeightsInfo, create_model, load_weights, save_weights
from spssn_ros.tools import export as export_module
from spssn_ros.tools.main import main

openvino = pytest.importorskip('openvino', reason='openvino is not installed')

LABELS = LabelSet(('road', 'car', 'sky'), ((250, 0, 0), (0, 250, 0), (0, 0, 250)))
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
TEMPERATURE = 1.5


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    options = {'chain_length': 1, 'first_stride': 1}
    model = create_model('spssn', len(LABELS), **options)
    with torch.no_grad():
        model.classifier[-1].weight *= 10
        # Batch norm that does nothing would not show whether it was merged.
        for _ in range(3):
            model(torch.randn(4, 3, 64, 96))
    info = WeightsInfo('spssn', options, LABELS, Normalisation(MEAN, STD), (96, 64), TEMPERATURE)
    path = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    save_weights(path, model, info)
    return path


@pytest.fixture
def export(weights: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs `spssn export` and returns what it printed."""

    def run(*arguments: object, status: int = 0) -> str:
        assert main(['export', '--weights', str(weights), *map(str, arguments)]) == status
        output, errors = capsys.readouterr()
        assert (errors if status == 0 else output) == ''
        return output if status == 0 else errors

    return run


def run_by_openvino(path: Path, image: NDArray[np.uint8]) -> tuple[Any, NDArray]:
    core = openvino.Core()
    model = core.read_model(path)
    compiled = core.compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    return model, compiled({'image': image[None]})['logits'][0]


def run_by_torch(weights: Path, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the logits, written without what the export uses."""
    model, _ = load_weights(weights)
    normalised = (image / 255 - MEAN) / STD
    with torch.inference_mode():
        logits = model(torch.from_numpy(normalised).permute(2, 0, 1)[None].float())[0]
        return (logits / TEMPERATURE).numpy()


def check(path: Path, weights: Path, width: int, height: int) -> Any:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    model, logits = run_by_openvino(path, image)
    expected = run_by_torch(weights, image)
    assert expected.shape == (3, -(-height // 8), -(-width // 8))
    assert expected.std() > 0.1
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)
    assert model.inputs[0].element_type == openvino.Type.u8
    return model


def test_openvino(tmp_path: Path, weights: Path, export: Callable[..., str]) -> None:
    said = export('--format', 'openvino', '--output', tmp_path / 'new' / 'net.v1')
    files = [tmp_path / 'new' / 'net.v1.xml', tmp_path / 'new' / 'net.v1.bin']
    assert said == (
        f'{files[0]} and {files[1]}: image (1, 64, 96, 3) uint8 RGB to '
        'logits (1, 3, 8, 12) float32\n'
    )
    assert sorted((tmp_path / 'new').iterdir()) == sorted(files)
    model = check(files[0], weights, 96, 64)
    classes = model.get_rt_info(['spssn_ros', 'classes']).value
    assert json.loads(classes) == list(LABELS.names)


def test_onnx_of_another_size(tmp_path: Path, weights: Path, export: Callable[..., str]) -> None:
    pytest.importorskip('onnxscript', reason='pip install onnx onnxscript')
    path = tmp_path / 'net.onnx'
    # Sides that are no multiples of 8 nor of the pyramid's bins.
    said = export('--format', 'onnx', '--output', path, '--input-size', '85x50')
    assert said == f'{path}: image (1, 50, 85, 3) uint8 RGB to logits (1, 3, 7, 11) float32\n'
    assert list(tmp_path.iterdir()) == [path]
    model = check(path, weights, 85, 50)
    palette = model.get_rt_info(['framework', 'palette']).value
    assert json.loads(palette) == [list(color) for color in LABELS.palette]
    # Nothing of the machine that exported is in the file.
    data = path.read_bytes()
    assert str(Path(export_module.__file__).parents[1]).encode() not in data
    assert b'stack_trace' not in data


def test_bad_input_writes_nothing(
    tmp_path: Path,
    export: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    to = ('--output', tmp_path / 'net')
    for arguments, message in (
        (
            ('--format', 'onnx', *to),
            'format onnx needs Python packages that are not installed; run '
            '`pip install onnx onnxscript`',
        ),
        (
            ('--format', 'openvino', '--output', tmp_path / 'net.onnx'),
            f'--output is {tmp_path}/net.onnx but --format is openvino; give a name that ends in '
            '.xml',
        ),
        (
            ('--format', 'openvino', *to, '--input-size', '8x8'),
            "--input-size is '8x8'; give auto or WIDTHxHEIGHT in pixels, each 32 to 16384, such "
            'as 480x360',
        ),
        (('--format', 'openvino', *to, '--weights', 'none'), "no weights file 'none'; give"),
    ):
        errors = export(*arguments, status=2)
        assert errors.startswith(f'spssn: {message}')
        assert errors.count('\n') == 1
        assert list(tmp_path.iterdir()) == []


def test_a_failing_exporter_keeps_the_file_of_before(
    tmp_path: Path, export: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError('operator\nnot known')

    monkeypatch.setattr(export_module, '_write_openvino', fail)
    (tmp_path / 'net.xml').write_text('before')
    errors = export('--format', 'openvino', '--output', tmp_path / 'net.xml', status=2)
    assert 'cannot export spssn of ' in errors
    assert 'at 96x64 as openvino (operator not known); try another' in errors
    assert [path.name for path in tmp_path.iterdir()] == ['net.xml']
    assert (tmp_path / 'net.xml').read_text() == 'before'
