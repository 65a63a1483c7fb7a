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
"""Compiled networks outlive the process, and no file in the cache can do harm."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spssn_ros.inference import Segmenter
from spssn_ros.inference.compiled_cache import CompiledCache, cache_folder, network_digest
from spssn_ros.inference.say_once import say_once
from spssn_ros.models import create_model, save_weights

Paint = Callable[..., np.ndarray]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder, which does not exist yet."""
    monkeypatch.setenv('SPSSN_CACHE', str(tmp_path / 'deep' / 'cache'))
    return tmp_path / 'deep' / 'cache'


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """The sizes for which a network was converted, which is what takes the time."""
    module = pytest.importorskip('spssn_ros.inference.openvino_backend')
    converted: list[tuple[int, int]] = []
    convert = module.to_openvino

    def counted(network: nn.Module, size: tuple[int, int]) -> Any:
        converted.append(size)
        return convert(network, size)

    monkeypatch.setattr(module, 'to_openvino', counted)
    return converted


def segmenter(weights: Path, **options: Any) -> Segmenter:
    settings = {'precision': 'float32', 'input_size': 'native', 'cpu_threads': 1} | options
    return Segmenter.from_weights(weights, device='cpu', backend='openvino', **settings)


def test_a_size_is_compiled_for_once(
    random_weights: Path, picture: Paint, folder: Path, conversions: list[tuple[int, int]]
) -> None:
    rgb = picture(64, 48)
    first = segmenter(random_weights)(rgb, with_confidence=True)
    again = segmenter(random_weights)(rgb, with_confidence=True)
    assert conversions == [(64, 48)]
    np.testing.assert_array_equal(first.labels, again.labels)
    np.testing.assert_array_equal(first.confidence, again.confidence)
    assert [path.suffix for path in folder.iterdir()] == ['.compiled']
    # Not with other threads, nor for another size.
    segmenter(random_weights, cpu_threads=2)(rgb)
    segmenter(random_weights)(picture(48, 64))
    assert conversions == [(64, 48), (64, 48), (48, 64)]


def test_a_damaged_or_foreign_file_is_replaced(
    random_weights: Path, picture: Paint, folder: Path, conversions: list[tuple[int, int]]
) -> None:
    rgb = picture(64, 48)
    expected = segmenter(random_weights)(rgb).labels
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for number, bad in enumerate((b'', b'rubbish', whole[:-1], bytes(flipped)), start=2):
        path.write_bytes(bad)
        np.testing.assert_array_equal(segmenter(random_weights)(rgb).labels, expected)
        assert len(conversions) == number
        assert len(path.read_bytes()) > 1000
    # Whole, but nothing that OpenVINO knows.
    CompiledCache(folder).store(path.stem, b'not a network')
    np.testing.assert_array_equal(segmenter(random_weights)(rgb).labels, expected)
    assert len(conversions) == 6
    segmenter(random_weights)(rgb)
    assert len(conversions) == 6


def test_a_folder_that_cannot_be_written_to_is_said_once(
    random_weights: Path,
    picture: Paint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip('openvino')
    # Not even root makes a folder below a file.
    (tmp_path / 'file').touch()
    monkeypatch.setenv('SPSSN_CACHE', str(tmp_path / 'file' / 'cache'))
    say_once.cache_clear()
    engine = segmenter(random_weights)
    for size in ((64, 48), (48, 64)):
        assert engine(picture(*size)).labels.shape == size[::-1]
    (record,) = caplog.records
    assert re.fullmatch(
        r'compiled networks are not kept \(Not a directory: .*/file/cache\), so each start '
        r'compiles anew; set SPSSN_CACHE to a folder that can be written to',
        record.message,
    )


def test_the_digest_tells_networks_apart() -> None:
    def network(channels: int = 4, stride: int = 1, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, channels, 3, stride), nn.ReLU())

    class Doubling(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    same = network_digest(network())
    assert network_digest(network()) == same
    changed = network()
    changed[0].bias.data[2] += 1e-6
    others = [changed, network(5), network(stride=2), network(seed=1), Doubling(*network())]
    assert len({same, *(network_digest(other) for other in others)}) == 6


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('fast_scnn', {'skip': False}),
        ('fast_scnn', {'first_stride': 1}),
        ('spssn', {'first_stride': 1}),
        ('spssn', {'chain_length': 2}),
        ('spssn_stream', {'first_stride': 1}),
        ('spssn_stream', {'chain_length': 2}),
    ],
)
def test_the_digest_tells_options_apart(name: str, options: dict[str, Any]) -> None:
    def digest(**options: Any) -> str:
        torch.manual_seed(0)
        return network_digest(create_model(name, 5, **options).eval())

    assert digest(**options) != digest()
    assert digest(**options) == digest(**options)


def test_the_digest_heeds_plain_values_of_any_module() -> None:
    def digest(**values: object) -> str:
        network = nn.Sequential(nn.Flatten())
        for name, value in values.items():
            setattr(network[0], name, value)
        return network_digest(network)

    values = [True, False, 2, 2.5, 'two', (2, 3), [2, 4], None]
    assert len({digest(), *(digest(way=value) for value in values)}) == 1 + len(values)
    # An object's text may hold its address, by which nothing would ever be found again.
    assert digest(way=object()) == digest(way=(2, object())) == digest()


def test_weights_that_differ_in_an_option_alone_share_nothing(
    folder: Path,
    tmp_path: Path,
    picture: Paint,
    random_network: Any,
    conversions: list[tuple[int, int]],
) -> None:
    torch.manual_seed(0)
    model = create_model('fast_scnn', 11).eval()
    rgb = picture(64, 48)
    labels = []
    for skip in (True, False):
        info = replace(random_network[1], model='fast_scnn', options={'skip': skip})
        path = tmp_path / f'{skip}.safetensors'
        save_weights(path, model, info)
        labels.append(segmenter(path)(rgb).labels)
        expected = Segmenter.from_weights(path, 'cpu', 'float32', 'torch', 'native')(rgb).labels
        assert (labels[-1] == expected).mean() > 0.99
    assert conversions == [(64, 48)] * 2
    assert (labels[0] != labels[1]).mean() > 0.1


def test_what_is_unused_for_longest_goes_first(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path, max_bytes=3500)
    foreign = tmp_path / 'notes.txt'
    foreign.write_bytes(bytes(9000))
    for number, name in enumerate('abc'):
        cache.store(name, bytes(1000))
        os.utime(tmp_path / f'{name}.compiled', ns=(number, number))
    assert cache.load('a') == bytes(1000)
    cache.store('d', bytes(1000))
    assert [cache.load(name) is not None for name in 'abcd'] == [True, False, True, True]
    assert foreign.exists()


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    fresh, old = tmp_path / '.a.compiled.1.tmp', tmp_path / '.b.compiled.2.tmp'
    for path in (fresh, old):
        path.write_bytes(b'half')
    os.utime(old, (0, 0))
    CompiledCache(tmp_path).store('c', b'whole')
    assert {path.name for path in tmp_path.iterdir()} == {fresh.name, 'c.compiled'}


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/somebody')
    monkeypatch.setenv('XDG_CACHE_HOME', '/xdg')
    monkeypatch.setenv('SPSSN_CACHE', '/chosen')
    assert cache_folder() == Path('/chosen')
    monkeypatch.delenv('SPSSN_CACHE')
    assert cache_folder() == Path('/xdg/spssn_ros')
    monkeypatch.delenv('XDG_CACHE_HOME')
    assert cache_folder() == Path('/home/somebody/.cache/spssn_ros')
