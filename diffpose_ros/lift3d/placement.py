"""
Where the person stands: the root translation that makes a relative pose fit its rays.

A joint at X_j + t is seen along the ray (u_j, v_j) when x + t_x = u (z + t_z) and
y + t_y = v (z + t_z): two equations per joint, linear in t. They are weighted by what is known of
the ray and of the joint; a few rounds take the weights from the last solution and lower those
of joints that do not fit. The size s of the body is a prior, and s (X_j + t) looks the same for
every s: its uncertainty goes along each joint's own line of sight.
"""

from dataclasses import dataclass

from diffpose_ros.core.people import check_shape, ScaleSource
from diffpose_ros.lift3d.calibration import SIZE_DEVIATION
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAREST_M = 0.2
ROUNDS = 5
HUBER = 2.0  # deviations from which an equation counts less
RAY_FLOOR = 1e-4  # smallest deviation of a ray, radians: a fraction of a pixel


@dataclass(frozen=True)
class BodySize:
    """
    How large a person is: what a relative pose is to be multiplied by.

    deviation  relative to the mean
    source     what told it
    """

    mean: float = 1.0
    deviation: float = SIZE_DEVIATION
    source: ScaleSource = ScaleSource.BODY_PRIOR


AVERAGE = BodySize()


@dataclass(frozen=True)
class Placement:
    """
    The hip in the frame of the rays.

    root             (3,)    metres
    covariance       (3, 3)  metres squared
    size_covariance  (3,)    metres, of the root and the body's size relative to its mean
    """

    root: Floats
    covariance: Floats
    size_covariance: Floats
    body: BodySize = AVERAGE

    @classmethod
    def unknown(cls, body: BodySize) -> 'Placement':
        """Return no place at all."""
        return cls(np.full(3, np.nan), np.full((3, 3), np.nan), np.full(3, np.nan), body)

    def turned(self, R: Floats) -> 'Placement':
        """Return the same place in a frame rotated by R (3, 3)."""
        turned = R @ self.root, R @ self.covariance @ R.T, R @ self.size_covariance
        return Placement(*turned, self.body)

    def joint_covariance(self, relative: Floats, relative_covariance: Floats) -> Floats:
        """
        Return the covariances (J, 3, 3) of joints at root + relative, metres squared.

        relative             (J, 3)     metres from the hip
        relative_covariance  (J, 3, 3)  metres squared, that of the size included
        """
        shared = self.size_covariance[:, None] * relative[:, None, :]
        return relative_covariance + self.covariance + shared + shared.transpose(0, 2, 1)


def place(
    relative: Floats,
    relative_covariance: Floats,
    rays: Floats,
    ray_covariance: Floats,
    score: Floats,
    body: BodySize = AVERAGE,
) -> Placement:
    """
    Find the root by confidence-weighted least squares.

    relative             (J, 3)     metres from the hip, of a body of size 1
    relative_covariance  (J, 3, 3)  metres squared, likewise, without that of the size
    rays                 (J, 2)     x / z and y / z
    ray_covariance       (J, 2, 2)  the same units squared
    score                (J,)       0 to 1; 0 = not seen
    returns              root; NaN where joints are seen in fewer than two places
    """
    joints = len(relative)
    check_shape('relative', relative, (None, 3))
    check_shape('rays', rays, (joints, 2))
    check_shape('score', score, (joints,))
    seen = (score > 0) & np.isfinite(rays).all(axis=1)
    if not seen.any() or not np.ptp(rays[seen], axis=0).any():
        return Placement.unknown(body)
    pose, covariance = body.mean * relative[seen], body.mean**2 * relative_covariance[seen]
    equations = _Equations.of(pose, covariance, rays[seen], ray_covariance[seen])
    root = _first_guess(pose, rays[seen], score[seen])
    for _ in range(ROUNDS):
        root, information = equations.solve(root, score[seen])
    along = body.deviation**2 * root
    return Placement(root, np.linalg.inv(information) + np.outer(along, root), along, body)


@dataclass(frozen=True)
class _Equations:
    """
    Two equations A t = b for each of n joints that are seen, t being the root.

    A        (n, 2, 3)
    b        (n, 2)     metres, as are the errors
    body     (n, 2, 2)  covariance of the errors that comes from the relative pose
    picture  (n, 2, 2)  and of those that come from the ray, at a depth of 1 m
    z        (n,)       of the relative pose
    """

    A: Floats
    b: Floats
    body: Floats
    picture: Floats
    z: Floats

    @classmethod
    def of(
        cls, pose: Floats, pose_covariance: Floats, ray: Floats, ray_covariance: Floats
    ) -> '_Equations':
        """Set them up, from arguments like those of place."""
        sight = _directions(ray)
        return cls(
            -sight,
            (sight @ pose[..., None])[..., 0],
            sight @ pose_covariance @ sight.transpose(0, 2, 1),
            ray_covariance + RAY_FLOOR**2 * np.eye(2),
            pose[:, 2],
        )

    def solve(self, root: Floats, score: Floats) -> tuple[Floats, Floats]:
        """Return a better root (3,) than the given one, and the information (3, 3) about it."""
        depth = np.maximum(self.z + root[2], NEAREST_M)
        information = np.linalg.inv(self.picture * depth[:, None, None] ** 2 + self.body)
        trust = score * _huber(self.b - self.A @ root, information)
        weighted = (trust[:, None, None] * information @ self.A).reshape(-1, 3)
        normal = np.dot(self.A.reshape(-1, 3).T, weighted)
        better = np.linalg.solve(normal, np.dot(self.b.ravel(), weighted))
        better[2] = max(better[2], NEAREST_M - self.z.min())
        return better, normal


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
