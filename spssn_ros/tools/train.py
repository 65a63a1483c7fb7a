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
"""`spssn train`: train a network, resumably."""

import argparse
import platform
from pathlib import Path

from spssn_ros.training.config import TrainConfig
from spssn_ros.training.samples import read_data
from spssn_ros.training.train import Trainer


def add_parser(subparsers: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        'train',
        help='train a network and write its weights file',
        description='Train a network. OUTPUT receives best.safetensors, last.safetensors, '
        'curve.csv and the state from which --resume goes on.',
    )
    parser.add_argument('--config', type=Path, required=True, help='recipe, a YAML file')
    parser.add_argument('--data', type=Path, help='folder of the data set; none for street')
    parser.add_argument('--output', type=Path, required=True, help='folder for the results')
    parser.add_argument('--resume', action='store_true', help='go on where a run stopped')
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Train; return the exit status."""
    config = TrainConfig.from_yaml(args.config)
    samples = read_data(config, args.data)
    data = ' --data DATA' if args.data else ''
    recipe: dict[str, object] = {
        'data': f'{config.dataset.value}, {"+".join(config.train_splits)}',
        'command': f'spssn train --config {args.config}{data} --output OUT',
        'machine': platform.machine(),
    }
    trainer = Trainer(config, samples, args.output, recipe)
    best = trainer.run(resume=args.resume)
    validated = bool(samples.val or samples.holdout)
    print(f'{args.output}/last.safetensors written' + f'; best mIoU {best:.4f}' * validated)
    return 0
