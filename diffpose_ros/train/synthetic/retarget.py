"""
Turn 17 moving joints into the rotation of every limb of a body at rest.

The rest body stands upright in the world's axes (x to its left, y up, z forward, metres). A limb
takes the direction that the motion capture shows, by the smallest rotation from its parent;
where the elbow or knee is bent, the plane of the bend fixes the twist. No feet, hands or bent
spine are captured: feet follow the shank and lie flat near the floor, hands follow the forearm,
the spine is spread between pelvis and chest.
"""

from dataclasses import dataclass

from diffpose_ros.core.skeleton import H36M_17
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Floats = NDArray[np.floating]

LEFT, UP, _ = np.eye(3)
FLAT_BELOW_M, FREE_ABOVE_M = 0.03, 0.16  # ankle above its lowest height: foot flat, foot free
BEND_FROM, BEND_TO = 0.15, 0.5  # sine of the bend at which it begins and fully fixes the twist


@dataclass(frozen=True)
class RestLimbs:
    """Directions of the limbs of the body at rest, unit vectors in the world's axes."""

    upper_arm: dict[str, Floats]  # by side, 'l' or 'r'
    forearm: dict[str, Floats]
    thigh: dict[str, Floats]
    shank: dict[str, Floats]


def unit(v: Floats) -> Floats:
    """Scale vectors (..., 3) to length one; the zero vector stays."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def smoothstep(x: Floats, low: float, high: float) -> Floats:
    """Rise smoothly from 0 at low to 1 at high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def axes(left: Floats, up: Floats) -> Floats:
    """
    Return the rotation of a body part whose left side and upper end are seen.

    left, up  (F, 3)  any lengths; left is made perpendicular to up
    returns   (F, 3, 3)  takes the rest axes x, y, z to left, up, forward
    """
    y = unit(up)
    x = unit(left - (left * y).sum(-1, keepdims=True) * y)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def rotation_about(axis: Floats, angle_rad: Floats) -> Floats:
    """Return rotations (F, 3, 3) about unit axes (F, 3)."""
    return Rotation.from_rotvec(axis * np.asarray(angle_rad)[..., None]).as_matrix()


def smallest_rotation(start: Floats, end: Floats) -> Floats:
    """
    Return the smallest rotations that take unit vectors to others.

    start, end  (F, 3)
    returns     (F, 3, 3)
    """
    cross = np.cross(start, end)
    sine = np.linalg.norm(cross, axis=-1)
    helper = np.cross(start, np.roll(np.eye(3)[np.abs(start).argmin(-1)], 1, axis=-1))
    axis = np.where(sine[..., None] > 1e-8, cross, helper)  # opposite vectors: any axis across
    return rotation_about(unit(axis), np.arctan2(sine, (start * end).sum(-1)))


def blend(a: Floats, b: Floats, weight: Floats | float) -> Floats:
    """Return the rotations (F, 3, 3) on the way from a (weight 0) to b (weight 1)."""
    way = Rotation.from_matrix(np.swapaxes(a, -1, -2) @ b).as_rotvec()
    step = Rotation.from_rotvec(way * np.broadcast_to(weight, way.shape[:-1])[..., None])
    return a @ step.as_matrix()


def aim(parent: Floats, rest: Floats, direction: Floats) -> Floats:
    """Rotate a limb (rest direction (3,)) from its parent's rotation (F, 3, 3) to a direction."""
    return smallest_rotation(parent @ rest, direction) @ parent


def twist(rotation: Floats, direction: Floats, normal: Floats, bend: Floats) -> Floats:
    """
    Turn a limb about itself until its hinge lies across the plane of the bend.

    rotation   (F, 3, 3)  the limb before
    direction  (F, 3)     where it points
    normal     (F, 3)     where its hinge axis points now
    bend       (F, 3)     this limb x the next one; its length is the sine of the bend
    """
    strength = smoothstep(np.linalg.norm(bend, axis=-1), BEND_FROM, BEND_TO)
    goal = unit(bend)
    strength = strength * np.clip((normal * goal).sum(-1) + 0.5, 0, 1)  # never a joint backwards
    angle = np.arctan2((np.cross(normal, goal) * direction).sum(-1), (normal * goal).sum(-1))
    return rotation_about(direction, angle * strength) @ rotation


