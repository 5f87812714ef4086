"""
Bodies at rest: bones, joints, surfaces; how captured motion poses them.

World axes as in retarget.py: x to the body's left, y up, z forward, metres.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from diffpose_ros.core.skeleton import H36M_17, POSETRACK_15
from diffpose_ros.train.synthetic.retarget import (
    blend,
    limb_rotations,
    RestLimbs,
    unit,
)
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

SPINE = {'spine05': 0.15, 'spine04': 0.35, 'spine03': 0.55, 'spine02': 0.8, 'spine01': 1.0}
NECK = {'neck01': 0.3, 'neck02': 0.55, 'neck03': 0.8, 'head': 1.0, 'eye.L': 1.0, 'eye.R': 1.0}
GIRDLE = {'clavicle': 0.15, 'shoulder01': 0.3}
LIMBS = {
    'pelvis': 'pelvis', 'upperleg01': 'hip', 'upperleg02': 'thigh', 'lowerleg01': 'shank',
    'lowerleg02': 'shank', 'foot': 'foot', 'toe': 'foot', 'upperarm01': 'shoulder',
    'upperarm02': 'arm', 'lowerarm01': 'forearm', 'lowerarm02': 'forearm', 'wrist': 'forearm',
    'finger': 'forearm', 'metacarpal': 'forearm',
}  # fmt: skip


@dataclass(frozen=True)
class Body:
    """
    One body at rest.

    labels   names of the Q bones          parents  (Q,)    -1 for the root
    heads    (Q, 3)  metres, where each bone begins
    vertices (V, 3)  metres                normals  (V, 3)  unit
    bones    (V, 4)  the bones that move a vertex   weights  (V, 4)  their shares
    faces    surface name -> (n, 3) vertices
    places   (V, 4)  where on the body: along the arm (0 shoulder, 0.5 elbow, 1 wrist), along the
             leg (0 hip, 0.5 knee, 1 ankle), up the trunk (0 hips, 1 neck), scalp (above 0 hair
             grows; on the hanging hair: not before the face)
    marks    joint name -> (bone, point (3,)) for joints that are not the head of a bone
    """

    labels: tuple[str, ...]
    parents: Ints
    heads: Floats
    vertices: Floats
    normals: Floats
    bones: Ints
    weights: Floats
    faces: Mapping[str, Ints]
    places: Floats
    marks: Mapping[str, tuple[int, Floats]]

    def head(self, label: str) -> Floats:
        """Return where the named bone begins, (3,) metres."""
        return self.heads[self.labels.index(label)]

    def bone_rotations(self, joints: Floats) -> Floats:
        """Return (F, Q, 3, 3), how captured joints (F, 17, 3) turn every bone from rest."""
        parts = limb_rotations(joints, self._rest_limbs())
        return np.stack([_bone_rotation(label, parts) for label in self.labels], axis=1)

    def pose(self, joints: Floats) -> Floats:
        """
        Move the body as captured joints move; its own bone lengths and its own step length stay.

        joints   (F, 17, 3)  metres, H36M_17, world
        returns  (F, Q, 3, 4)  what takes rest points (x, y, z, 1) to world points
        """
        rotation = self.bone_rotations(joints)
        hip = np.asarray(joints, np.float64)[:, 0] * self.leg_m() / _leg_m(joints)
        origin = np.zeros((*rotation.shape[:2], 3))
        for q, parent in enumerate(self.parents):
            if parent >= 0:
                offset = self.heads[q] - self.heads[parent]
                origin[:, q] = origin[:, parent] + rotation[:, parent] @ offset
        middle = self.heads[self._hips()].mean(0) - self.heads[0]
        origin += (hip - rotation[:, 0] @ middle)[:, None]
        shift = origin - np.einsum('fqij,qj->fqi', rotation, self.heads)
        return np.concatenate([rotation, shift[..., None]], axis=-1)

    def joints(self, pose: Floats) -> dict[str, Floats]:
        """Return the body's own joints, name -> (..., 3) metres, in a pose (..., Q, 3, 4)."""
        found = {name: apply(pose[..., q, :, :], point) for name, (q, point) in self.marks.items()}
        middle = {n: (found[f'l_{n}'] + found[f'r_{n}']) / 2 for n in ('hip', 'clavicle')}
        found['hip'] = middle['hip']
        found['neck'] = found['thorax'] = (middle['clavicle'] + found['neck_base']) / 2
        found['spine'] = (found['hip'] + found['neck']) / 2
        return found

    def skin(self, pose: Floats, vertices: Ints) -> Floats:
        """Return (..., n, 3) metres, the chosen vertices in a pose (..., Q, 3, 4)."""
        moved = apply(pose[..., self.bones[vertices], :, :], self.vertices[vertices, None])
        return (moved * self.weights[vertices, :, None]).sum(-2)

    def leg_m(self) -> float:
        """Return the length of thigh and shank together."""
        chain = [self.head(f'{bone}.L') for bone in ('upperleg01', 'lowerleg01', 'foot')]
        return float(sum(np.linalg.norm(np.diff(chain, axis=0), axis=-1)))

    def _hips(self) -> list[int]:
        return [self.labels.index(f'upperleg01.{side}') for side in 'LR']

    def _rest_limbs(self) -> RestLimbs:
        def limb(start: str, end: str) -> dict[str, Floats]:
            sides = {'l': 'L', 'r': 'R'}.items()
            return {s: unit(self.head(f'{end}.{S}') - self.head(f'{start}.{S}')) for s, S in sides}

        return RestLimbs(
            upper_arm=limb('upperarm01', 'lowerarm01'),
            forearm=limb('lowerarm01', 'wrist'),
            thigh=limb('upperleg01', 'lowerleg01'),
            shank=limb('lowerleg01', 'foot'),
        )


