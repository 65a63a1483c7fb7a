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
"""An offline evaluation from start to report, as the command and the node run it."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from spssn_ros.errors import BagError
from spssn_ros.evaluation.distributed import Processes
from spssn_ros.evaluation.evaluate import EvaluationConfig, evaluate
from spssn_ros.evaluation.recorded import recorded_label_set
from spssn_ros.evaluation.report import About, Earlier, Gallery, Run, write_report
from spssn_ros.evaluation.result import EvaluationResult
from spssn_ros.imaging.degradation import Degradation
from spssn_ros.inference import Segmenter
from spssn_ros.labels import LabelSet
from spssn_ros.models import read_info


def scored_classes(config: EvaluationConfig, weights: str) -> LabelSet:
    """Return the classes of the weights; for recorded predictions, those recorded beside them.

    Raises:
        BagError: a bag cannot be read, or the classes are not the same everywhere.
        WeightsError: no such weights.

    """
    return _recorded_classes(config) or read_info(weights).label_set


def run_evaluation(
    config: EvaluationConfig,
    segmenter: Segmenter | None,
    weights: str,
    report: Path | None,
    run: Run,
    compared: Sequence[Earlier] = (),
    label_set: LabelSet | None = None,
    processes: Processes | None = None,
    tell: Callable[[EvaluationResult], None] | None = None,
) -> EvaluationResult:
    """Evaluate with a progress bar, tell the scores, then write the report, if a folder is given.

    Of several processes every one returns the scores of all, and the first shows its own progress,
    tells them and writes the report.

    Args:
        config: what to evaluate on.
        segmenter: the network; None to score recorded predictions.
        weights: its file or name.
        report: folder to write.
        run: what started it.
        compared: earlier evaluations to show beside.
        label_set: the classes; by default `scored_classes`.
        processes: those that share the work; by default this one alone.
        tell: takes the scores before the report, whose failure then does not cost them.

    Raises:
        SpssnError: a bag or a value that cannot be used, or another process has ended.
        OSError: the report cannot be written.

    """
    label_set = label_set or scored_classes(config, weights)
    processes = processes or Processes()
    gallery = Gallery(label_set) if report else None
    result = _evaluate_together(config, label_set, segmenter, processes, gallery)
    result.weights = '' if segmenter is None else weights
    if segmenter is None:
        result.device = 'recorded'
    if config.robustness:
        for kind in Degradation:
            worse = dataclasses.replace(
                config, degradation=kind, robustness=False, calibration=False, instance_topics=()
            )
            scored = _evaluate_together(worse, label_set, segmenter, processes)
            result.degraded[kind.value] = scored.matrix
    galleries = processes.gather_first(gallery) if gallery else []
    if tell and processes.is_first:
        tell(result)
    if report and galleries:
        gallery = galleries[0]
        for other in galleries[1:]:
            gallery.merge(other)
        info = None if segmenter is None else read_info(weights)
        about = About(run, result.weights, info, ', '.join(config.label_topics), compared)
        write_report(report, result, gallery, about)
    return result


def _evaluate_together(
    config: EvaluationConfig,
    label_set: LabelSet,
    segmenter: Segmenter | None,
    processes: Processes,
    gallery: Gallery | None = None,
) -> EvaluationResult:
    """Return what all processes scored, each on its share, under a progress bar."""
    title = config.degradation.value if config.degradation else None
    with tqdm(desc=title, unit='frame', disable=None if processes.is_first else True) as bar:

        def progress(done: int, total: int) -> None:
            processes.look()
            bar.total = total
            bar.update(done - bar.n)

        result = evaluate(
            config, label_set, segmenter, gallery, progress, processes.rank, processes.count
        )
    return _of_all(processes.gather(result))


def _of_all(results: Sequence[EvaluationResult]) -> EvaluationResult:
    """Add up the results of all processes."""
    result, *others = results
    for other in others:
        result.merge(other)
    if others:
        result.device += f', {len(results)} processes'
    return result


def _recorded_classes(config: EvaluationConfig) -> LabelSet | None:
    """Return the classes recorded beside the predictions, if any are."""
    found: LabelSet | None = None
    for bag in config.bags:
        for topic in config.prediction_topics:
            label_set = recorded_label_set(bag, topic)
            if found and label_set and label_set.names != found.names:
                raise BagError(
                    f'the labels of {topic} in bag {bag} have other classes than those before; '
                    'score them apart'
                )
            found = found or label_set
    return found
