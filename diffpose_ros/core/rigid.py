"""Rigid motions: results in another frame, and the frame of a body."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from diffpose_ros.core.people import Person, Pose3D, ScaleSource
from diffpose_ros.core.skeleton import H36M_17
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
UP = np.array([0.0, -1.0, 0.0])  # of an image, in the optical frame of its camera


@dataclass(frozen=True)
class Rigid:
    """
    A frame as another sees it: a point p of the first is at R p + t in the second.

    R  (3, 3)  rotation
    t  (3,)    metres
    """

    R: Floats
    t: Floats


def move_people(people: Iterable[Person], motion: Rigid) -> tuple[Person, ...]:
    """Return the people with their 3D poses in the other frame."""
    return tuple(
        person if person.pose3d is None else replace(person, pose3d=move(person.pose3d, motion))
        for person in people
    )


def move(pose: Pose3D, motion: Rigid) -> Pose3D:
    """Return a pose in the other frame; one that is relative to the hip is only rotated."""
    R, t = motion.R, motion.t if pose.scale_source != ScaleSource.NONE else np.zeros(3)
    return replace(
        pose,
        xyz=pose.xyz @ R.T + t,
        covariance=R @ pose.covariance @ R.T,
        relative_covariance=R @ pose.relative_covariance @ R.T,
        root_covariance=R @ pose.root_covariance @ R.T,
        hypotheses=pose.hypotheses @ R.T + t,
    )


def body_frame(pose: Pose3D) -> Rigid | None:
    """
    Return where a body is: origin at the hip, x out of the chest, y to its left, z to the head.

    None where the pose has no place or its torso is unknown.
    """
    hip, thorax, right, left = pose.xyz[H36M_17.index('hip', 'thorax', 'r_shoulder', 'l_shoulder')]
    up, x = thorax - hip, np.cross(left - right, thorax - hip)
    lengths = np.linalg.norm([up, x], axis=1)
    if pose.scale_source == ScaleSource.NONE or not (lengths > 1e-6).all():  # NaN is not above
        return None
    x, z = x / lengths[1], up / lengths[0]
    return Rigid(np.stack([x, np.cross(z, x), z], axis=1), hip)
