"""
Average precision of joints as PoseTrack measures it.

A predicted joint is right within half a head of the truth (PCKh 0.5; the head's size is 0.6 of
the diagonal of its box). People are assigned by their share of right joints, joints ranked over
all frames by their own scores. Only ties of scores are decided differently: here always alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.formats.labels import Floats, FrameLabels, J, PersonLabels
import numpy as np
from numpy.typing import NDArray

RADIUS = 0.5  # heads
HEAD_SIZE = 0.6  # of the diagonal of the head's box

COLUMNS = {
    'Head': ('neck', 'nose', 'head_top'),
    'Shou': ('l_shoulder', 'r_shoulder'),
    'Elb': ('l_elbow', 'r_elbow'),
    'Wri': ('l_wrist', 'r_wrist'),
    'Hip': ('l_hip', 'r_hip'),
    'Knee': ('l_knee', 'r_knee'),
    'Ank': ('l_ankle', 'r_ankle'),
    'Mean': POSETRACK_15.joints,
}


@dataclass(frozen=True)
class Verdicts:
    """
    What became of the predicted people of some frames.

    score    (P, J)  NaN = this joint was not predicted
    correct  (P, J)
    count    (J,)    labelled joints
    """

    score: Floats
    correct: NDArray[np.bool_]
    count: NDArray[np.int64]


def average_precision(frames: Iterable[tuple[FrameLabels, FrameLabels]]) -> Floats:
    """Return the percentage (J,) for pairs of labels and predictions, NaN = never labelled."""
    verdicts = [judge_frame(truth, found) for truth, found in frames if truth.labelled]
    if not verdicts:
        raise ValueError('no frame is labelled; give the labels of the validation set')
    score = np.concatenate([v.score for v in verdicts])
    correct = np.concatenate([v.correct for v in verdicts])
    count = np.sum([v.count for v in verdicts], axis=0)
    return np.array([joint_ap(score[:, j], correct[:, j], count[j]) for j in range(J)])


def table(ap: Floats) -> dict[str, float]:
    """Return the columns of the PoseTrack tables; Mean is over joints, not over columns."""
    parts = {name: ap[POSETRACK_15.index(*joints)] for name, joints in COLUMNS.items()}
    return {
        name: float(part[np.isfinite(part)].mean()) if np.isfinite(part).any() else float('nan')
        for name, part in parts.items()
    }


def judge_frame(truth: FrameLabels, found: FrameLabels) -> Verdicts:
    """Judge the predicted people of one labelled frame; ignored regions count for nobody."""
    people = outside(truth.people, truth.ignored)
    guesses = outside(found.people, truth.ignored)
    xy = stack([person.xy for person in people], (J, 2))
    return Verdicts(
        score=stack([np.where(guess.labelled, guess.score, np.nan) for guess in guesses], (J,)),
        correct=judge(
            stack([guess.xy for guess in guesses], (J, 2)), xy, head_sizes(people, truth.name)
        ),
        count=np.isfinite(xy).all(axis=-1).sum(axis=0),
    )


def stack(arrays: list[Floats], shape: tuple[int, ...]) -> Floats:
    """Return arrays of one shape in one (n, *shape), also when there are none."""
    return np.reshape(arrays, (len(arrays), *shape))


def head_sizes(people: Sequence[PersonLabels], frame: str) -> Floats:
    """Return the sizes (G,) of the labelled heads, pixels; NaN = empty, nothing is near it."""
    heads = [person.head for person in people if person.head is not None]
    if len(heads) < len(people):
        raise ValueError(f'{frame} has people without a head box; give labels that have them')
    corners = np.reshape(heads, (-1, 4))
    size = HEAD_SIZE * np.linalg.norm(corners[:, 2:] - corners[:, :2], axis=1)
    return np.where(size > 0, size, np.nan)


def judge(found: Floats, truth: Floats, head: Floats) -> NDArray[np.bool_]:
    """
    Assign predicted people to labelled ones and say which of their joints are right.

    Each prediction runs for the labelled person of whose joints it has the largest share right,
    each labelled person takes the best of its runners. Whoever is left over has nothing right.

    found, truth  (P, J, 2), (G, J, 2)  pixels, NaN = no joint
    head          (G,)  pixels
    returns       (P, J)
    """
    correct = np.zeros(found.shape[:2], bool)
    if not len(found) or not len(truth):
        return correct
    distance = np.linalg.norm(found[:, None] - truth, axis=-1) / head[:, None]  # (P, G, J)
    near = distance <= RADIUS
    share = near.sum(axis=2) / np.maximum(np.isfinite(truth).all(axis=-1).sum(axis=1), 1)
    runs_for = share.argmax(axis=1)
    share[runs_for[:, None] != np.arange(len(truth))] = 0
    winner = share.argmax(axis=0)
    for person in np.flatnonzero(share.max(axis=0) > 0):
        correct[winner[person]] = near[winner[person], person]
    return correct


def joint_ap(score: Floats, correct: NDArray[np.bool_], count: int) -> float:
    """
    Return the area under the falling hull of precision over recall, per cent.

    score    (P,)  NaN = this joint was not predicted
    correct  (P,)
    count    labelled joints of this kind; without any there is no precision to speak of
    """
    if not count:
        return float('nan')
    predicted = ~np.isnan(score)
    order = np.argsort(score[predicted], kind='stable')[::-1]
    hits = np.cumsum(correct[predicted][order])
    precision = hits / np.arange(1, len(hits) + 1)
    hull = np.maximum.accumulate(precision[::-1])[::-1]
    return 100 * float(np.sum(np.diff(hits, prepend=0) * hull) / count)


def outside(people: Sequence[PersonLabels], regions: Sequence[Floats]) -> list[PersonLabels]:
    """Return the people without the joints in the regions; whoever has none left is gone."""
    shown = []
    for person in people:
        hidden = np.any([inside(person.xy, region) for region in regions], axis=0)
        shown.append(replace(person, xy=np.where(np.reshape(hidden, (-1, 1)), np.nan, person.xy)))
    return [person for person in shown if person.labelled.any()]


def inside(points: Floats, polygon: Floats) -> NDArray[np.bool_]:
    """
    Say which points lie inside a polygon (even-odd rule); its border is outside.

    points   (n, 2)  NaN is nowhere
    polygon  (m, 2)
    """
    a, b = polygon, np.roll(polygon, -1, axis=0)
    to_a, to_b, edge = points[:, None] - a, points[:, None] - b, b - a
    cross = edge[:, 0] * to_a[..., 1] - edge[:, 1] * to_a[..., 0]  # > 0: left of the edge
    spanned = (to_a[..., 1] < 0) != (to_b[..., 1] < 0)
    crossed = spanned & np.where(edge[:, 1] > 0, cross > 0, cross < 0)
    on_border = (cross == 0) & ((to_a * to_b).sum(axis=-1) <= 0)
    return (crossed.sum(axis=1) % 2 == 1) & ~on_border.any(axis=1)
