"""
Calibrated covariance: the spread of the hypotheses and what is missing in it.

    C_j = S_j + lambda_j diag(sigma_j^2) + I_j + s^2 x_j x_j^T

S_j is the covariance of the hypotheses, sigma_j the spread that the context encoder predicts, I_j
the error of the 2D estimate of joint and hip carried over to metres, s the uncertainty of body
size, which no picture tells. lambda_j is fitted so that 90 % of the true joints of motions not
trained on lie within the 90 % ellipsoid; once for FEWEST hypotheses of several steps, and once
for a pose alone, which has no S_j: in one step all hypotheses become the same pose, and the spread
of fewer says too little.
"""

from dataclasses import dataclass
from typing import Any

from diffpose_ros.core.gaussian import squared_mahalanobis, squared_radius
from diffpose_ros.core.skeleton import H36M_17
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FLOOR_M = 0.005
FEWEST = 5  # hypotheses whose spread counts
SIZE_DEVIATION = 0.06  # of adult body size about its mean, proportions included
HEIGHT_M = 1.75  # of a person who is as large as a lifter makes everybody


@dataclass(frozen=True)
class Calibration:
    """
    What is missing in the spread of hypotheses.

    missing  (J,)  lambda per joint, in the order of H36M_17
    alone    (J,)  the same for a pose alone
    height_m       of a person who is as large as the lifter makes everybody
    """

    missing: Floats
    alone: Floats
    height_m: float = HEIGHT_M

    @classmethod
    def from_manifest(cls, entry: dict[str, Any] | None) -> 'Calibration':
        """Read the manifest's entry; without one the predicted spread is taken as it is."""
        if entry is None:
            return cls(np.ones(len(H36M_17.joints)), np.ones(len(H36M_17.joints)))
        missing, alone = (
            np.array([entry[name][joint] for joint in H36M_17.joints])
            for name in ('missing', 'alone')
        )
        return cls(missing, alone, float(entry['height_m']))

    def to_manifest(self) -> dict[str, Any]:
        """Return the manifest's entry."""
        lambdas = {
            name: dict(zip(H36M_17.joints, np.round(values, 4).tolist(), strict=True))
            for name, values in (('missing', self.missing), ('alone', self.alone))
        }
        return {**lambdas, 'height_m': self.height_m}

    def covariance(self, hypotheses: Floats, spread: Floats, image: Floats, steps: int) -> Floats:
        """
        Return covariances (B, J, 3, 3) in metres squared, but for the body's size.

        hypotheses  (B, N, J, 3)  metres
        spread      (B, J, 3)     metres, predicted
        image       (B, J, 2, 2)  metres squared, of x and y, from the 2D estimate
        steps       that the hypotheses took
        """
        if steps > 1 and hypotheses.shape[1] >= FEWEST:
            return shape_covariance(self.missing, hypotheses, spread, image)
        mean = hypotheses.mean(axis=1, keepdims=True)
        return shape_covariance(self.alone, mean, spread, image)


def shape_covariance(missing: Floats, hypotheses: Floats, spread: Floats, image: Floats) -> Floats:
    """Return covariances (B, J, 3, 3) of a body of known size, see Calibration; missing (J,)."""
    total = hypothesis_covariance(hypotheses)
    variance = missing[:, None] * spread**2 + FLOOR_M**2
    total += variance[..., None] * np.eye(3)
    total[..., :2, :2] += image
    return total


def with_size(covariance: Floats, xyz: Floats, deviation: float = SIZE_DEVIATION) -> Floats:
    """
    Return covariances (..., 3, 3) with that of the body's size added.

    xyz        (..., 3)  of the joints, metres from the hip
    deviation  of the size, relative
    """
    return covariance + deviation**2 * xyz[..., :, None] * xyz[..., None, :]


def hypothesis_covariance(hypotheses: Floats) -> Floats:
    """Return the covariance (B, J, 3, 3) of hypotheses (B, N, J, 3)."""
    offset = hypotheses - hypotheses.mean(axis=1, keepdims=True)
    total = np.einsum('bnjx,bnjy->bjxy', offset, offset)
    return total / max(1, hypotheses.shape[1] - 1)


def fit_missing(
    hypotheses: Floats, spread: Floats, image: Floats, truth: Floats, share: float = 0.9
) -> Floats:
    """
    Find lambda (J,) by bisection.

    hypotheses  (n, N, J, 3)  metres
    spread      (n, J, 3)     metres, predicted
    image       (n, J, 2, 2)  metres squared
    truth       (n, J, 3)     metres
    """
    mean = hypotheses.mean(axis=1)
    error = truth - mean
    low, high = np.full(truth.shape[1], 1e-4), np.full(truth.shape[1], 1e3)
    for _ in range(40):
        middle = np.sqrt(low * high)
        claimed = with_size(shape_covariance(middle, hypotheses, spread, image), mean)
        inside = (squared_mahalanobis(error, claimed) < squared_radius(share, 3)).mean(axis=0)
        low, high = np.where(inside < share, middle, low), np.where(inside < share, high, middle)
    return np.sqrt(low * high)
