"""A person through time: where the newest skeleton is, and where the next one is expected."""

from collections import deque
from dataclasses import dataclass, field, replace
import math

from diffpose_ros.core.appearance import UNKNOWN
from diffpose_ros.core.camera import Camera
from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.likeness import likeness, Skeleton2D
from diffpose_ros.core.people import Box, Pose2D, TrackState
from diffpose_ros.core.sighting import sight, Sighting
from diffpose_ros.lift3d.placement import BodySize
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

SURE_SCORE = 0.55  # mean score of the joints from which a skeleton is somebody: many are wrong
REACH, REACH_PER_S = 0.1, 0.6  # how far joints may be off, in sizes, and more while unseen
SHRUNK, FADED = 0.5, 0.6  # of the usual size and score: an unsure skeleton below is none
USUAL_GAIN, VELOCITY_GAIN = 0.2, 0.4  # of the newest sighting
LEAST_STEP_S = 0.02  # images nearer to each other, as drivers send them in bursts, tell no speed
MAX_SIGHTINGS = 256  # that are remembered
COAST_S = 0.5  # in so long an unseen person slows down to a third, and the usual score falls


@dataclass
class Track:
    """One person through time."""

    track_id: str
    box: Box
    born_ns: int
    seen_ns: int
    hits: int = 0
    hopeful: bool = False  # a candidate that waits for its second look
    apart: int = 0  # of them where nobody else was near
    aside: NDArray[np.float64] | None = None  # pixels by which its crop avoids who hides it
    doubts: int = 0  # detections in a row that did not find it, while it was unsure
    crop: Crop | None = None
    pose: Pose2D | None = None  # of the newest frame; None = not seen in it
    expected: Pose2D | None = None  # where the last pose would be by now
    size: float = 0.0  # usual longer side of its skeleton, pixels
    score: float = 0.0  # usual mean score of its joints
    colours: NDArray[np.float64] = field(default_factory=UNKNOWN.copy)  # that it usually wears
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))  # pixels / s
    stamp_ns: int = 0  # of the newest frame
    # (V, C, h, w) of the crop by id() of the frame, for the frames that windows may hold
    features: dict[int, Tensor] = field(default_factory=dict)
    body: BodySize | None = None  # as depth images told it
    sightings: deque[Sighting] = field(default_factory=lambda: deque(maxlen=MAX_SIGHTINGS))

    def state(self, min_hits: int) -> TrackState:
        """Return where the track stands in its life."""
        if self.hits < min_hits:
            return TrackState.TENTATIVE
        return TrackState.OCCLUDED if self.pose is None else TrackState.CONFIRMED

    @property
    def aim(self) -> Box:
        """Where its crop looks for it."""
        return self.box if self.aside is None else self.box.moved(self.aside)

    def move(self, stamp_ns: int) -> None:
        """Go on as before until a time, slower and slower while unseen."""
        passed_s = max(0, stamp_ns - self.stamp_ns) / NANOSECONDS
        self.stamp_ns = stamp_ns
        if self.expected is None:
            return
        if self.pose is None:
            kept = math.exp(-passed_s / COAST_S)
            self.velocity, self.score = self.velocity * kept, self.score * kept
        moved = self.velocity * passed_s
        self.expected = replace(self.expected, xy=self.expected.xy + moved)
        self.box = self.box.moved(moved)

    def take(self, seen: Skeleton2D) -> None:
        """Be seen now."""
        if self.expected is None:
            self.size, self.score, self.expected = seen.size, seen.score, seen.pose
        else:
            self._learn(seen, self.expected)
        self.pose = seen.pose
        self.box, self.seen_ns = seen.box, self.stamp_ns
        self.hits += 1
        self.hopeful = False
        if is_sure(seen):
            self.doubts = 0

    def wear(self, colours: NDArray[np.float64]) -> None:
        """Learn its colours (L, 3) from an image that shows it apart from others."""
        learnt = self.colours + USUAL_GAIN * (colours - self.colours)
        known_once = np.where(np.isnan(self.colours), colours, self.colours)
        self.colours = np.where(np.isnan(learnt), known_once, learnt)

    def note(self, pose: Pose2D, camera: Camera, threshold: float) -> None:
        """Keep the pose of the newest frame for the lifter; threshold as of sight."""
        self.sightings.append(sight(pose, camera, self.stamp_ns, threshold))

    def see_by(self, camera: Camera, threshold: float) -> None:
        """Take it that all sightings were by this camera; threshold as of sight."""
        for i, old in enumerate(self.sightings):
            self.sightings[i] = sight(old.pose, camera, old.stamp_ns, threshold)

    def likeness(self, seen: Skeleton2D) -> float:
        """Return how well a skeleton suits what is expected of this track, 0 to 1."""
        if self.expected is None:
            return 0.0
        unseen_s = (self.stamp_ns - self.seen_ns) / NANOSECONDS
        return likeness(self.expected, seen.pose, (REACH + REACH_PER_S * unseen_s) * self.size)

    def is_usual(self, seen: Skeleton2D) -> bool:
        """Say whether a skeleton is about as large and as sure as this track's usually are."""
        return seen.size >= SHRUNK * self.size and seen.score >= FADED * self.score

    def _learn(self, seen: Skeleton2D, expected: Pose2D) -> None:
        """Correct what is expected by what is seen, less by an unsure skeleton."""
        trust = 1.0 if is_sure(seen) else seen.score
        self.size += trust * USUAL_GAIN * (seen.size - self.size)
        self.score += USUAL_GAIN * (seen.score - self.score)
        error = seen.pose.xy - expected.xy
        known = np.asarray(np.isfinite(error).all(axis=1))
        passed_s = (self.stamp_ns - self.seen_ns) / NANOSECONDS
        if known.any() and passed_s > 0:
            ahead = np.median(error[known], axis=0) / max(passed_s, LEAST_STEP_S)
            self.velocity = self.velocity + trust * VELOCITY_GAIN * ahead
        xy = np.where(known[:, None], expected.xy + trust * error, seen.pose.xy)
        self.expected = replace(seen.pose, xy=xy)


def is_sure(seen: Skeleton2D) -> bool:
    """Say whether a skeleton is somebody for certain."""
    return seen.score >= SURE_SCORE
