"""Which skeletons show the same person, and which one is whose: likeness of 2D poses."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from diffpose_ros.core.appearance import UNKNOWN
from diffpose_ros.core.people import Box, Pose2D
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

SAME_PERSON = 0.15  # mean joint distance of two skeletons, in heights of their box
SAME_JOINT, SHARED = 0.06, 0.4  # or more than that share of the joints so close to each other


@dataclass
class Skeleton2D:
    """
    A person seen in the newest frame.

    box      the tight box of the measured joints
    colours  (L, 3) as of appearance.colours
    finders  which tracks' crops show this person
    """

    pose: Pose2D
    box: Box
    colours: NDArray[np.float64] = field(default_factory=UNKNOWN.copy)
    finders: set[int] = field(default_factory=set)

    @property
    def size(self) -> float:
        """Longer side of the box, pixels."""
        return max(self.box.height, self.box.width)

    @property
    def score(self) -> float:
        """Mean score of all joints, 0 to 1."""
        return float(self.pose.score.mean())


def distinct(found: dict[int, Skeleton2D]) -> list[Skeleton2D]:
    """Return every person once, in the surest skeleton; found is by the track that looked."""
    people: list[Skeleton2D] = []
    for finder, skeleton in sorted(found.items(), key=lambda item: -item[1].score):
        twin = next((person for person in people if same_person(person, skeleton)), skeleton)
        if twin is skeleton:
            people.append(skeleton)
        twin.finders.add(finder)
    return people


def same_person(a: Skeleton2D, b: Skeleton2D) -> bool:
    """Say whether two skeletons lie on each other."""
    distance = np.linalg.norm(a.pose.xy - b.pose.xy, axis=1)
    if np.isnan(distance).all():  # they have no joint in common
        return False
    size = max(a.size, b.size)
    shared = np.mean(distance < SAME_JOINT * size)  # half a body seen as a whole shares its half
    return bool(np.nanmean(distance) < SAME_PERSON * size or shared > SHARED)


def likeness(expected: Pose2D, seen: Pose2D, reach: float) -> float:
    """
    Return the object keypoint similarity of a skeleton and the expected one, 0 to 1.

    Each joint is weighted by the lower of its two scores.

    reach  pixels by which a joint may well be off
    """
    weight = np.minimum(expected.score, seen.score)
    known = weight > 0
    if not known.any():
        return 0.0
    off = np.linalg.norm(expected.xy[known] - seen.xy[known], axis=1) / reach
    return float(np.average(np.exp(-(off**2) / 2), weights=weight[known]))


def assign(worth: NDArray[np.float64] | Sequence, least: float) -> dict[int, int]:
    """
    Return the pairs row -> column of the largest total worth, each worth at least `least`.

    worth  (n, m)  finite
    """
    rows, columns = linear_sum_assignment(-np.asarray(worth))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {i: j for i, j in pairs if worth[i][j] >= least}
