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
"""The papers' ablations, measured again: every network trained alike for a short time on CamVid.

    python benchmarks/ablations.py --data CAMVID [--output out/ablations] [--only NAME ...]
        [--seeds 0 1] [--epochs 8] [--json FILE]
    python benchmarks/ablations.py --show benchmarks/results/ablations_cpu_avx2.json

Trains on train but for the last fifth of every drive, which is the second hold-out, and scores
val and that hold-out at full size. Runs already in OUTPUT are not repeated, and broken ones go on
where they stopped, so that several of these can share the work: `--only` some each. Prints
Markdown: mean and, in brackets, each seed.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spssn_ros.files import write_whole
from spssn_ros.machine import describe_machine
from spssn_ros.models import count_parameters, create_model
from spssn_ros.models.fast_scnn import FastSCNN
from spssn_ros.training.checkpoint import summary
from spssn_ros.training.config import ClassWeights, TrainConfig
from spssn_ros.training.samples import TrainingData, read_data
from spssn_ros.training.train import Trainer

BASE = TrainConfig(
    epochs=8,
    batch_size=4,
    crop=(320, 240),
    input_size=(320, 240),
    scale=(0.5, 1.0),
    color=0.3,
    learning_rate=2e-3,
    warmup_iterations=50,
    class_weight_power=0.3,
    ema_decay=0.99,
    val_every=1000,
    holdout=0.2,
)
"""What all runs have in common."""

NETWORKS: dict[str, dict[str, Any]] = {
    'spssn': {'model': 'spssn'},
    'spssn, chain of 2': {'model': 'spssn', 'options': {'chain_length': 2}},
    'spssn, no pooling': {'model': 'spssn', 'options': {'chain_length': 0}},
    'spssn_stream': {'model': 'spssn_stream'},
    'fast_scnn': {'model': 'fast_scnn'},
    'fast_scnn, trained without skip': {'model': 'fast_scnn', 'options': {'skip': False}},
    'shufflenetv2_basic': {'model': 'shufflenetv2_basic'},
    'shufflenetv2_dpc': {'model': 'shufflenetv2_dpc'},
    'mobilenetv2_basic': {'model': 'mobilenetv2_basic'},
    'mobilenetv2_dpc': {'model': 'mobilenetv2_dpc'},
}
RECIPES: dict[str, dict[str, Any]] = {
    'first-unit stride 1': {'options': {'first_stride': 1}},
    'no class weights': {'class_weights': ClassWeights.NONE},
    'full class weights': {'class_weight_power': 1.0},
    'hard examples (OHEM 0.7)': {'ohem': 0.7},
    'auxiliary heads (0.4)': {'auxiliary_weight': 0.4},
    'rare objects pasted (2 an image)': {'paste': 2.0},
    'no average of the weights': {'ema_decay': 0.0},
    'SGD, 0.05': {'optimizer': 'sgd', 'learning_rate': 0.05, 'weight_decay': 1e-4},
    'strong colour, dusk, shadows, degraded': {
        'color': 0.5,
        'hue': 12.0,
        'dusk': 0.25,
        'shadows': 0.25,
        'degrade': 0.3,
    },
}
SKIP_ZEROED = 'fast_scnn, skip zeroed afterwards'


def main() -> None:
    """Train, score, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--data', type=Path, metavar='CAMVID')
    source.add_argument('--show', type=Path, metavar='FILE', help='print the tables of this JSON')
    parser.add_argument('--output', type=Path, default=Path('out/ablations'))
    parser.add_argument('--only', nargs='+', choices=[*NETWORKS, *RECIPES], metavar='NAME')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--epochs', type=int, default=BASE.epochs)
    parser.add_argument('--json', type=Path, help='file to write')
    arguments = parser.parse_args()
    if arguments.show:
        print(markdown(json.loads(arguments.show.read_text())['runs']))
        return
    base = replace(BASE, epochs=arguments.epochs)
    data = read_data(base, arguments.data)
    variants = {**NETWORKS, **RECIPES}
    for seed in arguments.seeds:
        for name in arguments.only or variants:
            values = {**base.to_dict(), **variants[name], 'seed': seed}
            run_one(name, TrainConfig.from_dict(values), data, arguments.output)
    found = [json.loads(path.read_text()) for path in sorted(arguments.output.glob('*/runs.json'))]
    runs = [run for several in found for run in several if run['epochs'] == base.epochs]
    report = {'machine': describe_machine(), 'recipe': base.to_dict(), 'runs': runs}
    print(markdown(runs))
    if arguments.json:
        write_whole(arguments.json, (json.dumps(report, indent=1) + '\n').encode())


def run_one(name: str, config: TrainConfig, data: TrainingData, output: Path) -> None:
    """Train and score one variant, unless its scores are there already."""
    folder = output / f'{"".join(c if c.isalnum() else "-" for c in name)}-{config.seed}'
    scores = folder / 'runs.json'
    if scores.exists():
        return
    print(f'{name}, seed {config.seed}', flush=True)
    trainer = Trainer(config, data, folder)
    trainer.run(resume=True)
    facts = {
        'seed': config.seed,
        'epochs': config.epochs,
        'parameters': count_parameters(
            create_model(config.model, len(data.label_set), **config.options)
        ),
        'seconds': round(trainer.seconds),
    }
    runs = [{'name': name, **facts, **_scores(trainer, data)}]
    network = trainer.average.model if trainer.average else trainer.model
    # SPSSN is a Fast-SCNN too, by inheritance.
    if type(network) is FastSCNN and network.skip:
        # As in the paper, sec. 4.2: the weights stay as they were trained with the skip.
        network.skip = False
        runs.append({'name': SKIP_ZEROED, **facts, **_scores(trainer, data)})
    write_whole(scores, (json.dumps(runs, indent=1) + '\n').encode())


def _scores(trainer: Trainer, data: TrainingData) -> dict[str, Any]:
    matrices = {'val': trainer.validate(data.val), 'holdout': trainer.validate(data.holdout)}
    return {split: summary(matrix, data.label_set) for split, matrix in matrices.items()}


def markdown(runs: list[dict[str, Any]]) -> str:
    """Return the table of networks and that of recipes, in the order of this file."""
    parts = []
    for title, names in (
        ('network', [*NETWORKS, SKIP_ZEROED]),
        ('recipe, of `spssn`', ['spssn', *RECIPES]),
    ):
        lines = [
            f'| {title} | parameters | val mIoU | hold-out mIoU | val global average |',
            '| --- | --- | --- | --- | --- |',
        ]
        rows = [(name, [run for run in runs if run['name'] == name]) for name in names]
        known = [_row(name, same) for name, same in rows if same]
        # One row has nothing to be compared with.
        if len(known) > 1:
            parts.append('\n'.join(lines + known))
    return '\n\n'.join(parts)


def _row(name: str, runs: list[dict[str, Any]]) -> str:
    def cell(split: str, key: str) -> str:
        values = [100 * run[split][key] for run in runs]
        each = ', '.join(f'{value:.1f}' for value in values)
        return f'{np.mean(values):.1f}' + f' ({each})' * (len(values) > 1)

    return (
        f'| {name} | {runs[0]["parameters"]:,} | {cell("val", "miou")} | '
        f'{cell("holdout", "miou")} | {cell("val", "global_average")} |'
    )


if __name__ == '__main__':
    main()
