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
"""`evaluate_node`: scores labels against truth, live from topics or offline from a bag."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from spssn_ros.bags.stamps import header_stamp_ns
from spssn_ros.benchmarking.machine import describe_machine
from spssn_ros.errors import BadImageError, ConfigError
from spssn_ros.evaluation.evaluate import EvaluationConfig
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
from spssn_ros.evaluation.run import run_evaluation
from spssn_ros.evaluation.truth import TruthFormat
from spssn_ros.inference import Segmenter
from spssn_ros.models import read_info
from spssn_ros.nodes import qos
from spssn_ros.nodes.process import run_node

_PARAMETERS = {
    'mode': ('live', 'live: score topics; offline: score a bag and exit'),
    'bag': ('', 'offline: the bag'),
    'image_topic': ('/camera/image_raw', 'offline: camera images in the bag'),
    'label_topic': ('/camera/label_truth', 'offline: truth in the bag'),
    'truth': ('auto', 'truth images: ids, camvid-colors, cityscapes-ids, or auto by encoding'),
    'slop_ms': (0.0, 'offline: most milliseconds between the stamps of an image and its truth'),
    'weights': ('spssn_camvid', 'offline: the network; live: whose classes the ids mean'),
    'device': ('auto', 'offline: auto, cuda or cpu'),
    'json': ('', 'file for the scores as JSON; empty for none'),
    'report': ('', 'folder for a page with scores and frames, index.html; empty for none'),
    'compare': (
        '',
        "earlier evaluations' JSON to show beside: a file or a list of them; or empty",
    ),
}


class Mode(str, Enum):
    """What the node scores."""

    LIVE = 'live'
    OFFLINE = 'offline'


class EvaluateNode(Node):
    """See the README for topics and parameters.

    Raises:
        ConfigError, WeightsError: a parameter that cannot be used.

    """

    def __init__(self) -> None:
        super().__init__('evaluate_node')
        for name, (default, description) in _PARAMETERS.items():
            descriptor = ParameterDescriptor(description=description, read_only=True)
            # One file, or a list of them.
            descriptor.dynamic_typing = name == 'compare'
            self.declare_parameter(name, default, descriptor)
        mode = self._text('mode')
        if mode not in {member.value for member in Mode}:
            raise ConfigError(f'mode is {mode!r}; give live or offline')
        self.mode = Mode(mode)
        self._finished = False
        self._info = read_info(self._text('weights'))
        self._compared = read_earlier(self._compare(), self._info.label_set)
        self._run = Run(self._command(), str(Path.cwd()), describe_machine())
        self._truth = TruthFormat.parse(self._text('truth'))
        self._live = LiveEvaluation(
            self._info.label_set,
            with_gallery=bool(self._text('report')),
            source=Source('', self.resolve_topic_name('label')),
            truth=self._truth,
        )

    def begin(self) -> int | None:
        """Subscribe, or evaluate the bag and return the exit status."""
        if self.mode is Mode.OFFLINE:
            with _writing():
                self._evaluate_bag()
            return 0
        self.create_subscription(Image, 'label', self._on_label, qos.LOSSLESS)
        self.create_subscription(Image, 'label_truth', self._on_truth, qos.LOSSLESS)
        if self._live.gallery is not None:
            self.create_subscription(Image, 'image', self._on_image, qos.INPUT)
        self.create_service(Trigger, '~/finish', self._on_finish)
        self.get_logger().info('scoring label against label_truth; SIGINT or ~/finish ends it')
        return None

    def end(self) -> bool:
        """Write and print the live scores, unless that is done."""
        if self.mode is Mode.LIVE and not self._finished:
            try:
                self._finish()
            except ConfigError as error:
                print(f'evaluate_node: {error}', file=sys.stderr)
                raise SystemExit(2) from error
        return True

    def _evaluate_bag(self) -> None:
        bag = self._text('bag')
        if not bag:
            raise ConfigError("mode is 'offline' but bag is empty; give -p bag:=PATH")
        config = EvaluationConfig(
            [Path(bag)],
            self._text('image_topic'),
            self._text('label_topic'),
            truth=self._truth,
            slop_ms=float(self.get_parameter('slop_ms').value),
        )
        # Nothing spins here that would notice rclpy's own answer to it, a shutdown.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if not self.context.ok():
            raise KeyboardInterrupt
        weights, report = self._text('weights'), self._text('report')
        segmenter = Segmenter.from_weights(weights, self._text('device'))
        folder = Path(report) if report else None
        self._write(run_evaluation(config, segmenter, weights, folder, self._run, self._compared))

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
            self.get_logger().error(f'not scored: {error}', throttle_duration_sec=5.0)

    def _on_finish(self, request: Any, response: Any) -> Any:
        try:
            result = self._finish()
        except ConfigError as error:
            self.get_logger().error(str(error))
            response.message = str(error)
            return response
        response.success = result.frames > 0
        response.message = f'mIoU {result.matrix.miou():.4f} over {result.frames} frames'
        return response

    def _finish(self) -> EvaluationResult:
        self._finished = True
        result = self._live.result()
        report = self._text('report')
        with _writing():
            self._write(result)
            if report and self._live.gallery is not None:
                truth_topic = self.resolve_topic_name('label_truth')
                about = About(
                    self._run, self._text('weights'), self._info, truth_topic, self._compared
                )
                write_report(Path(report), result, self._live.gallery, about)
        return result

    def _write(self, result: EvaluationResult) -> None:
        # First what no full disk can prevent.
        print_scores(result, compared=self._compared)
        if self._text('json'):
            write_text(Path(self._text('json')), result.to_json())

    def _compare(self) -> list[Path]:
        value = self.get_parameter('compare').value
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ConfigError(f'compare is {value!r}; give a file or a list of files')
        return [Path(name) for name in names if name]

    def _command(self) -> str:
        """Return a command that starts this node as it is, however it was started."""
        words = ['ros2', 'run', 'spssn_ros', 'evaluate_node', '--ros-args']
        for topic in ('label', 'label_truth', 'image') if self.mode is Mode.LIVE else ():
            words += ['-r', f'{topic}:={self.resolve_topic_name(topic)}']
        for name, (default, _) in _PARAMETERS.items():
            value = self.get_parameter(name).value
            if value != default:
                words += ['-p', f'{name}:={value}']
        return shlex.join(words)

    def _text(self, name: str) -> str:
        return str(self.get_parameter(name).value)


@contextmanager
def _writing() -> Iterator[None]:
    """Raise ConfigError for a file that cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f'cannot write {error.filename}: {error.strerror}; make room or give another path'
        ) from error


def main(args: list[str] | None = None) -> int:
    """Run the node.

    Returns:
        0 once the scores are written, 2 on bad input, 130 after a signal before there are any.

    """
    return run_node('evaluate_node', EvaluateNode, EvaluateNode.begin, EvaluateNode.end, args, 130)


if __name__ == '__main__':
    sys.exit(main())
