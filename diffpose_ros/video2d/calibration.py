"""From what a heatmap looks like to how far it can be trusted, fitted on people held out."""

from dataclasses import dataclass
from typing import Any

from diffpose_ros.core.skeleton import Skeleton
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

PEAK_FLOOR = 0.01
PEAK_IS_SCORE = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Calibration:
    """
    Per joint: a logistic map to the score, and a factor of the covariance.

    score       (J, 3)  weights of 1, log odds of the peak, log of the spread
    covariance  (J,)    factor
    """

    score: Floats
    covariance: Floats

    @classmethod
    def plain(cls, joints: int) -> 'Calibration':
        """Return what takes the peak as score and the covariance as it is."""
        return cls(np.tile(PEAK_IS_SCORE, (joints, 1)), np.ones(joints))

    @classmethod
    def from_dict(cls, stored: dict[str, Any], skeleton: Skeleton) -> 'Calibration':
        """Return what a manifest stores by joint name; raise ValueError unless it is numbers."""
        rows = [stored[name] for name in skeleton.joints]
        score, covariance = (
            np.array([row[key] for row in rows], np.float64) for key in ('score', 'covariance')
        )
        if score.shape != (len(rows), PEAK_IS_SCORE.size) or not (covariance > 0).all():
            raise ValueError('the calibration of the manifest is damaged; install the model again')
        return cls(score, covariance)

    def to_dict(self, skeleton: Skeleton) -> dict[str, Any]:
        """Return what a manifest stores."""
        return {
            name: {'score': score.tolist(), 'covariance': float(factor)}
            for name, score, factor in zip(
                skeleton.joints, self.score, self.covariance, strict=True
            )
        }

    def scores(self, peak: Floats, covariance: Floats) -> NDArray[np.float64]:
        """Return probabilities (B, J) of peak (B, J) and covariance (B, J, 2, 2)."""
        return sigmoid((evidence(peak, covariance) * self.score).sum(axis=-1))


def evidence(peak: Floats, covariance: Floats) -> NDArray[np.float64]:
    """
    Return what the score is made of.

    peak        (B, J)        height of the mean heatmap, 0 to 1
    covariance  (B, J, 2, 2)  crop pixels squared
    returns     (B, J, 3)     1, log odds of the peak, log of the standard deviation
    """
    p = np.clip(peak, PEAK_FLOOR, 1 - PEAK_FLOOR)
    spread = 0.5 * np.log(np.trace(covariance, axis1=-2, axis2=-1) / 2)
    return np.stack([np.ones_like(p), np.log(p / (1 - p)), spread], axis=-1)


def sigmoid(x: Floats) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def fit_logistic(
    x: Floats, y: NDArray[np.bool_], start: Floats, pull: float = 10.0
) -> NDArray[np.float64]:
    """
    Return the weights of a logistic map by Newton's method.

    x      (n, k)
    y      (n,)   what is to be predicted
    start  (k,)   where few samples leave the weights
    pull   strength of the pull towards start, in samples
    """
    w = np.array(start, dtype=np.float64)
    for _ in range(30):
        p = sigmoid(x @ w)
        gradient = x.T @ (p - y) + pull * (w - start)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + pull * np.eye(len(w))
        w -= np.linalg.solve(curvature, gradient)
    return w


def fit_scores(
    peak: Floats, covariance: Floats, correct: NDArray[np.bool_], labelled: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """
    Return the score weights (J, 3): one fit over all joints, then one per joint near it.

    peak, correct, labelled  (N, J)
    covariance               (N, J, 2, 2)
    """
    x = evidence(peak, covariance)
    common = fit_logistic(x[labelled], correct[labelled], PEAK_IS_SCORE)
    rows = [
        fit_logistic(x[seen, j], correct[seen, j], common) for j, seen in enumerate(labelled.T)
    ]
    return np.stack(rows)
