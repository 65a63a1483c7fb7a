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
"""Weights files: safetensors with everything needed to rebuild and describe the network.

Nothing is unpickled. The metadata (all strings, as safetensors demands) hold JSON values under
the keys of `WeightsInfo`, so that a file explains itself without this package.
"""

import dataclasses
import math
import os
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from spssn_ros.errors import ConfigError, WeightsError, one_line
from spssn_ros.files import from_home, write_whole
from spssn_ros.models.network import Network
from spssn_ros.models.quantized_graph import BIN_KEY, METADATA_KEY, XML_KEY, QuantizedGraph
from spssn_ros.models.registry import create_model
from spssn_ros.models.weights_info import FORMAT, WeightsInfo

SHIPPED_DIR = Path(__file__).resolve().parent.parent / 'weights'


def shipped_weights() -> list[str]:
    """Return the names of the weights that come with the package."""
    return sorted(path.stem for path in SHIPPED_DIR.glob('*.safetensors'))


def find_weights(name: str | os.PathLike[str]) -> Path:
    """Return the path of a weights file, given as a path or as a shipped file's name.

    Raises:
        WeightsError: neither exists; the message lists the shipped names.

    """
    path = from_home(name)
    if path.is_file():
        return path
    shipped = SHIPPED_DIR / path.name
    if path.parent == Path() and shipped.suffix != '.safetensors':
        shipped = shipped.with_name(shipped.name + '.safetensors')
    if path.parent == Path() and shipped.is_file():
        return shipped
    raise WeightsError(
        f'no weights file {str(name)!r}; give the path of a .safetensors file or one of the '
        f'shipped names: {", ".join(shipped_weights()) or "(none)"}'
    )


def weights_version(name: str | os.PathLike[str]) -> tuple[int, int, int, int]:
    """Return what tells the file that a name has now from any that it had before or has later.

    Raises:
        WeightsError: as `find_weights`.

    """
    status = find_weights(name).stat()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def read_info(name: str | os.PathLike[str]) -> WeightsInfo:
    """Return what the weights file says of itself, without reading its tensors.

    Raises:
        WeightsError: missing, not safetensors, or not written by this package.

    """
    path = find_weights(name)
    return _info(path, _read(path, lambda _: False)[0])


def load_weights(name: str | os.PathLike[str]) -> tuple[Network, WeightsInfo]:
    """Return the network of a weights file, on the CPU and in evaluation mode, and its info.

    Raises:
        WeightsError: missing, not safetensors, not written by this package, or tensors that do
            not fit the network named in it or hold what is no number.

    """
    path = find_weights(name)
    metadata, tensors = _read(path, lambda key: key not in (XML_KEY, BIN_KEY))
    info = _info(path, metadata)
    try:
        model = create_model(info.model, len(info.label_set), **info.options)
        model.load_state_dict(tensors)
    except (ConfigError, RuntimeError, TypeError) as error:
        reason = one_line(error, 300)
        raise WeightsError(f'{path} does not fit the network it names: {reason}') from error
    _check_values(path, model)
    return model.eval(), info


def load_graph(name: str | os.PathLike[str]) -> QuantizedGraph:
    """Return the 8-bit graph of a weights file.

    Raises:
        ConfigError: it has none.
        WeightsError: missing, not safetensors, not written by this package, or damaged.

    """
    path = find_weights(name)
    metadata, tensors = _read(path, lambda key: key in (XML_KEY, BIN_KEY))
    if METADATA_KEY not in metadata and not tensors:
        raise ConfigError(
            f"precision is 'int8' but {path} holds no 8-bit graph; make weights that do by "
            f'`spssn quantize BAG --weights {name} --output FILE`, or give another precision'
        )
    try:
        return QuantizedGraph.of(metadata, tensors)
    except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WeightsError(
            f'{path} has a damaged 8-bit graph ({error!r:.200}); run `spssn quantize` again, or '
            'give another precision'
        ) from error


def save_weights(
    path: str | os.PathLike[str],
    model: nn.Module,
    info: WeightsInfo,
    graph: QuantizedGraph | None = None,
    half: bool = False,
) -> None:
    """Write the network's state and `info` to `path`, atomically.

    Auxiliary heads, which only training uses, are left out, and so is the option that makes them.

    Args:
        path: file to write.
        model: the network.
        info: what the file says of itself.
        graph: the same network in 8-bit integers.
        half: store the floats in float16, in half the space; the network read back has float32
            again, rounded to 11 bits.

    Raises:
        ConfigError: `half`, and a value is too large for float16.
        OSError: the folder is missing or not writable, or the disk is full.

    """
    tensors = {
        key: value.detach().cpu().contiguous()
        for key, value in model.state_dict().items()
        if not key.startswith('auxiliary.')
    }
    if half:
        tensors = {key: _halved(key, value) for key, value in tensors.items()}
    options = {key: value for key, value in info.options.items() if key != 'auxiliary'}
    info = dataclasses.replace(info, options=options)
    metadata = info.to_metadata()
    if graph is not None:
        tensors |= graph.to_tensors()
        metadata |= graph.to_metadata()
    # Not save_file, whose files nobody but their owner may read.
    write_whole(Path(path), save(tensors, metadata))


def _halved(key: str, tensor: Tensor) -> Tensor:
    # Batch norm counts its batches in integers.
    if not tensor.is_floating_point():
        return tensor
    rounded = tensor.half()
    if not rounded.isfinite().all():
        raise ConfigError(
            f'{key} holds {float(tensor.abs().max()):g}, which float16 cannot; store float32'
        )
    return rounded


def _check_values(path: Path, model: nn.Module) -> None:
    # Such a network works, and labels every pixel alike.
    for key, tensor in model.state_dict().items():
        least = 0.0 if key.endswith('running_var') else -math.inf
        if not (tensor.isfinite().all() and (tensor >= least).all()):
            kind = 'a negative variance or ' if least == 0 else ''
            raise WeightsError(
                f'{path} is damaged: {key} holds {kind}what is no finite number; fetch or train '
                'it again'
            )


def _read(
    path: Path, is_wanted: Callable[[str], bool]
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the metadata and the tensors whose keys are wanted."""
    try:
        with safe_open(path, framework='pt') as file:
            metadata = dict(file.metadata() or {})
            keys = file.keys()
            tensors = {key: file.get_tensor(key) for key in keys if is_wanted(key)}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f'{path} is not a safetensors file ({error}); weights are made by spssn train'
        ) from error
    if metadata.get('format') != FORMAT:
        raise WeightsError(
            f'{path} is a safetensors file of format {metadata.get("format")!r}, not {FORMAT!r}; '
            'weights are made by spssn train'
        )
    return metadata, tensors


def _info(path: Path, metadata: dict[str, str]) -> WeightsInfo:
    try:
        return WeightsInfo.from_metadata(metadata)
    except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WeightsError(f'{path} has damaged metadata: {error!r:.300}') from error
