"""
What widens motion-capture clips: speed, mirroring, bodies, recombined and posed limbs.

World frame: y up, metres, right-handed. B windows, T slots, J joints of H36M_17.
"""

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.mocap import Clips, cut_windows
from diffpose_ros.train.kinematics import Body, frames_of, pose_arms, pose_legs, rotations
from diffpose_ros.train.timing import sample_times
import torch
from torch import Tensor

MIRROR = list(H36M_17.mirror)


class MotionSampler:
    """Draws windows of widened motion without end, where clips and generator are."""

    def __init__(self, clips: Clips, T: int, key: int, generator: torch.Generator) -> None:
        self._clips, self._random = clips, generator
        self._T, self._key = T, key

    def draw(self, B: int, kind: str) -> tuple[Tensor, Tensor]:
        """
        Return joints (B, T, J, 3), the key frame's hip at 0, and present (B, T).

        kind  of the windows, see timing.KINDS
        """
        clips, random = self._clips, self._random
        times, present = sample_times(B, self._T, self._key, kind, random)
        key = torch.multinomial(clips.weight, B, replacement=True, generator=random)
        speed = torch.exp(0.3 * torch.randn(B, 1, generator=random))
        joints, root, inside = cut_windows(clips, key, times * speed * clips.fps / 30)
        flip = torch.rand(B, generator=random) < 0.5
        joints = torch.where(flip[:, None, None, None], mirror(joints), joints)
        root = torch.where(flip[:, None, None], root * torch.tensor([-1.0, 1, 1]), root)
        return self._widen(joints, root), inside & present

    def _widen(self, joints: Tensor, root: Tensor) -> Tensor:
        B, random = len(joints), self._random
        body = Body.of(joints)
        body = body.recombined(_chance(0.25, B, random), frames_of(body))
        body = body.bent(_chance(0.25, B, random), random)
        legs, arms = _chance(0.3, B, random), _chance(0.3, B, random)
        body = pose_legs(body, legs, random)
        body = pose_arms(body, arms, random)
        scale = body_scales(B, random)
        body = body.scaled(scale).with_shoulders_lowered(neck_above_shoulders(scale, random))
        body = body.with_head_turned(rotations(0.2, B, random))
        # A person whose legs were posed anew does not walk on them.
        travel = torch.where(legs, 0.3 * torch.rand(B, generator=random), torch.ones(B))
        return body.joints() + (root * travel[:, None, None])[:, :, None]


def mirror(joints: Tensor) -> Tensor:
    """Return the mirror image (..., J, 3), left and right exchanged."""
    return joints[..., MIRROR, :] * joints.new_tensor([-1.0, 1.0, 1.0])


def _chance(share: float, B: int, random: torch.Generator) -> Tensor:
    return torch.rand(B, generator=random) < share


# Factors on the bones of the captured skeletons, lowest and highest; these place hips, shoulders
# and head by conventions of their own. Limbs vary by anthropometry instead (a deviation of 6 %).
CONVENTION = {
    'spine': (0.85, 1.3),
    'r_hip': (0.6, 1.5),
    'l_hip': (0.6, 1.5),
    'l_shoulder': (0.5, 1.2),
    'r_shoulder': (0.5, 1.2),
    'l_elbow': (0.85, 1.1),
    'r_elbow': (0.85, 1.1),
    'nose': (0.55, 1.1),
    'head_top': (0.7, 1.25),
    'l_wrist': (0.95, 1.3),
    'r_wrist': (0.95, 1.3),
}
LIMB_DEVIATION = 0.06
TOGETHER = (('spine', 'thorax'),)  # bones of one rigid part


def body_scales(B: int, random: torch.Generator) -> Tensor:
    """Return a factor per joint's bone (B, J): size, proportions, slight asymmetry."""
    scale = torch.exp(LIMB_DEVIATION * torch.randn(B, len(H36M_17.joints), generator=random))
    for joint, (low, high) in CONVENTION.items():
        (i,) = H36M_17.index(joint)
        scale[:, i] = low + (high - low) * torch.rand(B, generator=random)
    right = torch.tensor([name.startswith('r_') for name in H36M_17.joints])
    scale = torch.where(right, scale[:, MIRROR], scale)
    for one, other in TOGETHER:
        scale[:, H36M_17.index(other)] = scale[:, H36M_17.index(one)]
    asymmetry = torch.where(right, 0.01 * torch.randn(scale.shape, generator=random), 0.0)
    size = torch.exp(0.05 * torch.randn(B, 1, generator=random))
    return scale * size * torch.exp(asymmetry)


def neck_above_shoulders(scale: Tensor, random: torch.Generator) -> Tensor:
    """
    Return by how much the neck lies above the shoulders (B,), in lengths of the trunk.

    Some place the neck between the shoulders, others at the chin: a longer trunk is mostly that.
    """
    spine = scale[:, H36M_17.index('spine')[0]]
    shoulders = 1.02 * torch.exp(LIMB_DEVIATION * torch.randn(len(scale), generator=random))
    return 1 - shoulders / spine
