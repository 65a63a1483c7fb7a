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
"""`evaluate_node`: scores labels against truth, live from topics or offline from bags."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from spssn_ros.errors import ConfigError, SpssnError
from spssn_ros.evaluation.report import Run
from spssn_ros.evaluation.result import EvaluationResult, check_targets
from spssn_ros.evaluation.threshold import Threshold
from spssn_ros.files import explain
from spssn_ros.machine import describe_machine
from spssn_ros.nodes.evaluate_bags import bags_to_score, score_bags
from spssn_ros.nodes.evaluate_live import TOPICS, LiveScores
from spssn_ros.nodes.evaluate_parameters import EvaluateParameters, Mode
from spssn_ros.nodes.process import run_node


class EvaluateNode(Node):
    """See docs/evaluation.md for topics and parameters.

    Raises:
        ConfigError: a parameter that cannot be used.

    """

    def __init__(self) -> None:
        super().__init__('evaluate_node')
        self._values = EvaluateParameters(self)
        self.mode = self._values.mode()
        # ROS has no number that stands for none; every mIoU reaches 0.
        self._threshold = Threshold('fail_under', self._values.number('fail_under') or None)
        topics = TOPICS if self.mode is Mode.LIVE else ()
        command = self._values.command(topics)
        self._run = Run(command, str(Path.cwd()), describe_machine())
        self._live: LiveScores | None = None
        self._is_under = False

    def begin(self) -> int | None:
        """Subscribe, or evaluate the bags and return the exit status.

        Raises:
            SpssnError: a parameter, bag or weights that cannot be used, or a file that cannot be
                written.

        """
        with _writing():
            check_targets(self._values.path('json'), self._values.path('report'))
        if self.mode is Mode.OFFLINE:
            return self._score_bags()
        live = LiveScores(self, self._values, self._run)
        self.create_service(Trigger, '~/finish', self._on_finish)
        self.get_logger().info(
            f'scoring {live.label_topic} against {live.truth_topic}; SIGINT or '
            f'{self.resolve_service_name("~/finish")} writes the scores'
        )
        # Only now: after a signal while it begins there is nothing to write.
        self._live = live
        return None

    def end(self) -> int:
        """Write and print the live scores, unless all are; return the exit status."""
        if self._live is not None and not self._live.all_written():
            try:
                self._finish(self._live)
            except SpssnError as error:
                print(f'evaluate_node: {error}', file=sys.stderr)
                return 2
        return int(self._is_under)

    def _score_bags(self) -> int:
        config = bags_to_score(self._values)
        with _writing():
            self._judge(score_bags(config, self._values, self._run))
        return int(self._is_under)

    def _on_finish(self, request: Any, response: Any) -> Any:
        assert self._live is not None
        try:
            result = self._finish(self._live)
        except SpssnError as error:
            self.get_logger().error(str(error))
            response.message = str(error)
            return response
        response.success = True
        response.message = f'mIoU {result.matrix.miou():.4f} over {result.frames} frames'
        return response

    def _finish(self, live: LiveScores) -> EvaluationResult:
        with _writing():
            result = live.finish()
        self._judge(result)
        return result

    def _judge(self, result: EvaluationResult) -> None:
        """Say so where the scores are under the threshold."""
        missed = self._threshold.missed_by(result)
        self._is_under = bool(missed)
        if missed:
            print(missed, file=sys.stderr)


@contextmanager
def _writing() -> Iterator[None]:
    """Raise ConfigError for a file that cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f'cannot write {error.filename}: {explain(error)}') from error


def main(args: list[str] | None = None) -> int:
    """Run the node.

    Returns:
        0 once the scores are written, 1 if the mIoU is under fail_under, 2 on bad input, without
        a pair to score or when a file cannot be written, 130 after a signal while it starts or,
        offline, works.

    """
    status = 0

    def end(node: EvaluateNode) -> bool:
        nonlocal status
        status = node.end()
        return True

    return run_node('evaluate_node', EvaluateNode, EvaluateNode.begin, end, args, 130) or status


if __name__ == '__main__':
    sys.exit(main())
