"""2D poses in the terms of the lifter: rays instead of pixels."""

from dataclasses import dataclass

from diffpose_ros.core.camera import Camera, rotate_rays
from diffpose_ros.core.people import Pose2D
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEIGHBOURS = np.array([[[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]])  # (3, 1, 2), pixels
MAX_BACK_PX = 2.0  # a ray that the lens puts farther from its pixel than this is none
LONGEST_RAY = 50.0  # nor is one within a degree of the image plane


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


def sight(pose: Pose2D, camera: Camera, stamp_ns: int, threshold: float) -> Sighting:
    """
    Turn a 2D pose in pixels into rays.

    Joints below the score that counts as measured, or where the lens shows nothing, get score 0
    and lie at the origin: what is not in the picture would be looked for all over it.
    """
    known = np.isfinite(pose.xy).all(axis=1) & (pose.score >= threshold)
    pixels = np.where(known[:, None], pose.xy, 0.0) + NEIGHBOURS
    # d rays / d pixels by differences over one pixel: it follows any lens distortion
    seen = camera.rays(pixels)
    rays, beside, below = seen
    known &= lens_shows(camera, seen, pixels).all(axis=0)
    jacobian = np.stack([beside - rays, below - rays], axis=-1)  # (J, 2, 2)
    covariance = jacobian @ pose.covariance @ jacobian.transpose(0, 2, 1)
    return Sighting(
        stamp_ns,
        pose,
        np.where(known[:, None], rays, 0.0),
        np.where(known[:, None, None], covariance, 0.0),
        np.where(known, pose.score, 0.0),
    )


def lens_shows(camera: Camera, rays: Floats, pixels: Floats) -> NDArray[np.bool_]:
    """
    Say which rays (..., 2) lead back to their pixels (..., 2).

    Beyond 90 degrees, or where the distortion folds back, undistortion answers with any ray.
    """
    points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
    back = camera.project(points)
    error, length = (np.linalg.norm(v, axis=-1) for v in (back - pixels, rays))
    return np.asarray((error < MAX_BACK_PX) & (length < LONGEST_RAY))


def turn(
    rays: Floats, covariance: Floats, score: Floats, rotation: Floats
) -> tuple[Floats, Floats, Floats]:
    """
    Re-project sightings into a camera rotated on the spot, covariances to first order.

    rays        (..., J, 2)     x / z, y / z
    covariance  (..., J, 2, 2)  the same units squared
    score       (..., J)        0 = not seen
    rotation    (3, 3)          from the first camera to the second
    returns     the same three in the second camera; zeros where a joint is behind it
    """
    depth = rays @ rotation[2, :2] + rotation[2, 2]  # (..., J)
    turned = rotate_rays(rays, rotation)
    jacobian = rotation[:2, :2] - turned[..., None] * rotation[2, :2]
    jacobian = jacobian / depth[..., None, None]
    spread = jacobian @ covariance @ jacobian.swapaxes(-1, -2)
    seen = np.asarray((score > 0) & np.isfinite(turned).all(axis=-1))
    return (
        np.where(seen[..., None], turned, 0.0),
        np.where(seen[..., None, None], spread, 0.0),
        np.where(seen, score, 0.0),
    )


def centre(sighting: Sighting) -> Floats:
    """Return the middle (2,) of the box around the known joints, in rays; 0 without any."""
    rays = sighting.rays[sighting.score > 0]
    return (rays.min(axis=0) + rays.max(axis=0)) / 2 if len(rays) else np.zeros(2)
