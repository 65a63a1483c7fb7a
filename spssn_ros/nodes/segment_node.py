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
"""`segment_node`: camera images in, semantic label images and masks out.

A lifecycle node that activates itself unless told otherwise. The executor's thread only takes
messages; one worker thread owns the network and does the rest.
"""

import sys
import time
from collections.abc import Hashable
from functools import partial
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from spssn_ros.errors import GpuMemoryError, SpssnError, one_line
from spssn_ros.nodes.camera import Camera
from spssn_ros.nodes.declare import declare_parameters
from spssn_ros.nodes.diagnostics import age_ms, diagnostic_array
from spssn_ros.nodes.explain import Explainer
from spssn_ros.nodes.load import check_unloaded, give_back_memory, load_pipeline
from spssn_ros.nodes.parameters import PARAMETERS, Settings
from spssn_ros.nodes.pipeline import Frame, Pipeline
from spssn_ros.nodes.process import run_node
from spssn_ros.runtime import Gate, Worker


class SegmentNode(LifecycleNode):
    """See the README for topics and parameters.

    Raises:
        ConfigError: a parameter given at the start cannot be used.

    """

    def __init__(self) -> None:
        super().__init__('segment_node')
        self._values = declare_parameters(self)
        self._settings = Settings.parse(self._values)
        self._pipeline: Pipeline | None = None
        # Open while the node is active.
        self._gate = Gate()
        self._worker: Worker[Frame] = Worker(self._handle, self._reject)
        # None if the node is stopped meanwhile.
        self._on_worker = partial(self._worker.call, going=self.context.ok)
        transport = self._settings.transport
        self._explainer = Explainer(self, transport, lambda c: self._worker.mailbox.counts(c.name))
        self._cameras = {
            name: Camera(self, name, transport, self._on_image, self._explainer.note_mismatch)
            for name in self._settings.cameras
        }
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 1)
        # Simulated time may stand still or jump back; the node is watched all the same.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics_timer = self.create_timer(
            self._settings.diagnostics_period, self._publish_diagnostics, clock=steady
        )
        self.create_timer(1.0, self._explain, clock=steady)
        self.add_on_set_parameters_callback(self._on_parameters)

    def autostart(self) -> int | None:
        """Configure and activate, if the parameter says so; return 2 if that failed."""
        if not self._settings.autostart:
            self.get_logger().info('unconfigured; waiting for a lifecycle manager')
            return None
        if self.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            # Nobody is there to mend a parameter and configure again, unless by a restart.
            return 2 if self.context.ok() else 0
        self.trigger_activate()
        return None

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm the network, on the inference thread."""
        try:
            pipeline = self._on_worker(lambda: self._load(self._settings))
            if pipeline is None:
                return TransitionCallbackReturn.FAILURE
            self._on_worker(partial(self._take, pipeline))
        except SpssnError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        # rclpy would not say a word of it.
        except Exception as error:
            self.get_logger().error(f'cannot configure: {one_line(repr(error), 600)}')
            return TransitionCallbackReturn.ERROR
        self.get_logger().info(pipeline.description)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start answering frames."""
        self._gate.open()
        topics = ', '.join(camera.topic for camera in self._cameras.values())
        self.get_logger().info(f'active: segmenting {topics}')
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop answering, behind what is just being published; the network stays loaded."""
        self._gate.close()
        self._worker.mailbox.clear()
        self.get_logger().info('inactive: images are not answered')
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network."""
        self._free()
        self.get_logger().info('unconfigured; waiting for a lifecycle manager')
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything; there is no way back."""
        self._gate.close()
        self._free()
        self.get_logger().info('shut down: images are not answered; only a restart changes that')
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured, from where configuring can be tried again."""
        self._gate.close()
        self._free()
        return TransitionCallbackReturn.SUCCESS

    def stop(self) -> bool:
        """End the inference thread; return whether it ended within half a second."""
        # Not closed, which would wait for a middleware that hangs.
        self._gate.is_open = False
        return self._worker.stop(timeout_s=0.5)

    # Frames

    def _on_image(self, camera: Camera, message: Any) -> None:
        camera.statistics.rate_in.tick()
        camera.statistics.pace.tick()
        stamp = message.header.stamp
        camera.statistics.unstamped = not (stamp.sec or stamp.nanosec)
        pipeline = self._pipeline
        if not self._gate.is_open or pipeline is None or not camera.outputs():
            return
        if camera.due(pipeline.settings.max_rate):
            self._worker.mailbox.put(camera.name, Frame(message, time.monotonic()))

    def _handle(self, slot: Hashable, frame: Frame) -> None:
        pipeline = self._pipeline
        if not self._gate.is_open or pipeline is None:
            return
        more = pipeline.segmenter.max_batch - 1
        waiting = self._worker.mailbox.take_more(more, frame.same_size) if more else []
        taken = [(slot, frame), *waiting]
        frames = [(self._cameras[str(name)], one) for name, one in taken]
        for camera, _ in frames:
            camera.statistics.working_since_s = time.monotonic()
        try:
            outcomes = self._run(pipeline, frames)
        finally:
            for camera, _ in frames:
                camera.statistics.working_since_s = None
        for (name, one), outcome in zip(taken, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._reject(name, one, outcome)
            elif outcome:
                statistics = self._cameras[str(name)].statistics
                statistics.is_failing = False
                statistics.answered += 1
                statistics.rate_out.tick()
                statistics.frame_age_ms = age_ms(self.get_clock().now(), one.message.header.stamp)

    def _run(
        self, pipeline: Pipeline, frames: list[tuple[Camera, Frame]]
    ) -> list[bool | Exception]:
        try:
            return pipeline.run(frames, self._gate.passing)
        except GpuMemoryError as error:
            self.get_logger().error(f'{error}; running on the CPU from now on')
        # Outside the handler, whose traceback keeps the frame's tensors alive.
        pipeline.segmenter.move_to_cpu()
        torch.cuda.empty_cache()
        return pipeline.run(frames, self._gate.passing)

    def _reject(self, slot: Hashable, frame: Frame, error: BaseException) -> None:
        if not self.context.ok():
            return
        camera = self._cameras[str(slot)]
        camera.statistics.is_failing = True
        camera.statistics.rejected += 1
        camera.statistics.rate_rejected.tick()
        text = str(error) if isinstance(error, SpssnError) else f'{error!r}'
        # What libraries say may have many lines.
        text = one_line(text, 600)
        camera.statistics.last_error = text
        if not camera.causes.due(text):
            return
        self.get_logger().error(
            f'{camera.topic}: frame rejected ({camera.statistics.rejected} so far): {text}'
        )

    # The network

    def _load(self, settings: Settings) -> Pipeline:
        """Load and warm; runs on the inference thread."""
        return load_pipeline(settings, self.get_logger())

    def _take(self, pipeline: Pipeline) -> None:
        """Let frames go through a pipeline from now on, and bring the topics in line with it.

        Runs on the inference thread, so that no frame finds the masks of other classes.

        Raises:
            ConfigError: a topic cannot be made; all is as it was.

        """
        try:
            pipeline.prepare(self._cameras.values())
        except Exception:
            if self._pipeline is not None:
                self._pipeline.prepare(self._cameras.values())
            raise
        self._pipeline = pipeline

    def _free(self) -> None:
        self._worker.mailbox.clear()
        self._pipeline = None
        # Once the frame at work has let go of the network, which is not waited for.
        self._worker.submit(give_back_memory)

    # Parameters

    def _on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        known = {spec.name for spec in PARAMETERS}
        changed = {p.name: p.value for p in parameters if p.name in known}
        values = self._values | changed
        try:
            settings = Settings.parse(values)
            pipeline = self._pipeline
            swaps = pipeline is not None and 'weights' in changed and not pipeline.runs(settings)
            if swaps:
                pipeline = self._on_worker(lambda: self._load(settings))
            elif pipeline is not None and changed:
                pipeline = pipeline.with_settings(settings)
            elif pipeline is None:
                check_unloaded(settings, changed)
            if pipeline is not None and changed:
                self._on_worker(partial(self._take, pipeline))
        except SpssnError as error:
            return SetParametersResult(successful=False, reason=str(error))
        # Left to rclpy, it would end the node; the network at work still works.
        except Exception as error:
            reason = one_line(repr(error), 600)
            self.get_logger().error(f'parameters not changed: {reason}')
            return SetParametersResult(successful=False, reason=reason)
        for name, value in changed.items():
            if value != self._values[name]:
                self.get_logger().info(f'{name}: {self._values[name]!r} -> {value!r}')
        self._values, self._settings = values, settings
        if pipeline is not None and swaps:
            self._on_worker(give_back_memory)
            self.get_logger().info(pipeline.description)
        if 'diagnostics_period' in changed:
            self._diagnostics_timer.timer_period_ns = int(settings.diagnostics_period * 1e9)
            self._diagnostics_timer.reset()
        return SetParametersResult(successful=True)

    # Telling

    def _publish_diagnostics(self) -> None:
        pipeline = self._pipeline
        segmenter = pipeline.segmenter if self._gate.is_open and pipeline else None
        self._diagnostics.publish(
            diagnostic_array(
                self.get_fully_qualified_name(),
                self.get_clock().now().to_msg(),
                segmenter,
                [(c, self._worker.mailbox.counts(c.name)) for c in self._cameras.values()],
            )
        )

    def _explain(self) -> None:
        for camera in self._cameras.values():
            camera.look_for_mismatches()
        self._explainer.look_at_qos()
        pipeline = self._pipeline
        if self._gate.is_open and pipeline is not None:
            segmenter = pipeline.segmenter
            for camera in self._cameras.values():
                self._explainer.look(
                    camera, segmenter.would_gain_by_integers, segmenter.prepared_at_s
                )


def main(args: list[str] | None = None) -> int:
    """Run the node; return 0 after a signal that ends it, 2 on a bad parameter."""
    return run_node('segment_node', SegmentNode, SegmentNode.autostart, SegmentNode.stop, args)


if __name__ == '__main__':
    sys.exit(main())
