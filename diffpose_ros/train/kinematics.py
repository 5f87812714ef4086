"""
Bodies as bones, and poses that no clip holds: seated, crouched, kneeling, reaching, bent.

B windows, T slots, J joints of H36M_17. A body frame has the axes left, up, forward.
"""

from dataclasses import dataclass, replace

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.cameras import rotation_of
import numpy as np
import torch
from torch import Tensor
import torch.nn.functional as F

HIP, SPINE, THORAX = H36M_17.index('hip', 'spine', 'thorax')
SHOULDERS = H36M_17.index('l_shoulder', 'r_shoulder')
PARENT = [0] * len(H36M_17.joints)
for _parent, _child in H36M_17.edges:
    PARENT[_child] = _parent
UPPER = [
    name for name in H36M_17.joints if 'hip' not in name and name[2:] not in ('knee', 'ankle')
]
UPPER_INDEX = H36M_17.index(*UPPER)
HEAD = H36M_17.index('nose', 'head_top')


def _chains() -> Tensor:
    """Return which bones lead to which joint, (J, J)."""
    chain = torch.eye(len(PARENT))
    for joint in range(len(PARENT)):
        at = joint
        while at != HIP:
            chain[joint, at] = 1
            at = PARENT[at]
    chain[:, HIP] = 0
    return chain


CHAINS = _chains()


@dataclass(frozen=True)
class Body:
    """bones (B, T, J, 3): every joint relative to its parent; the hip's is zero."""

    bones: Tensor

    @classmethod
    def of(cls, joints: Tensor) -> 'Body':
        """Take joints (B, T, J, 3) apart."""
        return cls(joints - joints[..., PARENT, :])

    def joints(self) -> Tensor:
        """Put the bones together, the hip at the origin."""
        return CHAINS.to(self.bones) @ self.bones

    def scaled(self, factor: Tensor) -> 'Body':
        """Lengthen every bone by its factor (B, J)."""
        return Body(self.bones * factor[:, None, :, None])

    def recombined(self, chosen: Tensor, frames: Tensor) -> 'Body':
        """Give the chosen (B,) the upper body of their neighbour in the batch."""
        local = frames.transpose(2, 3) @ self.bones.transpose(2, 3)  # (B, T, 3, J)
        lent = (frames @ local.roll(1, dims=0)).transpose(2, 3)
        bones = self.bones.clone()
        bones[:, :, UPPER_INDEX] = lent[:, :, UPPER_INDEX]
        return Body(torch.where(chosen[:, None, None, None], bones, self.bones))

    def bent(self, chosen: Tensor, random: torch.Generator) -> 'Body':
        """Turn the upper body of the chosen (B,) against the pelvis."""
        turn = rotations(0.35, len(self.bones), random)
        return self._turned(torch.where(chosen[:, None, None], turn, torch.eye(3)), UPPER_INDEX)

    def with_shoulders_lowered(self, drop: Tensor) -> 'Body':
        """Lower both shoulders along the trunk by its share drop (B,)."""
        bones = self.bones.clone()
        trunk = bones[:, :, SPINE] + bones[:, :, THORAX]
        bones[:, :, SHOULDERS] -= (drop[:, None, None] * trunk)[:, :, None]
        return Body(bones)

    def with_head_turned(self, turn: Tensor) -> 'Body':
        """Turn nose and head by (B, 3, 3)."""
        return self._turned(turn, HEAD)

    def _turned(self, turn: Tensor, joints: Tensor) -> 'Body':
        bones = self.bones.clone()
        bones[:, :, joints] = bones[:, :, joints] @ turn[:, None].transpose(2, 3)
        return replace(self, bones=bones)


def frames_of(body: Body) -> Tensor:
    """Return the pelvis frame (B, T, 3, 3): columns left, up, forward."""
    (left,) = H36M_17.index('l_hip')
    return _frame(body.bones[:, :, left], body)


def _chest_frames(body: Body) -> Tensor:
    left, right = H36M_17.index('l_shoulder', 'r_shoulder')
    return _frame(body.bones[:, :, left] - body.bones[:, :, right], body)


def _frame(left: Tensor, body: Body) -> Tensor:
    trunk = F.normalize(body.bones[:, :, THORAX], dim=-1)
    left = F.normalize(left, dim=-1)
    forward = F.normalize(torch.linalg.cross(left, trunk), dim=-1)
    return torch.stack([left, torch.linalg.cross(forward, left), forward], dim=-1)


def rotations(deviation: float, B: int, random: torch.Generator) -> Tensor:
    """Return rotations (B, 3, 3) whose vectors have this deviation in radians per axis."""
    vector = deviation * torch.randn(B, 3, generator=random)
    return rotation_of(vector)


