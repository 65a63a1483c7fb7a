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
"""`spssn export`: weights as an ONNX or OpenVINO model for other programs."""

import argparse
import contextlib
import errno
import importlib.util
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import torch

from spssn_ros.errors import ConfigError, SpssnError, one_line
from spssn_ros.files import check_file_target
from spssn_ros.inference.config import Size, parse_size
from spssn_ros.inference.preprocess import FromUint8
from spssn_ros.models import load_weights
from spssn_ros.tools.options import add_weights_option

INPUT_NAME, OUTPUT_NAME = 'image', 'logits'
# The oldest that the exporter writes, hence read by the most programs.
_ONNX_OPSET = 18


class ExportFormat(str, Enum):
    """What can be written: one .onnx file, or an .xml file with a .bin file beside it."""

    ONNX = 'onnx'
    OPENVINO = 'openvino'


# First the file that is loaded.
_SUFFIXES = {ExportFormat.ONNX: ('.onnx',), ExportFormat.OPENVINO: ('.xml', '.bin')}
_PACKAGES = {ExportFormat.ONNX: ('onnx', 'onnxscript'), ExportFormat.OPENVINO: ('openvino',)}


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'export',
        help='write weights as an ONNX or OpenVINO model',
        description='Write a network as float32 model of one fixed size, batch norm merged, the '
        f"normalisation and the temperature of its metadata applied: '{INPUT_NAME}', (1, H, W, 3) "
        f"uint8 RGB as cameras and image files give it, to '{OUTPUT_NAME}', (1, classes, h, w) "
        "float32, at the network's stride (1/8 of the input, or 1/16). Labels are its argmax "
        'after bilinear upsampling (half-pixel centres). Class names, palette and what else the '
        'weights file says of itself are in the metadata.',
    )
    add_weights_option(parser)
    parser.add_argument(
        '--format',
        required=True,
        choices=[member.value for member in ExportFormat],
        help='of the file',
    )
    parser.add_argument(
        '--output',
        type=Path,
        required=True,
        metavar='FILE',
        help='.onnx, or .xml with .bin written beside it; the suffix may be left out',
    )
    parser.add_argument(
        '--input-size',
        default='auto',
        metavar='WxH',
        help='of the frames; default: auto, the size that the weights were trained for',
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Export, say what was written, and return the exit status."""
    size = None
    if args.input_size != 'auto':
        size = parse_size(args.input_size, '--input-size', ('auto',))
    written = export(args.weights, ExportFormat(args.format), args.output, size)
    names = ' and '.join(str(path) for path in written.files)
    print(
        f'{names}: {INPUT_NAME} {written.input_shape} uint8 RGB to '
        f'{OUTPUT_NAME} {written.output_shape} float32'
    )
    return 0


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: the one to load first.
        input_shape: (1, H, W, 3), uint8 RGB.
        output_shape: (1, classes, h, w), float32 logits.

    """

    files: tuple[Path, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


def export(
    weights: str, export_format: ExportFormat, output: Path, size: Size | None = None
) -> Exported:
    """Write a network for other programs, whole or not at all.

    Args:
        weights: path, or name of a shipped file.
        export_format: ONNX or OpenVINO.
        output: file to write; the suffix is added where it is missing.
        size: (width, height) of its input; None for that of the training.

    Raises:
        ConfigError: `output` has the other format's suffix, or a Python package is missing.
        WeightsError: no such weights file, or not one.
        SpssnError: the exporter cannot express the network.
        OSError: the folder cannot be made or written to, or the file's name is that of a folder.

    """
    files = _output_files(output, export_format)
    for file in files:
        check_file_target(file, makes_folders=True)
    _require_packages(export_format)
    model, info = load_weights(weights)
    network = FromUint8.deployed(model, info)
    width, height = size or info.input_size
    example = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    with torch.inference_mode():
        output_shape = tuple(network(example).shape)
    write = _write_onnx if export_format is ExportFormat.ONNX else _write_openvino
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f'.{output.name}.', dir=output.parent))
    try:
        with _quiet():
            write(network, example, folder / files[0].name, info.to_metadata())
        # The file to load comes last: where it is, the other one is too.
        for path in reversed(files):
            (folder / path.name).replace(path)
    except OSError as error:
        # That of a full disk names no file, and others one of the temporary folder's.
        raise OSError(error.errno, error.strerror, str(files[0])) from error
    except RuntimeError as error:
        reason = one_line(error, 300)
        raise SpssnError(
            f'cannot export {info.model} of {weights} at {width}x{height} as '
            f'{export_format.value} ({reason}); try another --format or --input-size'
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Exported(files, tuple(example.shape), output_shape)


def _output_files(output: Path, export_format: ExportFormat) -> tuple[Path, ...]:
    # '.' and '/', to which no suffix can be added, and what becomes a file named '...onnx'.
    if output.name in ('', '..'):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(output))
    suffixes = _SUFFIXES[export_format]
    if output.suffix in {suffix for group in _SUFFIXES.values() for suffix in group}:
        if output.suffix != suffixes[0]:
            raise ConfigError(
                f'--output is {output} but --format is {export_format.value}; '
                f'give a name that ends in {suffixes[0]}'
            )
        output = output.with_suffix('')
    return tuple(output.with_name(output.name + suffix) for suffix in suffixes)


def _require_packages(export_format: ExportFormat) -> None:
    packages = _PACKAGES[export_format]
    if any(importlib.util.find_spec(package) is None for package in packages):
        raise ConfigError(
            f'format {export_format.value} needs Python packages that are not installed; run '
            f'`pip install {" ".join(packages)}`'
        )


def _write_onnx(
    network: FromUint8, example: torch.Tensor, path: Path, metadata: dict[str, str]
) -> None:
    program = torch.onnx.export(
        network,
        (example,),
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        opset_version=_ONNX_OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    # The exporter notes the Python source of every node, with paths of this machine.
    for node in program.model.graph:
        node.metadata_props.clear()
    program.model.metadata_props.update(metadata)
    program.save(path, external_data=False)


def _write_openvino(
    network: FromUint8, example: torch.Tensor, path: Path, metadata: dict[str, str]
) -> None:
    import openvino

    from spssn_ros.inference.openvino_backend import to_openvino

    model = to_openvino(network, (example.shape[2], example.shape[1]))
    model.inputs[0].get_tensor().set_names({INPUT_NAME})
    model.outputs[0].get_tensor().set_names({OUTPUT_NAME})
    for key, value in metadata.items():
        model.set_rt_info(value, ['spssn_ros', key])
    try:
        openvino.save_model(model, path, compress_to_fp16=False)
    except RuntimeError as error:
        # OpenVINO says no more than that a stream failed.
        raise OSError(errno.EIO, 'It cannot be written') from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the exporters say of themselves; their errors are exceptions."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(level)
