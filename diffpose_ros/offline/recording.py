"""What a recorder wrote, read back: every processed frame with its people and its timing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffpose_ros.core.clip import NANOSECONDS, to_ns
from diffpose_ros.core.config import NODE
from diffpose_ros.core.people import (
    Box,
    FrameResult,
    InferenceInfo,
    Person,
    Pose2D,
    Pose3D,
    ScaleSource,
    TrackState,
)
from diffpose_ros.core.skeleton import H36M_17, Skeleton, SKELETONS
from diffpose_ros.offline.bag import read_bag, refusing
from diffpose_ros.offline.stage_times import STAGES
import numpy as np
from numpy.typing import NDArray

SKELETONS_TOPIC = f'{NODE}/skeletons'
TIMING_TOPIC = f'{NODE}/timing'
TIMES = ('age', *STAGES, 'total')  # of FrameTiming


@dataclass(frozen=True)
class RecordedFrame:
    """
    One processed frame.

    result       people as published
    sequence     index of the image among those that the node received
    received_ns  when the recorder got the skeletons, wall clock
    stages_ms    time by stage, as the node published it; empty: timing is missing
    dropped      images received but not processed since the frame before
    """

    result: FrameResult
    sequence: int
    received_ns: int
    stages_ms: dict[str, float]
    dropped: int


@dataclass(frozen=True)
class Recording:
    """All processed frames in the order of their stamps, and the skeleton they use."""

    frames: tuple[RecordedFrame, ...]
    skeleton: Skeleton = H36M_17


def read_recording(path: Path) -> Recording:
    """Return the frames of a bag; ValueError when it is unreadable."""
    skeletons: dict[int, tuple[int, Any]] = {}
    timings: dict[int, Any] = {}
    for topic, received_ns, message in read_bag(path, {SKELETONS_TOPIC, TIMING_TOPIC}):
        with refusing(path):  # by damaged definitions, fields are missing
            stamp_ns = to_ns(message.header.stamp) or received_ns  # zero: the camera sets none
        if topic == TIMING_TOPIC:
            timings[stamp_ns] = message
        else:  # a node that stops clears the screen with an empty array of the same stamp
            skeletons.setdefault(stamp_ns, (received_ns, message))
    with refusing(path):
        frames = [
            _frame(message, stamp_ns, received_ns, timings.get(stamp_ns))
            for stamp_ns, (received_ns, message) in sorted(skeletons.items())
        ]
        names = {message.skeleton_id for _, message in skeletons.values()} or {H36M_17.name}
    if len(names) > 1 or not names <= SKELETONS.keys():
        raise ValueError(
            f'{path} holds skeletons {sorted(names)}; one of {sorted(SKELETONS)} is read'
        )
    return Recording(tuple(frames), SKELETONS[names.pop()])


def _frame(message: Any, stamp_ns: int, received_ns: int, timing: Any | None) -> RecordedFrame:
    info = message.inference
    people = [to_person(skeleton) for skeleton in message.skeletons]
    result = FrameResult(
        stamp_ns,
        tuple(p for p in people if p.track_state != TrackState.TERMINATED),
        InferenceInfo(
            steps=info.steps_2d,
            ensembles=info.ensembles,
            lift_steps=info.steps_3d,
            hypotheses=info.hypotheses,
            window_frames=info.window_frames,
            model_id=info.model_id,
            lookahead_s=info.lookahead_ms / 1000,
            window=getattr(info, 'window_2d', 0),  # recordings of before do not tell
        ),
        tuple(p.track_id for p in people if p.track_state == TrackState.TERMINATED),
    )
    stages = {} if timing is None else {s: float(getattr(timing, f'{s}_ms')) for s in TIMES}
    dropped = 0 if timing is None else int(timing.dropped_since_last)
    return RecordedFrame(result, int(message.frame_seq), received_ns, stages, dropped)


def to_person(message: Any) -> Person:
    """Return the person of a diffpose_ros/Skeleton message, from ROS or from a bag."""
    x, y, width, height = (float(value) for value in message.bbox)
    return Person(
        message.track_id,
        TrackState(message.track_state),
        to_ns(message.age) / NANOSECONDS,
        Box(x, y, width, height, float(message.score)),
        _pose2d(message) if np.isfinite(message.x).any() else None,
        _pose3d(message) if len(message.position) else None,
    )


def _pose2d(message: Any) -> Pose2D:
    return Pose2D(
        np.stack([_array(message.x), _array(message.y)], axis=1),
        _optional(message.covariance_2d, (len(message.x), 2, 2)),
        _array(message.score_2d),
    )


def _pose3d(message: Any) -> Pose3D:
    xyz = _array(message.position).reshape(-1, 3)
    hypotheses = [_array(h.xyz).reshape(-1, 3) for h in message.hypotheses]
    relative = getattr(message, 'relative_covariance', ())  # recordings of before do not tell
    return Pose3D(
        xyz,
        _optional(message.covariance, (len(xyz), 3, 3)),
        _optional(relative, (len(xyz), 3, 3)),
        _array(message.root_covariance).reshape(3, 3),
        np.stack(hypotheses) if hypotheses else np.zeros((0, len(xyz), 3)),
        np.array([h.weight for h in message.hypotheses]),
        np.array(message.joint_state, np.uint8),
        ScaleSource(message.scale_source),
    )


def _array(values: Any) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)


def _optional(values: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return _array(values).reshape(shape) if len(values) else np.full(shape, np.nan)
