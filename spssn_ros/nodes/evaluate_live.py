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
"""`evaluate_node`, live: topics are scored while they are published."""

from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import Image

from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.choices import parse_choice
from spssn_ros.errors import BadImageError, SpssnError
from spssn_ros.evaluation.live import LiveEvaluation
from spssn_ros.evaluation.report import (
    About,
    Run,
    Source,
    print_scores,
    read_earlier,
    write_report,
)
from spssn_ros.evaluation.result import EvaluationResult, write_text
from spssn_ros.evaluation.truth import TruthFormat
from spssn_ros.models import read_info
from spssn_ros.nodes import qos
from spssn_ros.nodes.evaluate_parameters import EvaluateParameters
from spssn_ros.runtime import Causes

TOPICS = ('label', 'label_truth', 'image')


class LiveScores:
    """Subscribes to labels and truth, and scores them.

    Args:
        node: subscribes.
        parameters: of the node.
        run: what started it.

    Attributes:
        label_topic: full name of the topic of labels.
        truth_topic: likewise, of truth.

    Raises:
        ConfigError, WeightsError: a parameter that cannot be used.

    """

    def __init__(self, node: Node, parameters: EvaluateParameters, run: Run) -> None:
        self._written_frames = -1
        self._node, self._run = node, run
        self._weights = parameters.text('weights')
        self._json, self._report = parameters.path('json'), parameters.path('report')
        self._info = read_info(self._weights)
        self._compared = read_earlier(parameters.paths('compare'), self._info.label_set)
        self._printed = ''
        self._causes = Causes()
        self.label_topic, self.truth_topic, _ = map(node.resolve_topic_name, TOPICS)
        self._live = LiveEvaluation(
            self._info.label_set,
            with_gallery=self._report is not None,
            source=Source('', self.label_topic),
            truth=parse_choice(TruthFormat, parameters.text('truth'), 'truth'),
        )
        label, truth, image = TOPICS
        self._inputs = [
            (node.create_subscription(Image, label, self._on_label, qos.LOSSLESS), self._on_label),
            (node.create_subscription(Image, truth, self._on_truth, qos.LOSSLESS), self._on_truth),
        ]
        if self._live.gallery is not None:
            images = node.create_subscription(Image, image, self._on_image, qos.INPUT)
            self._inputs.insert(0, (images, self._on_image))

    def finish(self) -> EvaluationResult:
        """Print the scores of all that has come and write them.

        Raises:
            SpssnError: there is no pair; nothing is written.
            OSError: a file cannot be written; a later call tries again.

        """
        self._written_frames = -1
        self._take_waiting()
        result = self._live.result()
        if not result.frames:
            raise no_pair(self._live, self.label_topic, self.truth_topic)
        text = result.to_json()
        # First what no full disk can prevent, but not again where another try has the same.
        if text != self._printed:
            print_scores(result, compared=self._compared)
            self._printed = text
        if self._json is not None:
            write_text(self._json, text)
        if self._report is not None and self._live.gallery is not None:
            about = About(self._run, self._weights, self._info, self.truth_topic, self._compared)
            write_report(self._report, result, self._live.gallery, about)
        self._written_frames = result.frames
        return result

    def all_written(self) -> bool:
        """Whether `finish` has written the scores of every pair that has come."""
        self._take_waiting()
        return self._live.frames == self._written_frames

    def _take_waiting(self) -> None:
        """Take what has come and had no turn yet: after a signal nothing spins any more."""
        for _ in range(qos.LOSSLESS.depth):
            for subscription, take in self._inputs:
                # As an executor does.
                with subscription.handle:
                    taken = subscription.handle.take_message(subscription.msg_type, False)
                if taken is not None:
                    take(taken[0])

    def _on_image(self, message: Image) -> None:
        self._live.add_image(header_stamp_ns(message), message)

    def _on_label(self, message: Image) -> None:
        self._take(self._live.add_label, message)

    def _on_truth(self, message: Image) -> None:
        self._take(self._live.add_truth, message)

    def _take(self, add: Any, message: Image) -> None:
        try:
            add(header_stamp_ns(message), message)
        except BadImageError as error:
            if self._causes.due(str(error)):
                self._node.get_logger().error(f'not scored: {error}')


def no_pair(live: LiveEvaluation, label_topic: str, truth_topic: str) -> SpssnError:
    """Return the error that says why nothing was scored, and what to do."""
    labels, truths = live.labels_received, live.truths_received
    if live.pairs_refused:
        remedy = 'the pairs that came are not usable; the log says why'
    elif labels and truths:
        remedy = (
            'a label needs exactly the header stamp of its truth; of a bag, spssn evaluate --slop '
            'pairs the nearest'
        )
    elif labels:
        remedy = 'play a bag with truth, or remap label_truth (-r label_truth:=TOPIC)'
    elif truths:
        remedy = 'start segment_node, or remap label (-r label:=TOPIC)'
    else:
        remedy = (
            'start segment_node and play a bag, or remap label and label_truth (-r label:=TOPIC)'
        )
    return SpssnError(
        f'no pair of label and truth was scored: {labels} labels came on {label_topic}, {truths} '
        f'truth images on {truth_topic}; {remedy}'
    )
