"""Services: what may be asked of the node besides transitions and parameters."""

from collections.abc import Callable
import time
from typing import Any

from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.ros import topics
from diffpose_ros.ros.frames import FrameWork
from diffpose_ros.ros.timing import Timing
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

Errand = Callable[[], None]


class Services:
    """
    ~/enable, ~/reset_tracks and ~/self_test.

    between_images  calls a function where it cannot meet an image at work
    pipeline        returns the networks; None before configuration
    work            returns what the images are given to; None while the node is not active
    """

    def __init__(
        self,
        node: Node,
        between_images: Callable[[Errand], None],
        pipeline: Callable[[], PosePipeline | None],
        work: Callable[[], FrameWork | None],
    ) -> None:
        self._node = node
        self._between_images = between_images
        self._pipeline = pipeline
        self._work = work
        self._offer(SetBool, topics.ENABLE, self._enable)
        self._offer(Trigger, topics.RESET_TRACKS, self._reset_tracks)
        self._offer(Trigger, topics.SELF_TEST, self._self_test)

    def _enable(self, request: SetBool.Request) -> str:
        work = self._active()
        self._between_images(work.resume if request.data else work.pause)
        return 'inference goes on' if request.data else 'inference is paused'

    def _reset_tracks(self, request: Trigger.Request) -> str:
        self._between_images(self._active().reset_tracks)
        return 'everybody is forgotten'

    def _self_test(self, request: Trigger.Request) -> str:
        pipeline, timing = self._pipeline(), Timing(0.0, time.perf_counter())
        if pipeline is None:
            raise ValueError('no networks are loaded; configure the node first')
        self._between_images(lambda: pipeline.warm_up(timing.stage))
        times = ', '.join(f'{stage} {ms:.1f} ms' for stage, ms in timing.stages_ms.items())
        return f'all results are finite; on {pipeline.device}: {times}'

    def _active(self) -> FrameWork:
        work = self._work()
        if work is None:
            raise ValueError('the node is not active; activate it first')
        return work

    def _offer(self, kind: type, name: str, ask: Callable[[Any], str]) -> None:
        def answer(request: Any, response: Any) -> Any:
            try:
                response.message, response.success = ask(request), True
            except Exception as error:  # one that is not caught here would end the node
                response.message, response.success = str(error), False
                self._node.get_logger().error(f'{name} failed: {error}')
            return response

        self._node.create_service(kind, name, answer)
