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
"""From floats to 8-bit integers: NNCF's post-training quantisation of the OpenVINO model.

Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference" (2018), sec. 2, with ranges from calibration frames.
"""

import contextlib
import importlib
import io
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spssn_ros.errors import ConfigError, SpssnError, one_line
from spssn_ros.inference.config import Size, size_text
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.models import Network, QuantizedGraph, WeightsInfo

NNCF_VERSION = '3.4.0'
"""What this has been tried with."""


def import_nncf() -> Any:
    """Return the module, which only quantisation needs.

    Raises:
        ConfigError: it is not installed, or not all of it.

    """
    try:
        return importlib.import_module('nncf')
    except ImportError as error:
        raise ConfigError(
            f'quantisation needs NNCF, which cannot be imported ({error}); run '
            f'`pip install nncf=={NNCF_VERSION}`'
        ) from error


def quantize(
    model: Network, info: WeightsInfo, size: Size, frames: Iterable[NDArray[np.uint8]], count: int
) -> QuantizedGraph:
    """Return a network in 8-bit integers.

    Args:
        model: the network.
        info: its weights' metadata.
        size: (width, height) of the frames.
        frames: (H, W, 3) uint8 RGB each, of that size; may be gone through several times.
        count: how many there are.

    Raises:
        ConfigError: NNCF is not installed.
        SpssnError: NNCF or OpenVINO cannot quantise the network; or the frames raise it.

    """
    nncf = import_nncf()
    import openvino

    from spssn_ros.inference.openvino_backend import prepared, to_openvino

    nncf.set_log_level(logging.ERROR)
    network = FromUint8.deployed(model, info)
    advanced = nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE)
    try:
        # Its progress bars.
        with contextlib.redirect_stdout(io.StringIO()):
            quantized = nncf.quantize(
                to_openvino(prepared(network), size),
                nncf.Dataset(frames, lambda frame: frame[None]),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=count,
                advanced_parameters=advanced,
            )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'graph.xml')
            openvino.save_model(quantized, path, compress_to_fp16=False)
            xml, weights = path.read_bytes(), path.with_suffix('.bin').read_bytes()
    except (SpssnError, OSError):
        # Of the frames.
        raise
    except Exception as error:  # NNCF's have no base of their own
        reason = one_line(error, 300)
        raise SpssnError(
            f'cannot quantise the network at {size_text(size)} ({reason}); try another '
            '--input-size'
        ) from error
    versions = {'nncf': nncf.__version__, 'openvino': openvino.__version__}
    return QuantizedGraph(size, xml, weights, count, versions)
