"""What the worker does with one image: decode, infer, publish; nothing that fails ends it."""

from dataclasses import replace
import math
import time
import traceback

from diffpose_ros.core.budget import BudgetController, with_cuts
from diffpose_ros.core.clip import to_ns
from diffpose_ros.core.people import Frame, FrameResult
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.ros.companions import Companions
from diffpose_ros.ros.diagnostics import Health
from diffpose_ros.ros.images import CameraSource, Rgb, to_rgb
from diffpose_ros.ros.outputs import Outputs
from diffpose_ros.ros.parameters import Parameters
from diffpose_ros.ros.settings import REPEAT_S
from diffpose_ros.ros.timing import Timing
from diffpose_ros.ros.worker import Arrival
from rclpy.impl.rcutils_logger import RcutilsLogger

PATIENCE_S = 1.0  # so long camera_info may come after the first image
SLIP_NS = 200_000_000  # an image so much older than the one before is late; beyond, time restarted


class FrameWork:
    """Images in, results out."""

    def __init__(
        self,
        pipeline: PosePipeline,
        parameters: Parameters,
        cameras: CameraSource,
        companions: Companions,
        outputs: Outputs,
        health: Health,
        logger: RcutilsLogger,
    ) -> None:
        self._pipeline = pipeline
        self._parameters = parameters
        self._cameras = cameras
        self._companions = companions
        self._outputs = outputs
        self._health = health
        self._logger = logger
        self._budget = BudgetController()
        self.paused = False
        self._last_seq = 0
        self._last_ns = 0  # stamp of the newest image worked on
        self._lost: tuple[str, ...] = ()  # with images that failed
        self._told: tuple[str, ...] = ()  # who may have been in the last result
        self._complaint = ('', 0.0)  # about the camera, and since when
        self._complained = ''

    def __call__(self, arrival: Arrival) -> None:
        """Work on one image; trouble is logged and told to the diagnostics."""
        if self.paused:
            return
        arrival.timing.start()
        self._health.begins()
        try:
            if self._is_fresh(arrival):
                image = self._decode(arrival)
                if image is not None and self._is_in_order(arrival):
                    self._infer(arrival, image)
        except Exception as error:
            if self._outputs.are_closed():  # interrupted in the middle of this image
                return
            self._recover(f'{type(error).__name__}: {error}')
            self._logger.error(
                f'image {arrival.seq} failed, going on with the next:\n{traceback.format_exc()}',
                throttle_duration_sec=REPEAT_S,
            )
        finally:
            self._health.ends()

    def died(self) -> None:
        """Take over from a worker whose thread has ended."""
        self._recover('the worker thread had ended; a new one goes on')
        self._logger.error('the worker thread had ended; a new one goes on')

    def _recover(self, reason: str) -> None:
        """Forget everybody: who knows in what state the pipeline was left."""
        self._health.failed(reason)
        self._lost = self._told
        self._pipeline.reset()

    def pause(self) -> None:
        """Infer nothing more; say that nobody is seen."""
        if not self.paused:
            lost, self._lost, self._told = self._lost + self._pipeline.reset(), (), ()
            self.paused = True
            self._outputs.clear(lost, self._parameters.node)

    def resume(self) -> None:
        """Go on with the next image."""
        self.paused = False
        self._health.since = time.monotonic()

    def reset_tracks(self) -> None:
        """Forget everybody; the next result announces whose tracks ended."""
        self._lost += self._pipeline.reset()

    def _is_fresh(self, arrival: Arrival) -> bool:
        limit_ms = self._parameters.node.max_age_ms
        age_ms = arrival.timing.age_ms + arrival.timing.since_reception_ms()
        if limit_ms == 0 or age_ms <= limit_ms:
            return True
        age = 'of unknown age' if math.isnan(age_ms) else f'{age_ms:.0f} ms old'
        self._health.rejected(f'image is {age}, max_age_ms is {limit_ms:.0f}')
        self._logger.warning(
            f'images are {age} and dropped, because max_age_ms is {limit_ms:.0f}; '
            'check the clocks, set use_sim_time for recorded data, or raise it',
            throttle_duration_sec=REPEAT_S,
        )
        return False

    def _is_in_order(self, arrival: Arrival) -> bool:
        """Drop an image that comes late; one much older than the last starts everything anew."""
        late_ns = self._last_ns - to_ns(arrival.msg.header.stamp)
        if 0 < late_ns <= SLIP_NS:
            reason = f'image is {late_ns / 1e6:.0f} ms older than the one before'
            self._health.rejected(reason)
            self._logger.warning(
                f'{reason} and dropped; check the stamps, and that one camera alone publishes it',
                throttle_duration_sec=REPEAT_S,
            )
            return False
        if late_ns > 0:
            self._logger.warning(
                f'time went back by {late_ns / 1e9:.1f} s: everybody is forgotten',
                throttle_duration_sec=REPEAT_S,
            )
        return True

    def _decode(self, arrival: Arrival) -> Rgb | None:
        try:
            with arrival.timing.stage('decode'):
                return to_rgb(arrival.msg)
        except ValueError as error:
            self._health.rejected(str(error))
            self._logger.error(f'{error}', throttle_duration_sec=REPEAT_S)
            return None

    def _infer(self, arrival: Arrival, image: Rgb) -> None:
        settings, header, timing = self._parameters.node, arrival.msg.header, arrival.timing
        size = (image.shape[1], image.shape[0])
        self._last_ns = to_ns(header.stamp)
        camera = self._cameras.camera(size, settings.rectified)
        self._complain(self._cameras.problem)
        with timing.stage('queue'):
            depth = self._companions.depth(header, size)
            boxes = self._companions.boxes(header)
        result = self._step(Frame(image, to_ns(header.stamp), camera, depth, boxes), timing)
        shown = tuple(person.track_id for person in result.people)
        self._told = shown + result.lost  # for all that is known where publishing breaks
        with timing.stage('publish'):
            published = self._outputs.people(result, arrival, size, settings)
        self._told = shown
        timing.finish()
        self._budget.learn(result, timing.stages_ms, timing.total_ms)
        dropped, self._last_seq = arrival.seq - self._last_seq - 1, arrival.seq
        self._outputs.timing(arrival, dropped)
        self._health.processed(timing, published, dropped)
        self._outputs.overlay(image, result, header)

    def _step(self, frame: Frame, timing: Timing) -> FrameResult:
        """Run the pipeline with as much effort as the budget allows."""
        wanted = self._parameters.pipeline
        config = self._budget.choose(wanted)
        if config is not self._pipeline.config:
            self._pipeline.reconfigure(config)
        timing.budget_ms = wanted.inference.budget_ms
        result = with_cuts(self._pipeline.step(frame, timing.stage), config, wanted)
        degraded = result.info.degraded | self._companions.lacking(frame.depth)
        lost, self._lost = self._lost, ()
        info = replace(result.info, degraded=degraded)
        return replace(result, info=info, lost=lost + result.lost)

    def _complain(self, problem: str) -> None:
        """Warn about the camera, once, when it has been wrong for a while."""
        now = time.monotonic()
        if problem != self._complaint[0]:
            self._complaint = (problem, now)
        if problem not in ('', self._complained) and now - self._complaint[1] > PATIENCE_S:
            self._complained = problem
            self._logger.warning(
                f'uncalibrated, so 3D is relative to the hip, and RViz shows none: {problem}'
            )
