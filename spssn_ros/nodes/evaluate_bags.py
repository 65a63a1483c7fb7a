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
"""`evaluate_node`, offline: bags are scored as `spssn evaluate` does."""

from spssn_ros.choices import parse_choice
from spssn_ros.errors import ConfigError
from spssn_ros.evaluation.evaluate import EvaluationConfig
from spssn_ros.evaluation.report import Run, print_scores, read_earlier
from spssn_ros.evaluation.result import EvaluationResult, write_text
from spssn_ros.evaluation.run import run_evaluation, scored_classes
from spssn_ros.evaluation.truth import TruthFormat
from spssn_ros.inference import Segmenter
from spssn_ros.nodes.evaluate_parameters import EvaluateParameters


def bags_to_score(parameters: EvaluateParameters) -> EvaluationConfig:
    """Return the bags and topics that the parameters name.

    Raises:
        ConfigError: no bag, or a value that cannot be used.

    """
    bags = parameters.paths('bag')
    if not bags:
        raise ConfigError("mode is 'offline' but bag is empty; give -p bag:=PATH")
    return EvaluationConfig(
        bags,
        parameters.texts('image_topic'),
        parameters.texts('label_topic'),
        parameters.texts('prediction_topic'),
        parse_choice(TruthFormat, parameters.text('truth'), 'truth'),
        parameters.number('slop_ms'),
    )


def score_bags(
    config: EvaluationConfig, parameters: EvaluateParameters, run: Run
) -> EvaluationResult:
    """Score a network, or recorded labels; print the scores and write them.

    Raises:
        SpssnError: a bag, weights or a value that cannot be used.
        OSError: a file cannot be written.

    """
    weights = parameters.text('weights')
    label_set = scored_classes(config, weights)
    compared = read_earlier(parameters.paths('compare'), label_set)
    segmenter = None
    if not config.prediction_topics:
        segmenter = Segmenter.from_weights(
            weights,
            parameters.text('device'),
            parameters.text('precision'),
            parameters.text('backend'),
            parameters.text('input_size'),
        )
    report, file = parameters.path('report'), parameters.path('json')

    def tell(result: EvaluationResult) -> None:
        # First what no full disk can prevent.
        print_scores(result, compared=compared)
        if file is not None:
            write_text(file, result.to_json())

    return run_evaluation(config, segmenter, weights, report, run, compared, label_set, tell=tell)
