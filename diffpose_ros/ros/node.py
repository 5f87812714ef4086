"""The lifecycle node: parameters, topics, transitions. What it does with an image: frames.py."""

from collections.abc import Callable
from functools import wraps
import gc
import math
import os
import sys
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diffpose_ros.core.clip import to_ns
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.ros import topics
from diffpose_ros.ros.companions import Companions
from diffpose_ros.ros.compat import IMAGE_CONVERTER, refuse_invalid_transitions
from diffpose_ros.ros.diagnostics import Health, Situation
from diffpose_ros.ros.frames import FrameWork
from diffpose_ros.ros.images import CameraSource
from diffpose_ros.ros.outputs import Outputs
from diffpose_ros.ros.parameters import Parameters
from diffpose_ros.ros.services import Services
from diffpose_ros.ros.spin import noted_signals, spin
from diffpose_ros.ros.timing import Timing
from diffpose_ros.ros.worker import alone, Arrival, NewestWorker
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
import torch

NAME = 'diffpose'
DIAGNOSTICS_PERIOD_S = 0.5  # with silent_s, so soon a silent camera is told
STOP_TIMEOUT_S = 3.0  # at the end, for the image at work, beyond what it may wait for:
WAITS = 3  # one after the other for depth, detections and a transform
PAUSE_TIMEOUT_S = 15.0  # the same at deactivation: slow settings are no reason to fail
ERRAND_TIMEOUT_S = 10.0

MakePipeline = Callable[[PipelineConfig], PosePipeline]
SUCCESS = TransitionCallbackReturn.SUCCESS
Transition = Callable[['DiffposeNode', LifecycleState], TransitionCallbackReturn]