# Joint angles in degrees, lowest and highest: flexion and abduction of the upper bone, bend of
# the lower one, twist of the plane in which it bends.
Range = tuple[float, float]
LEG_POSES: tuple[tuple[Range, Range, Range, Range], ...] = (
    ((65, 115), (-5, 30), (50, 120), (-25, 25)),  # seated
    ((50, 130), (-5, 40), (70, 150), (-30, 30)),  # crouched
    ((-15, 40), (-5, 20), (70, 145), (-15, 15)),  # kneeling
    ((-40, 100), (-15, 60), (0, 30), (-35, 35)),  # straight: kicking, balancing, stretching
    ((-30, 120), (-15, 50), (0, 140), (-35, 35)),  # anything
)
ARM_POSES: tuple[tuple[Range, Range, Range, Range], ...] = (
    ((-10, 60), (-20, 30), (40, 140), (-60, 60)),  # hands in front: eating, phoning
    ((20, 130), (-20, 50), (0, 60), (-90, 90)),  # reaching
    ((-50, 175), (-30, 100), (0, 145), (-90, 90)),  # anything
)
ONE_SIDED = 0.4  # share of the posed whose other limb stays as it moved


def pose_legs(body: Body, chosen: Tensor, random: torch.Generator) -> Body:
    """Give the chosen (B,) one or two legs of random joint angles."""
    return _pose_limbs(body, chosen, LEG_POSES, ('knee', 'ankle'), frames_of(body), -1, random)


def pose_arms(body: Body, chosen: Tensor, random: torch.Generator) -> Body:
    """Give the chosen (B,) one or two arms of random joint angles."""
    frames = _chest_frames(body)
    return _pose_limbs(body, chosen, ARM_POSES, ('elbow', 'wrist'), frames, 1, random)


def _pose_limbs(
    body: Body,
    chosen: Tensor,
    poses: tuple[tuple[Range, Range, Range, Range], ...],
    joints: tuple[str, str],
    frames: Tensor,
    bends: int,
    random: torch.Generator,
) -> Body:
    B, T = body.bones.shape[:2]
    bones = body.bones.clone()
    first = _angles(poses, B, T, random)
    alike = (torch.rand(B, 1, 1, generator=random) < 0.6).expand(-1, T, 4)
    jitter = 0.15 * torch.randn(B, 1, 4, generator=random)
    second = torch.where(alike, first + jitter, _angles(poses, B, T, random))
    lot = torch.rand(B, generator=random)
    left, right = chosen & (lot > ONE_SIDED / 2), chosen & (lot < 1 - ONE_SIDED / 2)
    for side, sign, angles, posed in (('l_', 1, first, left), ('r_', -1, second, right)):
        upper, lower = H36M_17.index(side + joints[0], side + joints[1])
        directions = limb_directions(angles, sign, bends)  # (B, T, 3, 2)
        limb = bones[:, :, [upper, lower]]
        anew = (frames @ directions).transpose(2, 3) * limb.norm(dim=-1, keepdim=True)
        bones[:, :, [upper, lower]] = torch.where(posed[:, None, None, None], anew, limb)
    return Body(bones)


def _angles(
    poses: tuple[tuple[Range, Range, Range, Range], ...], B: int, T: int, random: torch.Generator
) -> Tensor:
    """Draw angles (B, T, 4) in radians that glide from one pose to another like it."""
    table = torch.tensor(np.radians(poses), dtype=torch.float32)  # (poses, 4, 2)
    low, high = table[torch.randint(len(poses), (B,), generator=random)].unbind(-1)
    start = low + (high - low) * torch.rand(B, 4, generator=random)
    moves = (torch.rand(B, 1, generator=random) < 0.7) * 0.4
    end = (start + moves * torch.randn(B, 4, generator=random)).clamp(low, high)
    ease = (1 - torch.cos(torch.linspace(0, torch.pi, T))) / 2
    return start[:, None] + (end - start)[:, None] * ease[:, None]


def limb_directions(angles: Tensor, side: int, bends: int) -> Tensor:
    """
    Return the directions of the two bones of a limb in the body frame.

    angles   (..., 4)     flexion, abduction, bend, twist in radians; all 0 hangs down straight
    side     1 left, -1 right
    bends    1 the lower bone bends forwards (arm), -1 backwards (leg)
    returns  (..., 3, 2)  columns: upper bone, lower bone
    """
    flexion, abduction, bend, twist = angles.unbind(-1)
    cos, sin, zero = flexion.cos(), flexion.sin(), torch.zeros_like(flexion)
    out = abduction.cos()
    upper = torch.stack([side * abduction.sin(), -out * cos, out * sin], dim=-1)
    inward = bends * torch.stack([zero, sin, cos], dim=-1)
    across = torch.linalg.cross(upper, inward)
    plane = twist.cos()[..., None] * inward + side * twist.sin()[..., None] * across
    lower = bend.cos()[..., None] * upper + bend.sin()[..., None] * plane
    return torch.stack([upper, lower], dim=-1)
