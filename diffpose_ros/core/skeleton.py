"""Skeletons: joints by name, bones, mirror partners and maps from one skeleton to another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Skeleton:
    """
    A list of joints in a fixed order; left and right are the person's own.

    joints   names, l_ and r_ mark the sides
    bones    pairs of joint names, from the root outwards
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]

    def index(self, *names: str) -> list[int]:
        """Return the positions of the named joints."""
        return [self.joints.index(name) for name in names]

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Bones as pairs of joint positions."""
        return [(self.joints.index(a), self.joints.index(b)) for a, b in self.bones]

    @property
    def mirror(self) -> list[int]:
        """For every joint the position of its partner on the other side."""
        return [self.joints.index(mirrored(name)) for name in self.joints]


def mirrored(joint: str) -> str:
    """Return the name of the same joint on the other side."""
    sides = {'l_': 'r_', 'r_': 'l_'}
    return sides.get(joint[:2], joint[:2]) + joint[2:]


LEGS = (('r_hip', 'r_knee'), ('r_knee', 'r_ankle'), ('l_hip', 'l_knee'), ('l_knee', 'l_ankle'))
ARMS = (
    ('l_shoulder', 'l_elbow'),
    ('l_elbow', 'l_wrist'),
    ('r_shoulder', 'r_elbow'),
    ('r_elbow', 'r_wrist'),
)

# Order of Human3.6M as VideoPose3D and Gong et al. use it.
H36M_17 = Skeleton(
    'h36m_17',
    tuple(
        'hip r_hip r_knee r_ankle l_hip l_knee l_ankle spine thorax nose head_top'
        ' l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist'.split()
    ),
    (
        ('hip', 'r_hip'),
        ('hip', 'l_hip'),
        *LEGS,
        ('hip', 'spine'),
        ('spine', 'thorax'),
        ('thorax', 'nose'),
        ('nose', 'head_top'),
        ('thorax', 'l_shoulder'),
        ('thorax', 'r_shoulder'),
        *ARMS,
    ),
)
(HIP,) = H36M_17.index('hip')

# Order of the PoseTrack evaluation (poseval); Leeds Sports Pose is the same without the nose.
POSETRACK_15 = Skeleton(
    'posetrack_15',
    tuple(
        'r_ankle r_knee r_hip l_hip l_knee l_ankle r_wrist r_elbow r_shoulder'
        ' l_shoulder l_elbow l_wrist neck nose head_top'.split()
    ),
    (
        ('r_hip', 'l_hip'),
        *LEGS,
        ('neck', 'r_hip'),
        ('neck', 'l_hip'),
        ('neck', 'r_shoulder'),
        ('neck', 'l_shoulder'),
        *ARMS,
        ('neck', 'nose'),
        ('nose', 'head_top'),
    ),
)

SKELETONS = {skeleton.name: skeleton for skeleton in (H36M_17, POSETRACK_15)}

# Joints that a skeleton lacks, as weighted means of joints that it has.
DERIVED: dict[str, dict[str, float]] = {
    'hip': {'r_hip': 0.5, 'l_hip': 0.5},
    'spine': {'r_hip': 0.25, 'l_hip': 0.25, 'neck': 0.5},
    'thorax': {'neck': 1.0},
    'neck': {'thorax': 1.0},
}


def joint_map(source: Skeleton, target: Skeleton) -> NDArray[np.float64]:
    """
    Return the matrix that turns joints of one skeleton into joints of another.

    returns  (J_target, J_source)  rows sum to 1; zeros = the source lacks this joint
    """
    rows = np.zeros((len(target.joints), len(source.joints)))
    for row, joint in zip(rows, target.joints, strict=True):
        recipe = {joint: 1.0} if joint in source.joints else DERIVED.get(joint, {})
        if set(recipe) <= set(source.joints):
            for name, weight in recipe.items():
                row[source.joints.index(name)] = weight
    return rows
