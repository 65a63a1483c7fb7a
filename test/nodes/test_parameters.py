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
"""The parameter table is what is documented, and its values are checked in sentences."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from spssn_ros.errors import ConfigError
from spssn_ros.imaging import MAX_PIXELS
from spssn_ros.inference.config import BackendName, Device, InputSize, Precision
from spssn_ros.labels import CAMVID
from spssn_ros.nodes.parameters import PARAMETERS, Settings, Transport

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = {spec.name: spec.default for spec in PARAMETERS}


def parse(**values: Any) -> Settings:
    return Settings.parse(DEFAULTS | values)


def plain(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


def test_the_names_are_the_public_ones() -> None:
    assert set(DEFAULTS) == {
        'weights',
        'device',
        'backend',
        'precision',
        'input_size',
        'output_size',
        'cameras',
        'transport',
        'mask_classes',
        'overlay_alpha',
        'overlay_classes',
        'confidence_threshold',
        'max_rate',
        'max_image_megapixels',
        'cpu_threads',
        'autostart',
        'diagnostics_period',
    }
    assert len(DEFAULTS) == len(PARAMETERS)


def test_the_configuration_file_holds_every_default() -> None:
    text = (ROOT / 'config' / 'segment_node.yaml').read_text()
    values = yaml.safe_load(text)['/**']['ros__parameters']
    expected = {name: plain(default) for name, default in DEFAULTS.items()}
    assert values == expected
    assert {k: type(v) for k, v in values.items()} == {k: type(v) for k, v in expected.items()}


def test_the_readme_s_table_is_this_one() -> None:
    rows = re.findall(
        r'^\| `(\w+)` \| `(.*?)` \| (.*) \|$', (ROOT / 'README.md').read_text(), re.M
    )
    documented = [
        (name, yaml.safe_load(default), text) for name, default, text in rows if name in DEFAULTS
    ]
    assert documented == [
        (spec.name, plain(spec.default), spec.description + ' (restart)' * spec.read_only)
        for spec in PARAMETERS
    ]


def test_every_parameter_is_described_and_within_its_range() -> None:
    for spec in PARAMETERS:
        assert re.fullmatch(r'[A-Z].*\.', spec.description), spec.name
        if spec.range is not None:
            assert spec.range[0] <= spec.default <= spec.range[1]
            assert isinstance(spec.default, (int, float))
    ranged = {spec.name for spec in PARAMETERS if spec.range}
    numbers = {n for n, d in DEFAULTS.items() if isinstance(d, (int, float)) and d is not True}
    assert ranged == numbers


def test_the_defaults_mean_one_camera_and_everything_automatic() -> None:
    settings = parse()
    assert settings.weights == 'spssn_camvid'
    assert settings.inference.device is Device.AUTO
    assert settings.inference.backend is BackendName.AUTO
    assert settings.inference.precision is Precision.AUTO
    assert settings.inference.input_size == InputSize()
    assert settings.cameras == ('',)
    assert settings.transport is Transport.RAW
    assert (settings.output_size, settings.output_network) == (None, False)
    # Empty means every class.
    assert settings.mask_classes == settings.overlay_classes == ()
    assert settings.autostart
    # Offline tools allow as much as the node.
    assert settings.max_pixels == MAX_PIXELS


def test_values_are_parsed() -> None:
    settings = parse(
        device='cpu',
        backend='torch',
        precision='bfloat16',
        input_size='640x480',
        cpu_threads=3,
        cameras=['front', '/left/rear/'],
        transport='compressed',
        mask_classes=['road', 'car'],
        overlay_classes=['sky'],
        overlay_alpha=0.25,
        confidence_threshold=0.5,
        max_rate=7.5,
        max_image_megapixels=0.5,
        autostart=False,
        diagnostics_period=2.0,
    )
    inference = settings.inference
    assert (inference.device, inference.backend) == (Device.CPU, BackendName.TORCH)
    assert (inference.precision, inference.cpu_threads) == (Precision.BFLOAT16, 3)
    assert inference.input_size == InputSize((640, 480))
    assert settings.cameras == ('front', 'left/rear')
    assert settings.transport is Transport.COMPRESSED
    assert (settings.mask_classes, settings.overlay_classes) == (('road', 'car'), ('sky',))
    assert (settings.overlay_alpha, settings.confidence_threshold) == (0.25, 0.5)
    assert (settings.max_rate, settings.diagnostics_period) == (7.5, 2.0)
    assert settings.max_pixels == 500_000
    assert not settings.autostart


@pytest.mark.parametrize(
    ('text', 'size', 'network'),
    [
        ('input', None, False),
        ('network', None, True),
        ('64x48', (64, 48), False),
        # As of a small time-of-flight camera's cloud, or of one line of it.
        ('8x1', (8, 1), False),
    ],
)
def test_output_sizes(text: str, size: tuple[int, int] | None, network: bool) -> None:
    settings = parse(output_size=text)
    assert (settings.output_size, settings.output_network) == (size, network)


@pytest.mark.parametrize('names', [[], [''], ['', ''], ['/']])
def test_no_camera_name_is_the_single_camera(names: list[str]) -> None:
    assert parse(cameras=names).cameras == ('',)


@pytest.mark.parametrize('names', [['all'], ['road', 'all'], [], ['']])
def test_all_classes(names: list[str]) -> None:
    assert parse(mask_classes=names).mask_classes == ()


@pytest.mark.parametrize(
    ('values', 'text'),
    [
        ({'device': 'gpu'}, r"^device is 'gpu'; give one of auto, cuda, cpu$"),
        ({'backend': 'trt'}, r"^backend is 'trt'; give one of auto, torch, openvino$"),
        ({'precision': 'half'}, r"^precision is 'half'; give one of auto, float32, bfloat16, fl"),
        ({'input_size': '9x9'}, r"^input_size is '9x9'; give auto, native or WIDTHxHEIGHT in p"),
        ({'output_size': 'x'}, r"^output_size is 'x'; give input, network or WIDTHxHEIGHT in p"),
        ({'output_size': '0x8'}, r"^output_size is '0x8'; .* in pixels, each 1 to 16384, such as"),
        ({'output_size': '8x16385'}, r"^output_size is '8x16385'; give input, network or WIDTHxH"),
        ({'transport': 'h264'}, r"^transport is 'h264'; give raw or compressed$"),
        ({'overlay_alpha': 1.5}, r'^overlay_alpha is 1\.5; give a value from 0 to 1$'),
        ({'overlay_alpha': float('nan')}, r'^overlay_alpha is nan; give a value from 0 to 1$'),
        ({'confidence_threshold': -0.1}, r'^confidence_threshold is -0\.1; give a value from 0'),
        ({'max_rate': -1.0}, r'^max_rate is -1\.0; give a value from 0 to 1000$'),
        (
            {'max_image_megapixels': 0.0},
            r'^max_image_megapixels is 0\.0; give a value from 0\.001',
        ),
        ({'cpu_threads': -1}, r'^cpu_threads is -1; give a value from 0 to 1024$'),
        ({'diagnostics_period': 0.0}, r'^diagnostics_period is 0\.0; give a value from 0\.1 to'),
        ({'cameras': ['a', 'b', 'a/']}, r'^cameras names a twice$'),
        ({'cameras': ['front left']}, r"^cameras holds 'front left', which is no ROS name; use "),
        ({'cameras': ['a//b']}, r"^cameras holds 'a//b', which is no ROS name"),
        ({'cameras': ['2nd']}, r"^cameras holds '2nd', which is no ROS name"),
        ({'cameras': ['vorn_außen']}, r"^cameras holds 'vorn_außen', which is no ROS name"),
    ],
)
def test_values_that_cannot_be(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        parse(**values)


@pytest.mark.parametrize('name', ['mask_classes', 'overlay_classes'])
def test_classes_that_the_network_has_not(name: str) -> None:
    settings = parse(**{name: ['road', 'bus']})
    told = (
        f"^{name} names 'bus'; the classes of spssn_camvid are sky, building, .*, bicyclist; give "
        r'some of these, or \[all\] before weights of other classes$'
    )
    with pytest.raises(ConfigError, match=told):
        settings.check_classes(CAMVID)
    parse(**{name: ['road', 'car']}).check_classes(CAMVID)
