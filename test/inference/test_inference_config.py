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
"""Settings of inference are read from text, and the input size follows its rules."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spssn_ros.errors import ConfigError, DeviceError
from spssn_ros.inference import cpu_precision
from spssn_ros.inference import plan as plan_module
from spssn_ros.inference.config import (
    BackendName,
    Device,
    InferenceConfig,
    InputSize,
    Precision,
    parse_size,
)
from spssn_ros.inference.plan import Plan, plan
from spssn_ros.inference.say_once import say_once

TRAINED = (480, 360)


@pytest.mark.parametrize(
    ('frame', 'expected'),
    [
        ((480, 360), (480, 360)),
        ((960, 720), (480, 360)),
        ((240, 180), (480, 360)),
        # The same area at the frame's aspect ratio, in multiples of 8.
        ((2048, 1024), (584, 296)),
        ((1024, 2048), (296, 584)),
        # Within three per cent of the area's side: as it is, though no multiple of 8.
        ((485, 355), (485, 355)),
        ((470, 350), (470, 350)),
        ((466, 349), (480, 360)),
        # Never under 32.
        ((10000, 20), (9296, 32)),
    ],
)
def test_auto_keeps_area_and_aspect(frame: tuple[int, int], expected: tuple[int, int]) -> None:
    assert InputSize.parse('auto').for_frame(frame, TRAINED) == expected


def test_resized_frames_have_sides_of_the_network_s_stride() -> None:
    # 588 x 294 has the training's area; 592 x 288 is the nearest in multiples of 16.
    assert InputSize.parse('auto').for_frame((2048, 1024), TRAINED, stride=16) == (592, 288)
    assert InputSize.parse('native').for_frame((20, 501), TRAINED, stride=16) == (32, 496)


@pytest.mark.parametrize('frame', [(1, 64_000_000), (64_000_000, 1), (2, 3000), (20, 501)])
@pytest.mark.parametrize('text', ['auto', 'native'])
def test_no_aspect_ratio_makes_a_huge_network_input(text: str, frame: tuple[int, int]) -> None:
    width, height = InputSize.parse(text).for_frame(frame, TRAINED)
    area = frame[0] * frame[1] if text == 'native' else TRAINED[0] * TRAINED[1]
    assert min(width, height) >= 32
    assert width * height <= 4.1 * area


@pytest.mark.parametrize(
    ('frame', 'expected'),
    [
        ((2048, 1024), (2048, 1024)),
        ((33, 57), (33, 57)),
        ((20, 501), (32, 504)),
        ((1, 1), (32, 32)),
    ],
)
def test_native_keeps_the_frame(frame: tuple[int, int], expected: tuple[int, int]) -> None:
    assert InputSize.parse('native').for_frame(frame, TRAINED) == expected


def test_a_fixed_size_is_just_that() -> None:
    assert InputSize.parse('321x123').for_frame((2048, 1024), TRAINED) == (321, 123)


@pytest.mark.parametrize(
    'text', ['', 'big', '480', '480x', 'x360', '480x360x3', '31x480', '480x31', '16385x32', '-1x5']
)
def test_sizes_that_cannot_be(text: str) -> None:
    with pytest.raises(
        ConfigError,
        match=f"^input_size is '{text}'; give auto, native or WIDTHxHEIGHT in pixels, each 32 to "
        '16384, such as 480x360$',
    ):
        InputSize.parse(text)
    with pytest.raises(ConfigError, match=f"^output_size is '{text}'; give input or WIDTHx"):
        parse_size(text, 'output_size', ('input',))


def test_settings_from_text() -> None:
    assert InferenceConfig.parse() == InferenceConfig()
    assert InferenceConfig.parse('cpu', 'torch', 'float32', '64x32', 2) == InferenceConfig(
        Device.CPU, BackendName.TORCH, Precision.FLOAT32, InputSize((64, 32)), 2
    )


@pytest.mark.parametrize(
    ('settings', 'text'),
    [
        ({'device': 'gpu'}, "^device is 'gpu'; give one of auto, cuda, cpu$"),
        ({'backend': 'onnx'}, "^backend is 'onnx'; give one of auto, torch, openvino$"),
        (
            {'precision': 'int4'},
            "^precision is 'int4'; give one of auto, float32, bfloat16, float16, int8$",
        ),
        ({'input_size': 'x'}, "^input_size is 'x'; "),
        ({'cpu_threads': -1}, r'^cpu_threads is -1; give 0 \(automatic\) to 1024$'),
        ({'cpu_threads': 1025}, r'^cpu_threads is 1025; give 0 \(automatic\) to 1024$'),
        ({'cpu_threads': 3 * 10**9}, r'^cpu_threads is 3000000000; give 0 \(automatic\) to 1024$'),
        ({'cpu_threads': '2'}, r"^cpu_threads is '2'; give 0 \(automatic\) to 1024$"),
        ({'cpu_threads': 1.5}, r'^cpu_threads is 1\.5; give 0 \(automatic\) to 1024$'),
        ({'cpu_threads': None}, r'^cpu_threads is None; give 0 \(automatic\) to 1024$'),
        ({'input_size': (480, 360)}, r'^input_size is \(480, 360\); give auto, native or WIDTHx'),
    ],
)
def test_settings_that_cannot_be(settings: dict, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        InferenceConfig.parse(**settings)


class Machine:
    """Makes `plan` see a machine with or without things."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def has(self, cuda: bool, openvino: bool, bfloat16: bool = True) -> None:
        self._patch.setattr(torch.cuda, 'is_available', lambda: cuda)
        self._patch.setattr(
            plan_module.importlib.util, 'find_spec', lambda name: object() if openvino else None
        )
        self._patch.setattr(plan_module, '_import_openvino', lambda: None)
        self._patch.setattr(cpu_precision, 'cpu_prefers_bfloat16', lambda: bfloat16)


