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

import hashlib
import io
import warnings
from collections import OrderedDict, deque
from typing import Any

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from openvino import properties
from torch import nn

from spssn_ros.errors import DeviceError, WeightsError, one_line
from spssn_ros.inference.backend import Segmentation
from spssn_ros.inference.compiled_cache import CompiledCache, cache_folder, network_digest
from spssn_ros.inference.config import Precision, Size, size_text
from spssn_ros.inference.cpu_precision import cpu_precision
from spssn_ros.inference.preprocess import FromUint8, resize_frame
from spssn_ros.inference.rewrite import ClassesLast, separate_max_pools
from spssn_ros.inference.say_once import say_once
from spssn_ros.inference.threads import limit_threads
from spssn_ros.inference.upsample_argmax import upsample_argmax, upsample_argmax_confidence
from spssn_ros.models import QuantizedGraph

# Tens of megabytes each. Where more sizes come in turn, as of many cameras, each frame waits for
# its network to be loaded again: up to a hundred times as long as the frame itself takes.
_MAX_COMPILED = 8
_ELEMENTS = {Precision.BFLOAT16: openvino.Type.bf16, Precision.FLOAT32: openvino.Type.f32}


def to_openvino(network: nn.Module, size: Size) -> openvino.Model:
    """Convert a network to an OpenVINO model for frames of one (width, height).

    Args:
        network: takes (1, H, W, 3) uint8 RGB, as `FromUint8` does.
        size: (width, height).

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


def capabilities(core: openvino.Core) -> list[str]:
    """Return what OpenVINO says that the CPU can do, such as 'BF16'."""
    return list(core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'))


def prepared(network: FromUint8) -> nn.Module:
    """Return what of a network is converted: the same function, but for the logits' layout."""
    return ClassesLast(separate_max_pools(network)).eval()


