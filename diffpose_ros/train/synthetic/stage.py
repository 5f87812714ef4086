"""The exact truth of what a picture with people shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.train.synthetic.bodies import Body, h36m, posetrack
from diffpose_ros.train.synthetic.motion import sole, surface
from diffpose_ros.train.synthetic.view import NEAR_M, View
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

# How deep below the skin a joint lies: farther behind the seen surface it is hidden. Metres.
DEPTH_M = {
    'hip': 0.22, 'knee': 0.13, 'ankle': 0.10, 'wrist': 0.08, 'elbow': 0.09, 'shoulder': 0.15,
    'neck': 0.16, 'nose': 0.05, 'head_top': 0.15,
}  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """
    One person in one picture.

    joints_px     (15, 2)  POSETRACK_15, pixel centres at integers; NaN behind the camera
    visible       (15,)    inside the picture and not hidden
    joints_cam_m  (17, 3)  H36M_17, the camera's optical frame
    box           (4,)     left, top, right, bottom of the skin, pixels, not cut at the border
    """

    joints_px: Floats
    visible: NDArray[np.bool_]
    joints_cam_m: Floats
    box: Floats


def contacts(body: Body, pose: Floats, near_m: float = 0.25) -> Floats:
    """Return where a pose (Q, 3, 4) comes near the floor y = 0: (n, 4) points and radii."""
    vertices = sole(body)
    feet = body.skin(pose, vertices)
    x, _, z = body.vertices[vertices].T
    parts = [(x * side > 0) & (end * (z - z.mean()) > 0) for side in (1, -1) for end in (1, -1)]
    points = np.array([feet[part].mean(0) for part in parts])
    points = points[points[:, 1] < near_m] + [0, 0.03, 0]
    return np.column_stack([points, np.full(len(points), 0.12)])


def person_truth(body: Body, pose: Floats, view: View, depth_m: Floats) -> Truth:
    """Return the truth of a pose (Q, 3, 4) in a picture whose pixels have these depths."""
    joints = body.joints(pose)
    points = posetrack(joints)
    pixels = before_camera(points, view)
    skin = before_camera(body.skin(pose, surface(body)), view)
    skin = skin[~np.isnan(skin[:, 0])]
    return Truth(
        joints_px=pixels,
        visible=seen(pixels, view.to_camera(points)[:, 2], depth_m),
        joints_cam_m=view.to_camera(h36m(joints)),
        box=np.concatenate([skin.min(0, initial=np.inf), skin.max(0, initial=-np.inf)]),
    )


def before_camera(points: Floats, view: View) -> Floats:
    """Return the pixels (n, 2) of world points (n, 3); NaN behind the camera."""
    ahead = view.to_camera(points)[:, 2:] > NEAR_M
    return view.project(np.where(ahead, points, np.nan))


def seen(pixels: Floats, z_m: Floats, depth_m: Floats) -> NDArray[np.bool_]:
    """Say which joints (15, 2) at depths (15,) lie just below the surface that is seen."""
    height, width = depth_m.shape
    column, row = np.round(np.nan_to_num(pixels, nan=-1)).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (z_m > 0)
    surface_m = depth_m[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    below = [DEPTH_M[name.removeprefix('l_').removeprefix('r_')] for name in POSETRACK_15.joints]
    return inside & (z_m - surface_m < np.array(below))


def stacked(truths: Sequence[Truth], field: str) -> Floats:
    """Stack one field of many truths."""
    return np.stack([getattr(truth, field) for truth in truths])