def two_limbs(
    parent: Floats, rest: tuple[Floats, Floats], hinge: Floats, seen: tuple[Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """
    Return the rotations (F, 3, 3) of the upper limb's root, its lower part and the next limb.

    parent  (F, 3, 3)  chest or pelvis
    rest    upper and lower direction at rest, (3,) each
    hinge   (3,)       axis of knee or elbow at rest
    seen    upper and lower direction, (F, 3) each, unit
    """
    swing = aim(parent, rest[0], seen[0])
    upper = twist(swing, seen[0], swing @ hinge, np.cross(seen[0], seen[1]))
    return blend(swing, upper, 0.5), upper, aim(upper, rest[1], seen[1])


def head_axes(thorax: Floats, nose: Floats, top: Floats, chest: Floats) -> Floats:
    """Return the rotation (F, 3, 3) of the head; without a nose ahead it faces as the chest."""
    up = unit(top - thorax)
    ahead = nose - (thorax + top) / 2 + 0.04 * chest[..., 2]
    return axes(np.cross(up, ahead), up)


def foot(shank: Floats, lift_m: Floats) -> Floats:
    """
    Return the rotation (F, 3, 3) of a foot: flat on the floor below, with the shank above.

    lift_m  (F,)  height of the ankle above its lowest height
    """
    forward = shank[..., 2] * [1, 0, 1]
    flat = axes(np.cross(np.broadcast_to(UP, forward.shape), forward), UP + 0 * forward)
    standing = smoothstep(shank[..., 1, 1], 0.3, 0.7) * (np.linalg.norm(forward, axis=-1) > 0.2)
    return blend(shank, flat, standing * (1 - smoothstep(lift_m, FLAT_BELOW_M, FREE_ABOVE_M)))


def limb_rotations(joints: Floats, rest: RestLimbs) -> dict[str, Floats]:
    """
    Return how every part of the rest body is turned in each frame.

    joints   (F, 17, 3)  metres, H36M_17, world with y up
    returns  part name -> (F, 3, 3) rotation from rest to world
    """
    at = dict(zip(H36M_17.joints, np.moveaxis(np.asarray(joints, np.float64), 1, 0), strict=True))
    trunk = at['thorax'] - at['hip']
    pelvis = axes(at['l_hip'] - at['r_hip'], trunk)
    chest = axes(at['l_shoulder'] - at['r_shoulder'], trunk)
    parts = {'pelvis': pelvis, 'chest': chest}
    parts['head'] = head_axes(at['thorax'], at['nose'], at['head_top'], chest)
    floor = np.percentile([at['l_ankle'][:, 1], at['r_ankle'][:, 1]], 2)
    for s in 'lr':
        seen = _seen(at, f'{s}_hip', f'{s}_knee', f'{s}_ankle')
        parts[f'{s}_hip'], parts[f'{s}_thigh'], parts[f'{s}_shank'] = two_limbs(
            pelvis, (rest.thigh[s], rest.shank[s]), LEFT, seen
        )
        parts[f'{s}_foot'] = foot(parts[f'{s}_shank'], at[f'{s}_ankle'][:, 1] - floor)
        seen = _seen(at, f'{s}_shoulder', f'{s}_elbow', f'{s}_wrist')
        hinge = unit(np.cross(rest.upper_arm[s], rest.forearm[s]))
        parts[f'{s}_shoulder'], parts[f'{s}_arm'], parts[f'{s}_forearm'] = two_limbs(
            chest, (rest.upper_arm[s], rest.forearm[s]), hinge, seen
        )
    return parts


def _seen(at: dict[str, Floats], a: str, b: str, c: str) -> tuple[Floats, Floats]:
    return unit(at[b] - at[a]), unit(at[c] - at[b])