def test_texts_are_as_good_as_members() -> None:
    expected = InferenceConfig.parse('cpu', 'torch', 'float32', 'native')
    config = InferenceConfig('cpu', 'torch', 'float32', 'native')  # type: ignore[arg-type]
    assert config == expected
    # Members are compared by identity where they are used.
    assert config.device is Device.CPU
    assert config.backend is BackendName.TORCH
    assert config.precision is Precision.FLOAT32
    with pytest.raises(ConfigError, match=r"^backend is 'onnx'; give one of auto, torch, openv"):
        InferenceConfig(backend='onnx')  # type: ignore[arg-type]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize(
    ('cuda', 'openvino', 'bfloat16', 'expected'),
    [
        (True, True, True, ('cuda', 'torch', 'float16')),
        (False, True, True, ('cpu', 'openvino', 'bfloat16')),
        (False, True, False, ('cpu', 'openvino', 'float32')),
        (False, False, False, ('cpu', 'torch', 'float32')),
    ],
)
def test_auto_is_resolved_by_what_is_there(
    machine: Machine, cuda: bool, openvino: bool, bfloat16: bool, expected: tuple[str, str, str]
) -> None:
    machine.has(cuda, openvino, bfloat16)
    device, name, precision = expected
    assert plan(InferenceConfig()) == Plan(Device(device), BackendName(name), Precision(precision))


def test_a_missing_openvino_is_said_once(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.has(cuda=False, openvino=False)
    say_once.cache_clear()
    with caplog.at_level(logging.WARNING, 'spssn_ros'):
        plan(InferenceConfig.parse(backend='torch'))
        assert not caplog.records
        for _ in range(3):
            plan(InferenceConfig())
    assert [record.message for record in caplog.records] == [
        'openvino is not installed, so PyTorch runs the network, several times slower; '
        'pip install openvino'
    ]


@pytest.mark.parametrize(
    ('package', 'reason'),
    [
        ("raise ImportError('libopenvino.so.2500:\\ncannot open')", 'libopenvino.so.2500: cannot'),
        ("raise ModuleNotFoundError('No module named numpy')", 'No module named numpy'),
        # As an old version, without the names of today.
        ('', "cannot import name 'properties'"),
        ('properties = None', "module 'openvino' has no attribute 'Type'"),
    ],
    ids=['library', 'module', 'old', 'older'],
)
def test_an_openvino_that_cannot_be_imported(tmp_path: Path, package: str, reason: str) -> None:
    (tmp_path / 'openvino').mkdir()
    (tmp_path / 'openvino' / '__init__.py').write_text(package)
    code = (
        'from spssn_ros.errors import DeviceError\n'
        'from spssn_ros.inference import Segmenter\n'
        "for backend in ('auto', 'auto', 'openvino'):\n"
        '    try:\n'
        "        print(Segmenter.from_weights(device='cpu', backend=backend).description)\n"
        '    except DeviceError as error:\n'
        '        print(error)\n'
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, 'PYTHONPATH': path},
    )
    first, second, refusal = done.stdout.splitlines()
    assert first == second
    assert first.startswith('torch ')
    assert refusal.startswith(f"backend is 'openvino' but it cannot be imported ({reason}")
    assert refusal.endswith('); pip install --upgrade --force-reinstall openvino')
    assert done.stderr.count('openvino cannot be imported (') == 1
    assert 'Traceback' not in done.stderr


def test_what_is_asked_for_is_kept(machine: Machine) -> None:
    machine.has(cuda=True, openvino=True)
    assert plan(InferenceConfig.parse('cpu', 'torch', 'float32')) == Plan(
        Device.CPU, BackendName.TORCH, Precision.FLOAT32
    )
    # OpenVINO means the CPU, GPU or not.
    assert plan(InferenceConfig.parse(backend='openvino')).device is Device.CPU
    assert plan(InferenceConfig.parse(precision='float32')).device is Device.CUDA
    # So do 8-bit integers.
    assert plan(InferenceConfig.parse(precision='int8')) == Plan(
        Device.CPU, BackendName.OPENVINO, Precision.INT8
    )


@pytest.mark.parametrize(
    ('cuda', 'openvino', 'settings', 'text'),
    [
        (
            False,
            True,
            {'device': 'cuda'},
            r"^device is 'cuda' but torch sees no CUDA GPU \(.*'cpu'",
        ),
        (False, False, {'backend': 'openvino'}, "^backend is 'openvino' but it is not installed;"),
        (
            True,
            True,
            {'backend': 'openvino', 'device': 'cuda'},
            "^backend 'openvino' runs on the CPU; give device 'cpu' or 'auto'$",
        ),
        (False, True, {'precision': 'float16'}, "^precision 'float16' needs CUDA; on the CPU"),
        (
            True,
            True,
            {'precision': 'int8', 'device': 'cuda'},
            "^precision 'int8' runs by OpenVINO on the CPU; leave backend and device to 'auto', ",
        ),
        (False, True, {'precision': 'int8', 'backend': 'torch'}, "^precision 'int8' runs by Open"),
        (False, False, {'precision': 'int8'}, "^backend is 'openvino' but it is not installed"),
    ],
)
def test_what_is_not_there(
    machine: Machine, cuda: bool, openvino: bool, settings: dict[str, str], text: str
) -> None:
    machine.has(cuda, openvino)
    with pytest.raises(DeviceError, match=text):
        plan(InferenceConfig.parse(**settings))