def report_failure(transition: Transition) -> Transition:
    """Tell why a transition fails, which rclpy does not; a wrong setting needs no traceback."""

    @wraps(transition)
    def wrapper(node: 'DiffposeNode', state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except (ValueError, OSError) as error:
            node._broke(f'{transition.__name__} failed: {error}')
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            node._broke(f'{transition.__name__} failed: {error}', traceback.format_exc())
            return TransitionCallbackReturn.ERROR

    return wrapper


class DiffposeNode(LifecycleNode):
    """Images in, people with uncertainty and markers out, with the stamps of the images."""

    def __init__(
        self, make_pipeline: MakePipeline = PosePipeline.from_config, **node_arguments: Any
    ) -> None:
        super().__init__(NAME, **node_arguments)
        refuse_invalid_transitions(self)
        self._make_pipeline = make_pipeline
        self._settings = self._read_settings()
        self._pipeline: PosePipeline | None = None
        self._outputs: Outputs | None = None
        self._work: FrameWork | None = None
        self._worker: NewestWorker | None = None
        self._stuck: list[NewestWorker] = []  # told to end, and still inside the networks
        self._inputs: list[Subscription] = []
        self._cameras = CameraSource()
        self._companions: Companions | None = None
        self._health = Health()
        self._seq = self._ids_given = 0  # images so far; ids by pipelines before this one
        self._diagnostics = self.create_publisher(
            DiagnosticArray, topics.DIAGNOSTICS, topics.results(10)
        )
        Services(self, self._between_images, lambda: self._pipeline, lambda: self._work)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=steady)

    @report_failure
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the networks, run them once, announce the topics."""
        self._health.broken = ''
        self._cameras = CameraSource()  # calibrations of before a cleanup hold no more
        self._companions = Companions(self._settings, self.get_logger())
        pipeline = alone(lambda: self._make_pipeline(self._settings.pipeline))
        alone(pipeline.warm_up)
        pipeline.ids_given = self._ids_given
        self._outputs = Outputs(self, pipeline.skeleton, self._settings.node)
        self._pipeline = pipeline
        self.get_logger().info(
            f'configured: {pipeline.model_id} on {pipeline.device}, images by {IMAGE_CONVERTER}'
        )
        return SUCCESS

    @report_failure
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the camera."""
        self._health = Health()
        self._work = FrameWork(
            self._pipeline,
            self._settings,
            self._cameras,
            self._companions,
            self._outputs,
            self._health,
            self.get_logger(),
        )
        self._worker = NewestWorker(self._work, self._work.died)
        self._seq = 0
        kind = CompressedImage if self._compressed else Image
        for companion in self._companions.inputs:
            self._listen(*companion)
        self._listen(CameraInfo, topics.CAMERA_INFO, self._cameras.update)
        self._listen(kind, self._image_topic, self._on_image)
        return SUCCESS

    @report_failure
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening, say that nobody is seen, keep the networks."""
        work = self._work
        if not self._stop(PAUSE_TIMEOUT_S):
            raise RuntimeError(f'the image at work took more than {PAUSE_TIMEOUT_S:.0f} s')
        work.pause()
        return SUCCESS

    @report_failure
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the memory back."""
        self._release()
        return SUCCESS

    @report_failure
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End, from whatever state."""
        if self._worker is not None:
            self.on_deactivate(state)
        self._release()
        return SUCCESS

    @report_failure
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to where the node can be configured again."""
        self._stop(STOP_TIMEOUT_S)
        self._release()
        return SUCCESS

    def bring_up(self) -> None:
        """Configure and activate."""
        configured = self.trigger_configure() == SUCCESS
        if not (configured and self.trigger_activate() == SUCCESS):
            self.get_logger().error('fix the error above and start the node again')

    def close(self) -> bool:
        """End, whatever the state; return whether the worker ended in time."""
        ended = self._stop(STOP_TIMEOUT_S) and all(worker.stop(0) for worker in self._stuck)
        self.destroy_node()
        return ended

    def destroy_node(self) -> None:
        """
        Leave the graph, with the services of the lifecycle, too.

        rclpy keeps those, and with them the participant, until the garbage collector comes; ended
        without it, others see them for 20 s more. A client that knows such a service only by half
        finds none of that name ready, not the next node's either.
        """
        super().destroy_node()
        self._state_machine = None  # the last reference to it

    @property
    def autostart(self) -> bool:
        """Whether the node brings itself up."""
        return self._settings.node.autostart

    @property
    def _compressed(self) -> bool:
        return self._settings.node.image_transport == 'compressed'

    @property
    def _image_topic(self) -> str:
        topic = self.resolve_topic_name(topics.IMAGE)
        return topic + topics.COMPRESSED_SUFFIX if self._compressed else topic

    def _broke(self, reason: str, details: str = '') -> None:
        self._health.broken = reason
        self.get_logger().error(f'{reason}\n{details}'.strip())

    def _read_settings(self) -> Parameters:
        try:
            return Parameters(self)
        except ValueError:
            self.destroy_node()
            raise

    def _listen(self, kind: type, topic: str, callback: Callable) -> None:
        self._inputs.append(
            self.create_subscription(
                kind,
                topic,
                callback,
                topics.sensor_data(),
                qos_overriding_options=topics.overridable(),
            )
        )

    def _on_image(self, msg: Image | CompressedImage) -> None:
        """Keep the newest image for the worker, and no work here."""
        self._seq += 1
        stamp_ns = to_ns(msg.header.stamp)
        age_ms = (self.get_clock().now().nanoseconds - stamp_ns) / 1e6 if stamp_ns else math.nan
        timing = Timing(age_ms, time.perf_counter())
        self._health.received(age_ms, msg.header.frame_id, stamped=stamp_ns != 0)
        self._worker.put(Arrival(msg, self._seq, timing))

    def _between_images(self, errand: Callable[[], None]) -> None:
        if self._worker is None:
            alone(errand)
        else:
            self._worker.call(errand, ERRAND_TIMEOUT_S)

    def _stop(self, timeout_s: float) -> bool:
        """Take no more images; return whether the worker ended in time."""
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        worker, self._worker, self._work = self._worker, None, None
        waits_s = WAITS * self._settings.node.sync.timeout_ms / 1000
        if worker is not None and not worker.stop(timeout_s + waits_s):
            self._stuck.append(worker)
        return worker not in self._stuck

    def _release(self) -> None:
        if self._outputs is not None:
            self._outputs.destroy()
        if self._pipeline is not None:
            self._ids_given = self._pipeline.ids_given
        self._outputs = self._pipeline = self._companions = None
        gc.collect()
        torch.cuda.empty_cache()

    def _publish_diagnostics(self) -> None:
        pipeline = self._pipeline
        about = Situation(
            name=self.get_fully_qualified_name().lstrip('/'),
            state=self._state_machine.current_state[1],
            image_topic=self._image_topic,
            camera_problem=self._cameras.problem,
            model_id=pipeline.model_id if pipeline else '',
            device=str(pipeline.device) if pipeline else '',
            converter=IMAGE_CONVERTER,
            publishers={s.topic_name: s.get_publisher_count() for s in self._inputs},
            subscribers=self._outputs.subscribers() if self._outputs else {},
            paused=self._work is not None and self._work.paused,
        )
        msg = DiagnosticArray(status=self._health.statuses(about, self._settings.node.diagnostics))
        msg.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(msg)


def main(
    args: list[str] | None = None, make_pipeline: MakePipeline = PosePipeline.from_config
) -> None:
    """Run the node until it is interrupted."""
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    with noted_signals() as asked:
        try:
            node = DiffposeNode(make_pipeline)
        except ValueError as error:
            get_logger(NAME).fatal(str(error))
            rclpy.try_shutdown()
            sys.exit(1)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if node.autostart and not asked():
            node.bring_up()
        spin(executor, asked)
        ended = node.close()
    rclpy.try_shutdown()
    if not ended:
        os._exit(0)  # the worker is inside the networks, and Python cannot end around it


if __name__ == '__main__':
    main()
