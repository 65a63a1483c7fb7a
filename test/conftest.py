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
"""What the tests of several folders share."""

import contextlib
import fcntl
import functools
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Give this process's tests a ROS domain of their own, and the next: others run beside them.

    Those of pytest-xdist, and of whoever else on the machine has these tests run.
    """
    # Not always from the first one on: killed nodes haunt a domain for a while. Domains above 101
    # collide with the ports that Linux hands out.
    domains = [1 + 2 * ((os.getpid() + number) % 50) for number in range(50)]
    for domain in domains:
        with contextlib.suppress(OSError):
            path = Path(tempfile.gettempdir(), f'spssn_ros_test_domain_{domain}')
            lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
            config.add_cleanup(functools.partial(os.close, lock))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            domains = [domain]
            break
    os.environ['ROS_DOMAIN_ID'] = str(domains[0])


@pytest.fixture(scope='session', autouse=True)
def compiled_networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is compiled away from the user's, and between tests and the nodes they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('SPSSN_CACHE', str(tmp_path_factory.mktemp('cache')))
        yield


def pytest_collection_finish() -> None:
    # Tests' tensors are small: on a busy machine threads would mostly wait for one another.
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)


@pytest.fixture(scope='session')
def camvid_root() -> Path:
    """The real CamVid folder, SegNet's layout; SPSSN_CAMVID names it where it lies elsewhere."""
    default = ROOT.parent / 'shared' / 'camvid'
    root = Path(os.environ.get('SPSSN_CAMVID', default))
    if not (root / 'trainannot').is_dir():
        pytest.skip('no CamVid folder; set SPSSN_CAMVID to one')
    return root


@pytest.fixture(scope='session')
def benchmark_module() -> Callable[[str], ModuleType]:
    """Return a function that imports a script of benchmarks/ by its name."""

    def load(name: str) -> ModuleType:
        path = ROOT / 'benchmarks' / f'{name}.py'
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Dataclasses look their module up there.
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope='session')
def triton_kernels() -> Callable[[str], ModuleType]:
    """Return what loads a module of kernels: for the GPU, or else for Triton's interpreter."""
    pytest.importorskip('triton', reason='Triton, which comes with PyTorch for CUDA, is missing')
    import torch

    def load(name: str) -> ModuleType:
        with pytest.MonkeyPatch.context() as patch:
            if not torch.cuda.is_available():
                # Heeded when a kernel is defined: in a copy, so that the module stays as it is.
                patch.setenv('TRITON_INTERPRET', '1')
            spec = importlib.util.find_spec(name)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope='session')
def image_message() -> Callable[..., Any]:
    """Return a function that makes the fields of a sensor_msgs/Image."""

    def make(
        encoding: str,
        rows: np.ndarray,
        width: int,
        height: int | None = None,
        padding: int = 0,
        is_bigendian: int = 0,
    ) -> SimpleNamespace:
        """`rows` is (rows, bytes of a row) uint8; `padding` bytes of rubbish follow each."""
        rubbish = np.random.default_rng(9).integers(0, 256, (len(rows), padding), np.uint8)
        padded = np.hstack([rows, rubbish])
        return SimpleNamespace(
            height=len(rows) if height is None else height,
            width=width,
            encoding=encoding,
            step=padded.shape[1],
            is_bigendian=is_bigendian,
            data=padded.tobytes(),
        )

    return make


@pytest.fixture(scope='session')
def random_network() -> tuple[Any, Any]:
    """An SPSSN of 11 classes with random weights and batch-norm statistics, and its info.

    Tests must leave the network as it is.
    """
    import torch

    from spssn_ros.labels import CAMVID
    from spssn_ros.models import Normalisation, WeightsInfo, create_model

    torch.manual_seed(5)
    options = {'chain_length': 2}
    model = create_model('spssn', len(CAMVID), **options).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    # Every class wins somewhere: logits get mean 0 and deviation 1 over coarse random colours.
    colors = torch.nn.functional.interpolate(2 * torch.randn(1, 3, 12, 12), (192, 192))
    with torch.no_grad():
        logits = model(colors)
        last = model.classifier[-1]
        mean, deviation = logits.mean((0, 2, 3)), logits.std((0, 2, 3))
        last.bias.sub_(mean).div_(deviation)
        last.weight.div_(deviation[:, None, None, None])
    # No two channels alike, so that swapped channels and forgotten means show.
    normalisation = Normalisation((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    info = WeightsInfo(
        'spssn',
        options,
        CAMVID,
        normalisation,
        (96, 64),
        recipe={'seed': 5},
        scores={'miou': 0.5},
        licence='none',
    )
    return model, info


@pytest.fixture(scope='session')
def random_weights(
    random_network: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The weights file of `random_network`."""
    from spssn_ros.models import save_weights

    path = tmp_path_factory.mktemp('weights') / 'random.safetensors'
    save_weights(path, *random_network)
    return path


@pytest.fixture(scope='session')
def picture() -> Callable[..., np.ndarray]:
    """Return a function that paints (H, W, 3) uint8 RGB: smooth colours with edges and noise."""

    def paint(width: int, height: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[0:height, 0:width] / max(width, height)
        image = np.empty((height, width, 3))
        for channel in range(3):
            fx, fy, phase = rng.uniform(3, 20, 3)
            image[..., channel] = 128 + 90 * np.sin(fx * x + fy * y + phase)
        image[height // 3 :, : width // 2] = rng.uniform(0, 255, 3)
        image += rng.normal(0, 8, image.shape)
        return image.clip(0, 255).astype(np.uint8)

    return paint
