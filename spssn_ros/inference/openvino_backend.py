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
"""Inference by OpenVINO on the CPU: about four times as fast as eager PyTorch there."""

import warnings
from collections import OrderedDict

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from openvino import properties

from spssn_ros.errors import DeviceError
from spssn_ros.inference.backend import Segmentation
from spssn_ros.inference.config import Precision, Size
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.inference.upsample_argmax import upsample_argmax, upsample_argmax_confidence

_MAX_COMPILED = 4


def to_openvino(network: FromUint8, size: Size) -> openvino.Model:
    """Convert a network to an OpenVINO model for frames of one (width, height).

    Raises:
        RuntimeError: OpenVINO cannot express the network.

    """
    width, height = size
    example = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing bakes shapes in, which is meant: there is one graph a size.
        warnings.simplefilter('ignore')
        # OpenVINO would trace by itself, and twice again to compare, which takes most of the time.
        traced = torch.jit.trace(network, example, check_trace=False)
        model = openvino.convert_model(traced, example_input=example, input=list(example.shape))
    # TorchScript registers every trace's types for ever, its weights with them: 10 MB a size.
    torch._C._jit_clear_class_registry()
    return model


class OpenVinoBackend:
    """Compiles a network once for every input size and runs it.

    Args:
        network: batch norm folded.
        precision: float32 or bfloat16.
        cpu_threads: of the inference; 0 leaves it to OpenVINO.

    Raises:
        DeviceError: OpenVINO cannot convert or compile the network.

    """

    def __init__(self, network: FromUint8, precision: Precision, cpu_threads: int) -> None:
        self.network = network
        element = openvino.Type.bf16 if precision is Precision.BFLOAT16 else openvino.Type.f32
        self._settings = {
            properties.hint.performance_mode(): properties.hint.PerformanceMode.LATENCY,
            properties.hint.inference_precision(): element,
            properties.inference_num_threads(): cpu_threads,
        }
        self._compiled: OrderedDict[Size, openvino.InferRequest] = OrderedDict()
        self.description = f'openvino {precision.value} on cpu'

    def segment(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Segmentation:
        """See `Backend.segment`."""
        request = self._request(input_size)
        frame = resize_frame(rgb, input_size)
        request.infer([frame[None]], share_inputs=True)
        logits = request.get_output_tensor(0).data[0]
        if with_confidence:
            return Segmentation(*upsample_argmax_confidence(logits, output_size))
        return Segmentation(upsample_argmax(logits, output_size))

    def _request(self, size: Size) -> openvino.InferRequest:
        if size in self._compiled:
            self._compiled.move_to_end(size)
            return self._compiled[size]
        width, height = size
        try:
            model = to_openvino(self.network, size)
            compiled = openvino.Core().compile_model(model, 'CPU', self._settings)
        except RuntimeError as error:
            reason = ' '.join(str(error).split())[:300]
            raise DeviceError(
                f'OpenVINO cannot compile the network at {width}x{height} ({reason}); give '
                "backend 'torch'"
            ) from error
        self._compiled[size] = compiled.create_infer_request()
        while len(self._compiled) > _MAX_COMPILED:
            self._compiled.popitem(last=False)
        return self._compiled[size]
