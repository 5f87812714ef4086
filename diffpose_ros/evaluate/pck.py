"""PCK: the share of joints found within a part of the torso's length; and its calibration."""

from diffpose_ros.core.people import SCORE_RADIUS
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.data.labelled import TORSO
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

MIN_TORSO_PX = 8.0
ON_LIMBS = ('elbow', 'wrist', 'knee', 'ankle')
APART, TOGETHER = 0.4, 0.15  # shares of the torso


def torso_length(truth: Floats, skeleton: Skeleton) -> NDArray[np.float64]:
    """Return right shoulder to left hip, at least 8 px; truth (N, J, 2) in pixels, (N,)."""
    shoulder, hip = skeleton.index(*TORSO)
    return np.maximum(np.linalg.norm(truth[:, shoulder] - truth[:, hip], axis=-1), MIN_TORSO_PX)


def correct_joints(predicted: Floats, truth: Floats, skeleton: Skeleton) -> NDArray[np.bool_]:
    """
    Say which joints lie within 0.2 torso of the truth; NaN is never right.

    predicted, truth  (N, J, 2)  pixels of the same image
    returns           (N, J)
    """
    error = np.linalg.norm(predicted - truth, axis=-1)
    return error <= SCORE_RADIUS * torso_length(truth, skeleton)[:, None]


def per_joint(
    correct: NDArray[np.bool_], labelled: NDArray[np.bool_], skeleton: Skeleton
) -> dict[str, float]:
    """Return the share of correct ones by joint name, leaving out joints nobody labelled."""
    return {
        name: float(correct[labelled[:, j], j].mean())
        for j, name in enumerate(skeleton.joints)
        if labelled[:, j].any()
    }


def doubled(
    predicted: Floats, truth: Floats, labelled: NDArray[np.bool_], skeleton: Skeleton
) -> float | None:
    """
    Return how often both joints of a pair are put on one limb, which PCK hardly sees.

    Of the elbows, wrists, knees and ankles that are labelled on both sides and lie more than 0.4
    torso apart, the share found within 0.15 torso of each other; None where there are none.

    predicted, truth  (N, J, 2)  pixels of the same image
    labelled          (N, J)
    """
    pairs = np.array([skeleton.index(f'l_{name}', f'r_{name}') for name in ON_LIMBS])  # (4, 2)
    found, true = (
        np.linalg.norm(np.diff(xy[:, pairs], axis=2)[:, :, 0], axis=-1)  # (N, 4)
        / torso_length(truth, skeleton)[:, None]
        for xy in (predicted, truth)
    )
    asked = labelled[:, pairs].all(axis=2) & (true > APART)
    return float((found[asked] < TOGETHER).mean()) if asked.any() else None


def expected_calibration_error(score: Floats, correct: NDArray, bins: int = 10) -> float:
    """
    Return the mean gap between score and share of correct ones, over bins of equal width.

    score    (n,)  0 to 1
    correct  (n,)  bool
    """
    place = np.minimum((score * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    gap = np.bincount(place, score - correct, minlength=bins)
    return float(np.abs(gap).sum() / count.sum())