class OpenVinoBackend:
    """Compiles a network once for every input size and runs it.

    What was compiled is kept on disk for the next process; see `compiled_cache`.

    Args:
        network: batch norm folded.
        precision: float32, bfloat16 (float32 where OpenVINO cannot compute in it) or int8, of
            which other sizes than the graph's are the CPU's fastest floats.
        cpu_threads: of the inference; 0 for `available_threads`.
        graph: the same network in 8-bit integers; needed for int8.

    Attributes:
        network: what is converted.
        precision: of the latest frame's arithmetic.
        threads: of the inference.

    Raises:
        DeviceError: OpenVINO cannot convert or compile the network.
        WeightsError: the graph is none of this network, when it is first needed.

    """

    def __init__(
        self,
        network: FromUint8,
        precision: Precision,
        cpu_threads: int,
        graph: QuantizedGraph | None = None,
    ) -> None:
        self.network = prepared(network)
        self._graph = graph
        self.threads = limit_threads(cpu_threads)
        self._core = openvino.Core()
        able = capabilities(self._core)
        self._floats = cpu_precision() if precision is Precision.INT8 else precision
        if self._floats is Precision.BFLOAT16 and 'BF16' not in able:
            # OpenVINO would compute in float32 all the same, and not say so.
            self._floats = Precision.FLOAT32
            if precision is Precision.BFLOAT16:
                say_once(
                    'OpenVINO cannot compute in bfloat16 on this processor, so float32 is taken'
                )
        self.precision = precision if precision is Precision.INT8 else self._floats
        self._settings = {
            properties.hint.performance_mode(): properties.hint.PerformanceMode.LATENCY,
            properties.inference_num_threads(): self.threads,
        }
        self._cache = CompiledCache(cache_folder())
        self._digest = hashlib.sha256(
            '\n'.join(
                (
                    network_digest(self.network),
                    openvino.get_version(),
                    torch.__version__,
                    torch.backends.cpu.get_cpu_capability(),
                    str(self._core.get_property('CPU', 'FULL_DEVICE_NAME')),
                    str(able),
                )
            ).encode()
        )
        self._compiled: OrderedDict[Size, openvino.InferRequest] = OrderedDict()
        self._forgotten: deque[Size] = deque(maxlen=64)

    @property
    def description(self) -> str:
        """See `Backend`."""
        return f'openvino {self.precision.value} on cpu'

    def segment(
        self, rgb: NDArray[np.uint8], input_size: Size, output_size: Size, with_confidence: bool
    ) -> Segmentation:
        """See `Backend.segment`."""
        logits = self.logits(resize_frame(rgb, input_size))
        if with_confidence:
            return Segmentation(*upsample_argmax_confidence(logits, output_size, self.threads))
        return Segmentation(upsample_argmax(logits, output_size, self.threads))

    def logits(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map (H, W, 3) uint8 RGB, contiguous, to (C, h, w), valid until the next call."""
        request = self._request((frame.shape[1], frame.shape[0]))
        request.infer([frame[None]], share_inputs=True)
        grid: NDArray[np.float32] = request.get_output_tensor(0).data[0]
        return grid.transpose(2, 0, 1)

    def _request(self, size: Size) -> openvino.InferRequest:
        self.precision = self._floats if self._graph_for(size) is None else Precision.INT8
        if size in self._compiled:
            self._compiled.move_to_end(size)
            return self._compiled[size]
        if self._graph is not None and size != self._graph.size:
            say_once(
                f'frames enter at {size_text(size)}, but the weights hold 8-bit integers for '
                f'{size_text(self._graph.size)} only, so floats are taken; run `spssn quantize` '
                'with such frames, or choose that input_size'
            )
        if size in self._forgotten:
            say_once(
                f'frames enter the network at more than {_MAX_COMPILED} sizes in turn, so it is '
                'loaded for them again and again, which takes far longer than a frame; choose one '
                'input_size, as in WxH'
            )
        compiled = self._load(size)
        if compiled is None:
            compiled = self._compile(size)
        self._compiled[size] = compiled.create_infer_request()
        while len(self._compiled) > _MAX_COMPILED:
            self._forgotten.append(self._compiled.popitem(last=False)[0])
        return self._compiled[size]

    def _load(self, size: Size) -> openvino.CompiledModel | None:
        data = self._cache.load(self._entry(size))
        if data is None:
            return None
        try:
            return self._core.import_model(data, 'CPU', self._settings_for(size))
        except RuntimeError:
            self._cache.remove(self._entry(size))
            return None

    def _compile(self, size: Size) -> openvino.CompiledModel:
        graph = self._graph_for(size)
        remedy = 'run `spssn quantize` again' if graph else "give backend 'torch'"
        try:
            model = self._quantized(graph) if graph else to_openvino(self.network, size)
            compiled = self._core.compile_model(model, 'CPU', self._settings_for(size))
        except RuntimeError as error:
            reason = one_line(error, 300)
            raise DeviceError(
                f'OpenVINO cannot compile the network at {size_text(size)} ({reason}); {remedy}'
            ) from error
        stream = io.BytesIO()
        compiled.export_model(stream)
        self._cache.store(self._entry(size), stream.getvalue())
        return compiled

    def _settings_for(self, size: Size) -> dict[str, Any]:
        # What the graph does not have in integers, such as interpolation. With AMX, OpenVINO finds
        # no bfloat16 implementation of part of it, and compiles nothing.
        floats = self._floats if self._graph_for(size) is None else Precision.FLOAT32
        return {**self._settings, properties.hint.inference_precision(): _ELEMENTS[floats]}

    def _graph_for(self, size: Size) -> QuantizedGraph | None:
        return self._graph if self._graph is not None and size == self._graph.size else None

    def _quantized(self, graph: QuantizedGraph) -> openvino.Model:
        width, height = graph.size
        frame = torch.zeros(1, height, width, 3, dtype=torch.uint8)
        with torch.inference_mode():
            logits = self.network(frame)
        expected = [('u8', *frame.shape), ('f32', *logits.shape)]
        try:
            model = self._core.read_model(*map(io.BytesIO, (graph.xml, graph.weights)))
            ports = (*model.inputs, *model.outputs)
            found = [(port.element_type.get_type_name(), *port.shape) for port in ports]
        except RuntimeError as error:
            reason = one_line(error, 300)
            raise WeightsError(
                f'OpenVINO {openvino.__version__} cannot read the 8-bit graph of the weights, '
                f'made by {dict(graph.versions)} ({reason}); run `spssn quantize` again'
            ) from error
        if found != expected:
            raise WeightsError(
                f'the 8-bit graph of the weights has inputs and outputs {found}, but the network '
                f'{expected}; run `spssn quantize` again'
            )
        return model

    def _entry(self, size: Size) -> str:
        digest = self._digest.copy()
        settings = sorted((str(k), str(v)) for k, v in self._settings_for(size).items())
        digest.update(f'\n{settings!r}\n{size_text(size)}'.encode())
        if (graph := self._graph_for(size)) is not None:
            digest.update(graph.digest().encode())
        return digest.hexdigest()
