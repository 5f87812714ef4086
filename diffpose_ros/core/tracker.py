"""
Tracks: who is who from frame to frame.

Between detections a track carries its own box, the tight box of its last skeleton. Detections
start new tracks, and give a track that lost its person a place to look again.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.people import Box, Pose2D, TrackState
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

MIN_IOU = 0.2  # a detection that overlaps a track less is somebody else
DRIFTED_IOU = 0.5  # a detection that overlaps its track less corrects the track's box
SAME_PERSON = 0.15  # mean joint distance of two skeletons, in heights of their box
SAME_JOINT, SHARED = 0.06, 0.4  # or more than that share of the joints so close to each other
MIN_JOINTS = 7  # measured joints that keep a skeleton alive
MAX_SIGHTINGS = 256  # of one track that are remembered
BIRTH_SCORE = 0.55  # mean score of the joints that makes a detection a person: many are wrong
MAX_CANDIDATES = 4  # detections per frame that the 2D estimator looks at as possible new people


@dataclass(frozen=True)
class Sighting:
    """
    One 2D pose of a track, and the same in the terms of the lifter.

    rays        (J, 2)     x / z, y / z in the camera's optical frame
    covariance  (J, 2, 2)  the same units squared
    score       (J,)       0 to 1
    """

    stamp_ns: int
    pose: Pose2D
    rays: NDArray[np.float64]
    covariance: NDArray[np.float64]
    score: NDArray[np.float64]


@dataclass
class Track:
    """One person through time."""

    track_id: str
    box: Box
    born_ns: int
    seen_ns: int
    hits: int = 0
    crop: Crop | None = None
    pose: Pose2D | None = None  # of the newest frame; None = not seen in it
    features: dict[int, Tensor] = field(default_factory=dict)  # by stamp, (V, C, h, w) of the crop
    sightings: deque[Sighting] = field(default_factory=lambda: deque(maxlen=MAX_SIGHTINGS))

    def state(self, min_hits: int) -> TrackState:
        """Return where the track stands in its life."""
        if self.hits < min_hits:
            return TrackState.TENTATIVE
        return TrackState.OCCLUDED if self.pose is None else TrackState.CONFIRMED


class Tracker:
    """All people at hand; ids are unique for the life of the tracker."""

    def __init__(self, config: PipelineConfig) -> None:
        self.config = config
        self.tracks: list[Track] = []
        self.crowded = False  # there are more people than max_people, as far as is known
        self._born = 0
        self._frames_since_detection = 0

    def wants_detection(self) -> bool:
        """Say whether this frame should be searched for people."""
        self._frames_since_detection += 1
        due = self._frames_since_detection >= self.config.detector.period
        everybody_seen = self.tracks and all(track.pose is not None for track in self.tracks)
        return due or not everybody_seen

    def expire(self, stamp_ns: int) -> list[str]:
        """End the tracks that were not seen for too long; return their ids."""
        limit_ns = self.config.track.timeout_s * NANOSECONDS
        return self._remove([t for t in self.tracks if stamp_ns - t.seen_ns > limit_ns])

    def limit(self) -> list[str]:
        """End the youngest tracks that are more than max_people; return their ids."""
        surplus = self.tracks[self.config.max_people :]
        self.crowded |= bool(surplus)
        return self._remove(surplus)

    def associate(self, boxes: Sequence[Box], stamp_ns: int) -> None:
        """Give detections to the tracks they belong to; start tracks with the others."""
        self._frames_since_detection = 0
        overlap = overlaps([track.box for track in self.tracks], boxes)
        pairs = assign(overlap)
        for i, j in pairs.items():
            if self.tracks[i].pose is None or overlap[i, j] < DRIFTED_IOU:
                self.tracks[i].box = boxes[j]
        strangers = [box for j, box in enumerate(boxes) if j not in pairs.values()]
        threshold = self.config.detector.score_threshold
        candidates = [box for box in strangers if box.score >= threshold]
        free = max(0, self.config.max_people - len(self.tracks))
        self.crowded = len(candidates) > free
        for box in candidates[: min(MAX_CANDIDATES, free)]:
            self._born += 1
            self.tracks.append(Track(f'b{self._born:04d}', box, stamp_ns, stamp_ns))

    def observe(self, track: Track, pose: Pose2D, stamp_ns: int) -> None:
        """Take the 2D pose of the newest frame into the track, unless it shows nobody."""
        seen = pose.score >= self.config.joint_threshold
        known = track.hits > 0 or pose.score.mean() >= BIRTH_SCORE
        track.pose = pose if known and seen.sum() >= MIN_JOINTS else None
        if track.pose is not None:
            score = float(pose.score[seen].mean())
            track.box = Box.around(pose.xy[seen], score)
            track.seen_ns = stamp_ns
            track.hits += 1

    def drop_doubles(self) -> list[str]:
        """End the younger of two tracks that follow the same person, and stillborn tracks."""
        doubles = []
        for i, old in enumerate(self.tracks):
            doubles += [young for young in self.tracks[i + 1 :] if same_person(old, young)]
        stillborn = [t for t in self.tracks if t.pose is None and t.hits == 0]
        return self._remove(doubles + stillborn)

    def clear(self) -> list[str]:
        """End all tracks; return their ids."""
        self.crowded = False
        return self._remove(list(self.tracks))

    def _remove(self, gone: list[Track]) -> list[str]:
        ids = {track.track_id for track in gone}
        self.tracks = [track for track in self.tracks if track.track_id not in ids]
        return sorted(ids)


def overlaps(a: Sequence[Box], b: Sequence[Box]) -> NDArray[np.float64]:
    """Return intersection over union (n, m) of boxes a and b."""
    corners_a = np.array([box.corners for box in a]).reshape(-1, 1, 4)
    corners_b = np.array([box.corners for box in b]).reshape(1, -1, 4)
    low = np.maximum(corners_a[..., :2], corners_b[..., :2])
    high = np.minimum(corners_a[..., 2:], corners_b[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    area_a, area_b = ((c[..., 2:] - c[..., :2]).prod(axis=-1) for c in (corners_a, corners_b))
    return shared / np.maximum(area_a + area_b - shared, 1e-9)


def assign(overlap: NDArray[np.float64]) -> dict[int, int]:
    """Return the pairs row -> column of the largest total overlap, each at least MIN_IOU."""
    rows, columns = linear_sum_assignment(-overlap)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if overlap[i, j] >= MIN_IOU}


def same_person(a: Track, b: Track) -> bool:
    """Say whether the skeletons of two tracks lie on each other."""
    if a.pose is None or b.pose is None:
        return False
    distance = np.linalg.norm(a.pose.xy - b.pose.xy, axis=1)
    size = max(a.box.height, a.box.width)
    shared = np.mean(distance < SAME_JOINT * size)  # half a body seen as a whole shares its half
    return bool(np.nanmean(distance) < SAME_PERSON * size or shared > SHARED)
