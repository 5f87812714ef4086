"""
Where the person stands: the root translation that makes a relative pose fit its rays.

A joint at X_j + t is seen along the ray (u_j, v_j) when x + t_x = u (z + t_z) and
y + t_y = v (z + t_z): two equations per joint, linear in t. They are weighted by what is known of
the ray and of the joint; a few rounds take the weights from the last solution and lower those
of joints that do not fit. The size of the body is a prior, so its uncertainty goes along t.
"""

from dataclasses import dataclass

from diffpose_ros.core.people import check_shape
from diffpose_ros.lift3d.calibration import SIZE_DEVIATION
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAREST_M = 0.2
ROUNDS = 5
HUBER = 2.0  # deviations from which an equation counts less
RAY_FLOOR = 1e-4  # smallest deviation of a ray, radians: a fraction of a pixel


@dataclass(frozen=True)
class Placement:
    """
    The hip in the frame of the rays.

    root        (3,)    metres
    covariance  (3, 3)  metres squared
    size        what the relative pose is to be multiplied by
    """

    root: Floats
    covariance: Floats
    size: float = 1.0

    def turned(self, R: Floats) -> 'Placement':
        """Return the same place in a frame rotated by R (3, 3)."""
        return Placement(R @ self.root, R @ self.covariance @ R.T, self.size)


def place(
    relative: Floats,
    relative_covariance: Floats,
    rays: Floats,
    ray_covariance: Floats,
    score: Floats,
) -> Placement:
    """
    Find the root by confidence-weighted least squares.

    relative             (J, 3)     metres from the hip
    relative_covariance  (J, 3, 3)  metres squared
    rays                 (J, 2)     x / z and y / z
    ray_covariance       (J, 2, 2)  the same units squared
    score                (J,)       0 to 1; 0 = not seen
    returns              root; NaN where fewer than two joints are seen
    """
    joints = len(relative)
    check_shape('relative', relative, (None, 3))
    check_shape('rays', rays, (joints, 2))
    check_shape('score', score, (joints,))
    seen = (score > 0) & np.isfinite(rays).all(axis=1)
    if seen.sum() < 2:
        return Placement(np.full(3, np.nan), np.full((3, 3), np.nan))
    pose, ray, weight = relative[seen], rays[seen], score[seen]
    sight = _directions(ray)
    A = -sight  # (n, 2, 3): the unknown's part of u z - x = 0
    b = (sight @ pose[..., None])[..., 0]
    body = sight @ relative_covariance[seen] @ sight.transpose(0, 2, 1)  # of both equations
    picture = ray_covariance[seen] + RAY_FLOOR**2 * np.eye(2)  # the same, at a depth of 1 m
    nearest = float(pose[:, 2].min())
    root = _first_guess(pose, ray, weight)
    for _ in range(ROUNDS):
        depth = np.maximum(pose[:, 2] + root[2], NEAREST_M)
        information = np.linalg.inv(picture * depth[:, None, None] ** 2 + body)  # (n, 2, 2)
        trust = weight * _huber(b - A @ root, information)
        weighted = (trust[:, None, None] * information @ A).reshape(-1, 3)
        normal = np.dot(A.reshape(-1, 3).T, weighted)
        root = np.linalg.solve(normal, np.dot(b.ravel(), weighted))
        root[2] = max(root[2], NEAREST_M - nearest)
    size = SIZE_DEVIATION**2 * np.outer(root, root)
    return Placement(root, np.linalg.inv(normal) + size)


def _directions(ray: Floats) -> Floats:
    """Return (n, 2, 3): rows that are zero on the ray."""
    one, zero = np.ones(len(ray)), np.zeros(len(ray))
    rows = [[-one, zero, ray[:, 0]], [zero, -one, ray[:, 1]]]
    return np.array(rows).transpose(2, 0, 1)


def _first_guess(pose: Floats, ray: Floats, weight: Floats) -> Floats:
    """Compare the size of the body with that of its picture, as seen from far away."""
    share = weight / weight.sum()

    def spread(points: Floats) -> tuple[Floats, float]:
        middle = share @ points
        return middle, float(np.sqrt((share @ (points - middle) ** 2).sum()))

    body_middle, body = spread(pose[:, :2])
    ray_middle, picture = spread(ray)
    depth = max(NEAREST_M, body / max(picture, 1e-6))
    return np.append(ray_middle * depth - body_middle, depth)


def _huber(residual: Floats, information: Floats) -> Floats:
    square = (residual * (information @ residual[..., None])[..., 0]).sum(axis=1)
    return HUBER / np.maximum(np.sqrt(square), HUBER)