def apply(transform: Floats, point: Floats) -> Floats:
    """Move points (..., 3) by transforms (..., 3, 4)."""
    return (transform[..., :3] @ point[..., None])[..., 0] + transform[..., 3]


def named(joints: Mapping[str, Floats], names: tuple[str, ...]) -> Floats:
    """Stack named joints into (..., J, 3)."""
    return np.stack([joints[name] for name in names], axis=-2)


def h36m(joints: Mapping[str, Floats]) -> Floats:
    """Return (..., 17, 3) in the order of H36M_17."""
    return named(joints, H36M_17.joints)


def posetrack(joints: Mapping[str, Floats]) -> Floats:
    """Return (..., 15, 3) in the order of POSETRACK_15."""
    return named(joints, POSETRACK_15.joints)


def sample_phenotype(rng: np.random.Generator) -> dict[str, float]:
    """Draw a shape: mostly adults, every build, now and then a child."""
    adult = rng.random() < 0.88
    return {
        'gender': float(rng.choice([rng.uniform(0, 0.25), rng.uniform(0.75, 1)])),
        'age': float(rng.uniform(0.62, 0.95) if adult else rng.uniform(0.4, 0.62)),
        'muscle': float(rng.beta(2, 2)),
        'weight': float(rng.beta(2, 2.2)),
        'height': float(rng.beta(2.5, 2.5)),
        'proportions': float(rng.uniform(0.35, 1)),
    }


def _bone_rotation(label: str, parts: Mapping[str, Floats]) -> Floats:
    if label in SPINE:
        return blend(parts['pelvis'], parts['chest'], SPINE[label])
    if label in NECK:
        return blend(parts['chest'], parts['head'], NECK[label])
    if label == 'root':
        return parts['pelvis']
    bone, side = label.split('.')
    if bone in GIRDLE:
        return blend(parts['chest'], parts[f'{side.lower()}_shoulder'], GIRDLE[bone])
    part = next(part for prefix, part in LIMBS.items() if bone.startswith(prefix))
    return parts['pelvis'] if part == 'pelvis' else parts[f'{side.lower()}_{part}']


def _leg_m(joints: Floats) -> float:
    chain = np.asarray(joints, np.float64)[:, H36M_17.index('r_hip', 'r_knee', 'r_ankle')]
    return float(np.linalg.norm(np.diff(chain, axis=1), axis=-1).sum(-1).mean())
