"""How far from its mean a Gaussian lies; without SciPy, which machines for training may lack."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARES = (0.5, 0.68, 0.9, 0.95)  # that reports ask about


def squared_mahalanobis(error: Floats, covariance: Floats) -> Floats:
    """Return e^T C^-1 e, (...,), for errors (..., d) and covariances (..., d, d)."""
    return (error * np.linalg.solve(covariance, error[..., None])[..., 0]).sum(axis=-1)


def squared_radius(share: float, dimensions: int) -> float:
    """Return the squared Mahalanobis distance that holds this share of a Gaussian in 2D or 3D."""
    if dimensions == 2:
        return -2 * math.log(1 - share)
    low, high = 0.0, 10.0  # not squared; chi distribution with three degrees of freedom
    for _ in range(60):
        r = (low + high) / 2
        inside = math.erf(r / math.sqrt(2)) - r * math.sqrt(2 / math.pi) * math.exp(-(r**2) / 2)
        low, high = (r, high) if inside < share else (low, r)
    return low**2


def shares_within(error: Floats, covariance: Floats) -> dict[str, float]:
    """
    Return the share of errors within the ellipsoids that claim to hold 50, 68, 90 and 95 %.

    error       (..., d)     d = 2 or 3
    covariance  (..., d, d)  its unit squared
    """
    squared = squared_mahalanobis(error, covariance)
    return {
        f'coverage_{round(100 * share)}': float(
            (squared < squared_radius(share, error.shape[-1])).mean()
        )
        for share in SHARES
    }
