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
"""`spssn train`: train a network, resumably, by one process or several."""

import argparse
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from spssn_ros.errors import ConfigError, DeviceError
from spssn_ros.evaluation.distributed import Processes, join_processes
from spssn_ros.files import check_folder_target
from spssn_ros.runtime import keep_all_freed_memory
from spssn_ros.training.checkpoint import forget_run
from spssn_ros.training.config import TrainConfig
from spssn_ros.training.recipe import (
    check_weights_stay,
    find_recipe,
    read_recipe,
    stage_folder,
    starting_from,
)
from spssn_ros.training.samples import read_data
from spssn_ros.training.stages import check_stages
from spssn_ros.training.train import Trainer


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'train',
        help='train a network and write its weights file',
        description='Train a network. OUTPUT receives best.safetensors, last.safetensors, '
        'curve.csv, curve.png, tensorboard/ and the state from which --resume goes on. Several '
        'GPUs or processes: torchrun --nproc-per-node N -m spssn_ros.tools.main train ...',
    )
    parser.add_argument(
        '--config',
        type=Path,
        required=True,
        help='recipe: a YAML file, or the name of a shipped one, as spssn_folder',
    )
    parser.add_argument(
        '--data',
        type=Path,
        nargs='+',
        metavar='DIR',
        help='folder of the data set, one for all stages of the recipe or one for each; none '
        'for street',
    )
    parser.add_argument(
        '--output',
        type=Path,
        required=True,
        help="folder for the results; without --resume, an earlier run's are removed first",
    )
    parser.add_argument('--resume', action='store_true', help='go on where a run stopped')
    parser.add_argument(
        '--init',
        metavar='WEIGHTS',
        help="start the first stage from these weights, in place of the recipe's init",
    )
    parser.add_argument(
        '--device',
        choices=('auto', 'cuda', 'cpu'),
        default='auto',
        help='where to train; auto (default): on the GPU if there is one',
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Train, alone or as one of the processes that torchrun started; return the exit status."""
    stages = read_recipe(find_recipe(args.config))
    if args.init is not None:
        stages[0] = replace(stages[0], init=args.init)
    folders = args.data or [None]
    if len(folders) not in (1, len(stages)):
        raise ConfigError(
            f'--data names {len(folders)} folders; give one, or one for each of the '
            f'{len(stages)} stages of {args.config}'
        )
    folders = folders * len(stages) if len(folders) == 1 else folders
    outputs = [stage_folder(args.output, n, len(stages)) for n in range(1, len(stages) + 1)]
    if not args.resume:
        check_weights_stay(stages, outputs)
    device = _device(args.device)
    with join_processes() as processes:
        if processes.is_first:
            # Before anything is read.
            check_folder_target(args.output)
        # Better now than after all images have been read, or after hours of former stages.
        check_stages(stages, folders, outputs)
        former: Path | None = None
        for number, (config, data) in enumerate(zip(stages, folders, strict=True)):
            config = starting_from(config, former)
            _train(config, data, outputs[number:], args, device, processes)
            former = outputs[number]
    return 0


def _train(
    config: TrainConfig,
    data: Path | None,
    outputs: Sequence[Path],
    args: argparse.Namespace,
    device: torch.device | None,
    processes: Processes,
) -> None:
    """Train a stage into the first of the folders; the others are those of later stages."""
    output, *later = outputs
    samples = read_data(config, data, quiet=not processes.is_first)
    recipe: dict[str, object] = {
        'data': f'{config.dataset.value}, {"+".join(config.train_splits)}',
        'command': f'spssn train --config {args.config}{" --data DATA" * bool(data)} --output OUT',
        'machine': _machine(device),
    }
    trainer = Trainer(config, samples, output, recipe, device, processes)
    if trainer.device.type == 'cpu':
        keep_all_freed_memory()
    if processes.is_first and not args.resume:
        # Now that nothing more is known to stand in the way of a new run.
        for folder in later:
            forget_run(folder)
    if processes.is_first:
        # A run on the CPU that was meant for a GPU, or on a part of the data, is seen at once.
        print(
            f'{samples.summary()}; {len(trainer.batches)} steps an epoch on {trainer.device}, '
            f'{trainer.arithmetic.precision.value}',
            flush=True,
        )
    best = trainer.run(resume=args.resume)
    if processes.is_first:
        validated = bool(samples.val or samples.holdout)
        print(f'{output}/last.safetensors written' + f'; best mIoU {best:.4f}' * validated)


def _machine(device: torch.device | None) -> str:
    on_cuda = device.type == 'cuda' if device is not None else torch.cuda.is_available()
    return ', '.join([platform.machine(), *([torch.cuda.get_device_name()] if on_cuda else [])])


def _device(name: str) -> torch.device | None:
    if name == 'cuda' and not torch.cuda.is_available():
        raise DeviceError(
            '--device cuda, but torch sees no CUDA GPU (check nvidia-smi and that torch is a CUDA '
            'build); give cpu or auto'
        )
    return None if name == 'auto' else torch.device(name)
