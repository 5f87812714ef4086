"""
Tracks: who is who from frame to frame.

A track moves on by its own velocity and is seen where its crop shows it. Crops of people who meet
show the same person, so a skeleton does not belong to the crop it comes from but to the track that
expects it most, by its place and by what it wears; who gets none is hidden, is expected farther
along, and is looked for a little aside of who was seen instead. Detections start new tracks, and
give a track that lost its person a place to look again.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from diffpose_ros.core.appearance import colours, resemblance
from diffpose_ros.core.camera import Camera
from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.likeness import assign, distinct, Skeleton2D
from diffpose_ros.core.people import Box, corners_of, overlaps, Pose2D
from diffpose_ros.core.track import is_sure, SURE_SCORE, Track
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

MIN_IOU = 0.2  # a detection that overlaps a track less is somebody else
MAX_GROWTH = 1.5  # and so is one that is so much larger or smaller
DRIFTED_IOU = 0.5  # a detection that overlaps its track less corrects the track's box
MEETING_IOU = 0.1  # tracks that overlap more are watched closely, as are unsure ones:
WATCH_PERIOD = 3  # by the detector every so many frames
MAX_UNSEARCHED_S = 0.7  # however few images come, newcomers do not wait longer for the detector
MIN_JOINTS = 7  # measured joints that keep a skeleton alive
HOPEFUL_SCORE = 0.36  # mean score of a candidate's joints that makes a second look worth while
MIN_PIXELS = 16  # nobody is shorter
MAX_CANDIDATES = 4  # detections per frame that the 2D estimator looks at as possible new people
MAX_TRIED = 32  # of them that are remembered
MIN_LIKENESS = 0.35  # of a skeleton to the one that a track expects
STRANGER = 0.1  # of its colours to those of a track: less, and it is somebody else
OWN = 0.1  # what a skeleton in the crop of a track that was just seen has ahead of others
NEWCOMER = 1e-3  # a person known already comes first
ASIDE = 0.15  # longer sides by which a crop avoids who was seen in it instead
LIVED = 10  # sightings amid others that make a person of a track, not another's double
DOUBLE_S = 0.3  # so long a younger track may look aside before it is taken for a double
MAX_DOUBTS = 10  # detections in a row that find nobody where an unsure track is


class Tracker:
    """All people at hand; ids are unique for the life of the tracker."""

    def __init__(self, config: PipelineConfig) -> None:
        self.config = config
        self.tracks: list[Track] = []
        self.crowded = False  # there are more people than max_people, as far as is known
        self.born = 0  # ids given
        self._frames_since_detection = 0
        self._searched_ns = 0
        self._tried: deque[Box] = deque(maxlen=MAX_TRIED)  # candidates of late, until all were

    def wants_detection(self, stamp_ns: int) -> bool:
        """Say whether the frame of this time should be searched for people."""
        self._frames_since_detection += 1
        people = [track for track in self.tracks if track.hits]
        scores = [track.pose.score.mean() for track in people if track.pose is not None]
        if not scores or len(scores) < len(people):
            return True
        clear = min(scores) >= SURE_SCORE and not self._somebody_meets()
        period = self.config.detector.period
        return (
            self._frames_since_detection >= (period if clear else min(period, WATCH_PERIOD))
            or stamp_ns - self._searched_ns >= MAX_UNSEARCHED_S * NANOSECONDS
        )

    def advance(self, stamp_ns: int) -> list[str]:
        """Move the tracks on to a time; end those not seen for too long and return their ids."""
        for track in self.tracks:
            track.move(stamp_ns)
        limit_ns = self.config.track.timeout_s * NANOSECONDS
        # Who was seen in the image before was not looked for since, however long ago it was.
        missed = [track for track in self.tracks if track.pose is None]
        return self._remove([track for track in missed if stamp_ns - track.seen_ns > limit_ns])

    def limit(self) -> list[str]:
        """End the youngest tracks that are more than max_people; return their ids."""
        surplus = self.tracks[self.config.max_people :]
        self.crowded |= bool(surplus)
        return self._remove(surplus)

    def associate(self, boxes: Sequence[Box], stamp_ns: int) -> None:
        """Give detections to the tracks they belong to; start tracks with the others."""
        self._frames_since_detection, self._searched_ns = 0, stamp_ns
        overlap, _ = overlaps(corners_of(t.box for t in self.tracks), corners_of(boxes))
        worth = np.where(self._of_a_size(boxes), overlap, 0)
        pairs = assign(worth, MIN_IOU)
        for i, track in enumerate(self.tracks):
            track.doubts = 0 if i in pairs else track.doubts + 1
        for i, j in pairs.items():
            track, drifted = self.tracks[i], overlap[i, j] < DRIFTED_IOU
            if not track.hopeful and (track.pose is None or drifted):
                track.box = boxes[j]
        self._start([box for j, box in enumerate(boxes) if j not in pairs.values()], stamp_ns)

    def observe(
        self, poses: Sequence[Pose2D], stamp_ns: int, image: Picture | None = None
    ) -> list[str]:
        """
        Give the 2D poses of the newest frame to the tracks; return the ids of those that end.

        poses  what the crop of every track shows
        image  (H, W, 3) RGB, the newest frame; None = only their places tell people apart
        """
        found = {i: seen for i, pose in enumerate(poses) if (seen := self._somebody(pose, image))}
        people, meet = distinct(found), meetings(self.tracks)
        worth = np.array(
            [[self._worth(i, seen, meet[i]) for seen in people] for i in range(len(poses))]
        )
        pairs = assign(worth.reshape(len(poses), len(people)), 1e-9)
        unclaimed = [seen for j, seen in enumerate(people) if j not in pairs.values()]
        strangers = [seen for seen in unclaimed if self._is_stranger(seen)]
        for i, track in enumerate(self.tracks):
            track.pose, track.stamp_ns = None, stamp_ns
            if i in pairs:
                track.take(people[pairs[i]])
        self._note_who_is_apart({i: people[j] for i, j in pairs.items()})
        taken = {i for j in pairs.values() for i in people[j].finders} - pairs.keys()
        self._look_aside(taken)
        again = self._look_closer({i: seen for i, seen in found.items() if i not in taken})
        lost = self._remove(
            [t for i, t in enumerate(self.tracks) if i not in again and self._ends(t, i in taken)]
        )
        for seen in strangers[: self._free]:
            self._begin(seen.box, stamp_ns).take(seen)
        return lost

    def see_by(self, camera: Camera) -> None:
        """Take it that everybody was seen by this camera, which was not known before."""
        for track in self.tracks:
            track.see_by(camera, self.config.joint_threshold)

    def clear(self) -> list[str]:
        """End all tracks; return their ids."""
        self.crowded = False
        self._tried.clear()
        return self._remove(list(self.tracks))

    @property
    def _free(self) -> int:
        """How many more people there may be."""
        return max(0, self.config.max_people - len(self.tracks))

    def _start(self, strangers: Sequence[Box], stamp_ns: int) -> None:
        threshold = self.config.detector.score_threshold
        candidates = [box for box in strangers if box.score >= threshold]
        self.crowded = len(candidates) > self._free
        for box in self._in_turn(candidates)[: min(MAX_CANDIDATES, self._free)]:
            self._tried.append(box)
            self._begin(box, stamp_ns)

    def _begin(self, box: Box, stamp_ns: int) -> Track:
        self.born += 1
        track = Track(f'b{self.born:04d}', box, stamp_ns, stamp_ns, stamp_ns=stamp_ns)
        self.tracks.append(track)
        return track

    def _in_turn(self, candidates: list[Box]) -> list[Box]:
        """Put those first that were not tried of late: a thing must not keep people out."""
        overlap, _ = overlaps(corners_of(candidates), corners_of(self._tried))
        tried = (overlap > DRIFTED_IOU).any(axis=1)
        if candidates and tried.all():
            self._tried.clear()
        return [candidates[i] for i in np.argsort(tried, kind='stable')]

    def _look_closer(self, found: Mapping[int, Skeleton2D]) -> list[int]:
        """Move new candidates who may be somebody to where their joints are; return which."""
        again = []
        for i, seen in found.items():
            track = self.tracks[i]
            if track.hits == 0 and not track.hopeful and seen.score >= HOPEFUL_SCORE:
                track.box, track.hopeful = seen.box, True
                again.append(i)
        return again

    def _somebody(self, pose: Pose2D, image: Picture | None) -> Skeleton2D | None:
        """Return the person that a pose shows, if any."""
        measured = pose.score >= self.config.joint_threshold
        if measured.sum() < MIN_JOINTS:
            return None
        box = Box.around(pose.xy[measured], float(pose.score[measured].mean()))
        if longer_side(box) < MIN_PIXELS:
            return None
        if image is None:
            return Skeleton2D(pose, box)
        return Skeleton2D(pose, box, colours(image, pose, self.config.joint_threshold))

    def _worth(self, i: int, seen: Skeleton2D, meets: bool) -> float:
        """
        Return how much speaks for a skeleton being that of track i; 0 = it cannot be.

        meets  whether the track overlaps another one
        """
        track, own = self.tracks[i], i in seen.finders
        if track.hits == 0:
            return NEWCOMER * (own and is_sure(seen))
        like, sure = track.likeness(seen), is_sure(seen)
        if meets or track.pose is None:  # else it is the same person, whatever the light does
            alike = resemblance(track.colours, seen.colours)
            if alike < STRANGER:
                return 0.0
            like *= alike
        where_looked_for = own and track.aside is None  # a crop that looks aside may show anybody
        if (where_looked_for and sure) or (
            like >= MIN_LIKENESS and (sure or track.is_usual(seen))
        ):
            return like * seen.score + OWN * (own and track.pose is not None)
        return 0.0

    def _is_stranger(self, seen: Skeleton2D) -> bool:
        """Say whether a skeleton that no track takes stands where one looks for other clothes."""
        seekers = [self.tracks[i] for i in seen.finders]
        return is_sure(seen) and any(
            track.aside is None and resemblance(track.colours, seen.colours) < STRANGER
            for track in seekers
        )

    def _ends(self, track: Track, taken: bool) -> bool:
        """Say whether a track is at its end; taken: somebody else got what its crop shows."""
        if track.pose is not None:
            return track.doubts >= MAX_DOUBTS
        return track.hits == 0 or (taken and self._may_be_a_double(track))

    def _may_be_a_double(self, track: Track) -> bool:
        """Say whether a track was never more than a second look at somebody else."""
        unseen_s = (track.stamp_ns - track.seen_ns) / NANOSECONDS
        young = track.hits < LIVED and track.apart < self.config.track.min_hits
        return young and unseen_s > DOUBLE_S

    def _of_a_size(self, boxes: Sequence[Box]) -> NDArray[np.bool_]:
        """Say which boxes (m) could be those of the tracks (n), by their size; (n, m)."""
        tracks = np.array([track.size or longer_side(track.box) for track in self.tracks])[:, None]
        ratio = np.array([longer_side(box) for box in boxes])[None] / tracks
        return (ratio < MAX_GROWTH) & (ratio > 1 / MAX_GROWTH)

    def _somebody_meets(self) -> bool:
        return bool(meetings(self.tracks).any())

    def _look_aside(self, taken: set[int]) -> None:
        """Have the crops that showed somebody else avoid who is nearest, until they are apart."""
        aside = {i: t for i, t in enumerate(self.tracks) if t.aside is not None or i in taken}
        shared = shared_boxes(self.tracks) if aside else np.empty(0)
        for i, track in aside.items():
            nearest = int(shared[i].argmax())
            away = track.box.center - self.tracks[nearest].box.center
            length = ASIDE * longer_side(track.box) / max(float(np.linalg.norm(away)), 1.0)
            track.aside = length * away if shared[i, nearest] > MEETING_IOU else None

    def _note_who_is_apart(self, sightings: Mapping[int, Skeleton2D]) -> None:
        """Count the images in which tracks are alone, and learn their colours there."""
        tracks = [self.tracks[i] for i in sightings]
        for track, seen, meets in zip(tracks, sightings.values(), meetings(tracks), strict=True):
            track.apart += not meets
            if not meets and is_sure(seen):
                track.wear(seen.colours)

    def _remove(self, gone: list[Track]) -> list[str]:
        """End tracks; return the ids of those that were ever seen, so that somebody knows them."""
        ids = {track.track_id for track in gone}
        self.tracks = [track for track in self.tracks if track.track_id not in ids]
        return sorted(track.track_id for track in gone if track.hits)


def meetings(tracks: Sequence[Track]) -> NDArray[np.bool_]:
    """Return which of the tracks (n) overlap another one."""
    return np.asarray((shared_boxes(tracks) > MEETING_IOU).any(axis=1))


def shared_boxes(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """Return how much tracks overlap each other (n, n), 0 with themselves."""
    corners = corners_of(track.box for track in tracks)
    shared, _ = overlaps(corners, corners)
    np.fill_diagonal(shared, 0)
    return shared


def longer_side(box: Box) -> float:
    """Return the longer side of a box in pixels."""
    return max(box.width, box.height)
