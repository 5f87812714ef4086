"""
The main path: image in, people out.

    frame -> boxes -> crops -> 2D diffusion -> rays -> 3D diffusion -> placed in the camera frame

A robot calls step with each frame as it comes; recordings go through follow, whose windows reach
into the future as well. A pipeline is pure given its frames, seed and configuration: it has no
clock and no other input.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from diffpose_ros.core.camera import ASSUMED_FOV_DEG, Camera
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.clip import append_apart, NANOSECONDS, with_later
from diffpose_ros.core.config import DetectorConfig, PipelineConfig
from diffpose_ros.core.detector import PersonDetector
from diffpose_ros.core.detector_transformers import TransformersDetector
from diffpose_ros.core.device import pick_device, pick_precision
from diffpose_ros.core.people import Box, Frame, FrameResult, InferenceInfo, Person
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.core.stage2d import MAX_GAP_S, SPACING_S, Stage2D
from diffpose_ros.core.stage3d import Stage3D, View
from diffpose_ros.core.track import MAX_SIGHTINGS, Track
from diffpose_ros.core.tracker import Tracker
from diffpose_ros.lift3d.kinds import lifter_of, LIFTERS
from diffpose_ros.video2d.estimator import VideoEstimator
import torch

MAX_PAUSE_S = 3.0  # after a longer gap between frames everything starts anew
MAX_WAITING = MAX_SIGHTINGS // 2  # frames between the newest one and the one that is lifted

Stage = Callable[[str], AbstractContextManager[None]]

Detector = PersonDetector | TransformersDetector

DETECTOR, POSE2D, LIFTER = 'detector_compact', 'pose2d_compact', 'lift3d_default'  # packaged


def no_stage(name: str) -> AbstractContextManager[None]:
    """Ignore where the time goes."""
    return nullcontext()


@dataclass(frozen=True)
class Seen:
    """
    A frame and its people in the image.

    camera  assumed where the frame has none
    tracks  of those who were seen, to be lifted
    """

    frame: Frame
    camera: Camera
    tracks: tuple[Track, ...]
    people: tuple[Person, ...]
    info: InferenceInfo
    lost: tuple[str, ...]


class PosePipeline:
    """People from images, one frame after the other."""

    skeleton = H36M_17

    def __init__(
        self,
        config: PipelineConfig,
        detector: Detector | None,
        stage2d: Stage2D,
        stage3d: Stage3D,
        model_id: str,
        device: torch.device,
    ) -> None:
        self.config = config
        self.model_id = model_id
        self.device = device
        self._detector = detector
        self._stage2d = stage2d
        self._stage3d = stage3d
        self._fell_back = (
            config.device == 'auto' and device.type == 'cpu' and torch.cuda.is_available()
        )
        self._tracker = Tracker(config)
        self._frames: deque[Frame] = deque(maxlen=stage2d.frames_needed)
        self._gap_s = 0.0  # between the newest frame and the one before

    @classmethod
    def from_config(cls, config: PipelineConfig) -> 'PosePipeline':
        """Load the networks; raise FileNotFoundError or ValueError saying what is wrong."""
        device = pick_device(config.device)
        precision = pick_precision(config.precision, device)
        seed = config.inference.seed
        detector = load_detector(config.detector, device, precision)
        pose2d = load_checkpoint(config.pose2d_model or POSE2D, 'pose2d')
        lift3d = load_checkpoint(config.lifter_model or LIFTER, *LIFTERS)
        return cls(
            config,
            detector,
            Stage2D(VideoEstimator.from_checkpoint(pose2d, device, precision, seed)),
            Stage3D(lifter_of(lift3d, device, seed=seed)),
            f'{pose2d.model_id}+{lift3d.model_id}',
            device,
        )

    @torch.inference_mode()
    def step(self, frame: Frame, stage: Stage = no_stage) -> FrameResult:
        """
        Return the people of the next frame.

        frame  later than the one before; an earlier one, one after more than MAX_PAUSE_S, or
               one of another size starts everything anew
        stage  context manager by name of the stage (detect, pose2d, lift3d), for time keeping
        """
        seen = self._see(frame, (), stage)
        with stage('lift3d'):
            return self._lift(seen)

    @torch.inference_mode()
    def follow(self, frames: Iterable[Frame], stage: Stage = no_stage) -> Iterator[FrameResult]:
        """
        Yield the people of each frame of a recording, as the frames before and after it show them.

        frames  in the order in which they came; jumps of clock and size are as for step
        stage   as of step; every stage runs once per frame, in the order of the frames
        """
        reach_ns = self._stage3d.lookahead_s * NANOSECONDS
        waiting: deque[Seen] = deque()
        for frame, later in with_later(frames, self._stage2d.later_frames, SPACING_S):
            seen = self._see(frame, later, stage)
            while waiting and (
                not 0 <= frame.stamp_ns - waiting[0].frame.stamp_ns <= reach_ns
                or len(waiting) == MAX_WAITING
            ):
                yield self._look_back(waiting.popleft(), stage)
            waiting.append(seen)
        yield from (self._look_back(seen, stage) for seen in waiting)

    def reset(self) -> tuple[str, ...]:
        """Forget all people and frames; return the ids that end."""
        self._frames.clear()
        self._gap_s = 0.0
        return tuple(self._tracker.clear())

    @property
    def ids_given(self) -> int:
        """How many track ids were given; set it to go on after those of another pipeline."""
        return self._tracker.born

    @ids_given.setter
    def ids_given(self, count: int) -> None:
        self._tracker.born = count

    def reconfigure(self, config: PipelineConfig) -> None:
        """Take new dynamic settings; they hold from the next frame on."""
        self.config = self._tracker.config = config

    def warm_up(self, stage: Stage = no_stage) -> None:
        """
        Run every network once on a fixed input, so that the first frame is not slow.

        stage   as of step
        raises  ValueError where a network answers with numbers that are not finite
        """
        if self._detector is not None:
            with stage('detect'):
                self._detector.warm_up()
        most = self.config.max_people if self.device.type == 'cuda' else 1  # each is recorded
        for name, network in (('pose2d', self._stage2d), ('lift3d', self._stage3d)):
            with stage(name):
                network.warm_up(self.config.inference, most)

    def _see(self, frame: Frame, later: Sequence[Frame], stage: Stage) -> Seen:
        """Find the people of the next frame in the image; later frames may help."""
        lost = self._advance(frame)
        later = [following for following in later if following.size == frame.size]
        with stage('detect'):
            boxes = self._find(frame)
            if boxes is not None:
                self._tracker.associate(boxes, frame.stamp_ns)
        with stage('pose2d'):
            poses = self._stage2d.estimate(
                self._frames, self._tracker.tracks, self.config.inference, later
            )
            lost += self._tracker.observe(poses, frame.stamp_ns, frame.image)
        return self._note(frame, tuple(lost))

    def _note(self, frame: Frame, lost: tuple[str, ...]) -> Seen:
        """Keep the sightings of a frame: by the time it is lifted the tracks have gone on."""
        camera = frame.camera or Camera.from_fov(*frame.size, ASSUMED_FOV_DEG)
        tracks = [track for track in self._tracker.tracks if track.hits]  # no mere candidates
        for track in tracks:
            if track.pose is not None:
                track.note(track.pose, camera, self.config.joint_threshold)
        return Seen(
            frame,
            camera,
            tuple(track for track in tracks if track.pose is not None),
            tuple(self._person(track, frame.stamp_ns) for track in tracks),
            self._info(frame),
            lost,
        )

    def _advance(self, frame: Frame) -> list[str]:
        lost: list[str] = []
        if self._frames:
            before = self._frames[-1]
            gap_s = (frame.stamp_ns - before.stamp_ns) / NANOSECONDS
            if not (0 <= gap_s <= MAX_PAUSE_S and before.size == frame.size):
                lost += self.reset()
            self._gap_s = gap_s
            if before.camera is None and frame.camera is not None:
                self._tracker.see_by(frame.camera)
        append_apart(self._frames, frame, SPACING_S)
        return lost + self._tracker.advance(frame.stamp_ns) + self._tracker.limit()

    def _find(self, frame: Frame) -> Sequence[Box] | None:
        """Return the boxes of people from where they are to come; None = carry on without."""
        source = self.config.detector.source
        if source == 'topic':
            return frame.visible_boxes
        if source == 'full_frame':
            return None if self._tracker.tracks else [Box.whole(*frame.size)]
        assert self._detector is not None
        wanted = self._tracker.wants_detection(frame.stamp_ns)
        return self._detector.detect(frame.image) if wanted else None

    def _lift(self, seen: Seen) -> FrameResult:
        frame = seen.frame
        view = View(seen.camera, self.config, frame.camera is not None, frame.depth)
        bodies = self._stage3d.lift(seen.tracks, frame.stamp_ns, view)
        in_space = {t.track_id: body for t, body in zip(seen.tracks, bodies, strict=True)}
        people = tuple(replace(p, pose3d=in_space.get(p.track_id)) for p in seen.people)
        return FrameResult(frame.stamp_ns, people, seen.info, seen.lost)

    def _look_back(self, seen: Seen, stage: Stage) -> FrameResult:
        """Lift a frame with what later frames showed, and say so."""
        stage3d = self._stage3d
        info = replace(
            seen.info,
            window_frames=stage3d.window_frames + stage3d.later_frames,
            lookahead_s=stage3d.lookahead_s,
        )
        with stage('lift3d'):
            return self._lift(replace(seen, info=info))

    def _person(self, track: Track, stamp_ns: int) -> Person:
        return Person(
            track.track_id,
            track.state(self.config.track.min_hits),
            (stamp_ns - track.born_ns) / NANOSECONDS,
            track.box,
            track.pose,
        )

    def _info(self, frame: Frame) -> InferenceInfo:
        inference = self.config.inference
        degraded = {
            'CPU_FALLBACK': self._fell_back,
            'NO_CAMERA_INFO': frame.camera is None,
            'LOW_RATE': self._gap_s > min(self._stage3d.lookback_s, MAX_GAP_S),
            'PEOPLE_CUT': self._tracker.crowded,
        }
        return InferenceInfo(
            steps=inference.steps,
            ensembles=inference.ensembles,
            lift_steps=inference.lift_steps,
            hypotheses=inference.hypotheses,
            window_frames=self._stage3d.window_frames,
            model_id=self.model_id,
            degraded=frozenset(name for name, true in degraded.items() if true),
            window=min(inference.window, self._stage2d.window_frames),
        )


def load_detector(
    config: DetectorConfig, device: torch.device, precision: torch.dtype = torch.float32
) -> Detector | None:
    """Return the detector that the source asks for; None where people come from elsewhere."""
    if config.source == 'embedded':
        checkpoint = load_checkpoint(config.model or DETECTOR, 'detector')
        return PersonDetector.from_checkpoint(checkpoint, device, precision, config.longer_side)
    if config.source == 'transformers':
        if not config.model:
            raise ValueError(
                'detector.source = transformers needs detector.model: an id on the hub, or a '
                'folder that save_pretrained wrote'
            )
        return TransformersDetector.load(config.model, device)
    return None
