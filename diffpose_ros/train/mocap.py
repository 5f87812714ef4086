"""
Motion-capture clips and what widens them: speed, mirroring, bodies, recombined and posed limbs.

World frame: y up, metres, right-handed. B windows, T slots, J joints of H36M_17, U bones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from pathlib import Path
from zlib import crc32

from diffpose_ros.core.files import read_arrays
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.train.kinematics import Body, frames_of, pose_arms, pose_legs, rotations
from diffpose_ros.train.timing import sample_times
import numpy as np
import torch
from torch import Tensor

COLUMNS = {
    'joint_names': 'strings J',
    'clip_lengths': 'integers C',
    'clip_names': 'strings C',
    'joints_root_relative_m': 'numbers F J 3',
    'root_m': 'numbers F 3',
    'fps': 'numbers',
}
MIRROR = list(H36M_17.mirror)


@dataclass(frozen=True)
class Clips:
    """
    Clips laid end to end.

    joints  (F, J, 3)  metres, relative to the hip
    root    (F, 3)     metres, the hip itself
    first   (F,)       position of the first frame of the frame's clip
    last    (F,)       position of the last frame of the frame's clip
    weight  (F,)       how often a frame is drawn, relative
    fps     frames per second
    """

    joints: Tensor
    root: Tensor
    first: Tensor
    last: Tensor
    weight: Tensor
    fps: float

    def to(self, device: torch.device) -> 'Clips':
        """Return the same on another device."""
        tensors = {k: v.to(device) for k, v in vars(self).items() if k != 'fps'}
        return Clips(**tensors, fps=self.fps)


def load_clips(path: Path, part: str = 'all', weight: float = 1.0) -> Clips:
    """
    Read a mocap file.

    part    all, or train / held_out: nine tenths and one tenth of the motions, whole motions
    raises  ValueError when the file or part are not as expected
    """
    data = read_arrays(path, COLUMNS)
    names = tuple(str(name) for name in data['joint_names'])
    if names != H36M_17.joints:
        raise ValueError(f'{path} has joints {names}; convert it to {H36M_17.joints}')
    lengths, fps = data['clip_lengths'].astype(np.int64), data['fps'].item()
    frames = len(data['root_m'])
    if (lengths < 0).any() or lengths.sum() != frames:
        raise ValueError(
            f'{path} has {frames} frames, of which clip_lengths are no parts; make them fit'
        )
    if not 0 < fps < math.inf:
        raise ValueError(f'{path} has fps {fps}; give a number above 0')
    if not all(np.isfinite(data[name]).all() for name in ('joints_root_relative_m', 'root_m')):
        raise ValueError(f'{path} has joints that are not finite; leave such frames out')
    keep = np.array([part in ('all', part_of(str(name))) for name in data['clip_names']])
    if not keep.any():
        raise ValueError(f'{path} has no clip in part {part!r}; use all, train or held_out')
    chosen = np.repeat(keep, lengths)
    joints = torch.from_numpy(data['joints_root_relative_m'][chosen].astype(np.float32))
    root = torch.from_numpy(data['root_m'][chosen].astype(np.float32))
    return lay_clips(joints, root, torch.from_numpy(lengths[keep]), weight, fps)


def lay_clips(joints: Tensor, root: Tensor, lengths: Tensor, weight: float, fps: float) -> Clips:
    """Return clips whose frames lie end to end; lengths (n,) says how many each has."""
    ends = lengths.cumsum(0)
    first = (ends - lengths).repeat_interleave(lengths)
    last = (ends - 1).repeat_interleave(lengths)
    return Clips(joints, root, first, last, torch.full((len(joints),), weight), fps)


def part_of(clip_name: str) -> str:
    """Return the part a motion belongs to; copies of one motion share it."""
    motion = '/'.join(clip_name.rsplit('/', 2)[-2:])
    return 'held_out' if crc32(motion.encode()) % 10 == 0 else 'train'


def join_clips(parts: Sequence[Clips]) -> Clips:
    """Return all clips as one; raise ValueError when their rates differ."""
    rates = sorted({part.fps for part in parts})
    if len(rates) != 1:
        raise ValueError(f'clips of {rates} frames per second; give files of one rate')
    offsets = np.cumsum([0, *(len(part.joints) for part in parts[:-1])])
    return Clips(
        torch.cat([part.joints for part in parts]),
        torch.cat([part.root for part in parts]),
        torch.cat([part.first + int(o) for part, o in zip(parts, offsets, strict=True)]),
        torch.cat([part.last + int(o) for part, o in zip(parts, offsets, strict=True)]),
        torch.cat([part.weight for part in parts]),
        parts[0].fps,
    )


def cut_windows(clips: Clips, key: Tensor, offset: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """
    Return windows around key frames, between frames by linear interpolation.

    key      (B,)          positions of frames
    offset   (B, T)        frames from the key, fractions allowed
    returns  (B, T, J, 3)  joints relative to the hip
             (B, T, 3)     hip relative to the hip of the key frame
             (B, T)        whether the clip reaches that far
    """
    # From the key: a position among a million frames has no fractions left in float32.
    first, last = ((ends[key] - key)[:, None] for ends in (clips.first, clips.last))
    inside = (offset >= first) & (offset <= last)
    at = torch.minimum(torch.maximum(offset, first.float()), last.float())
    before = at.floor()
    low = key[:, None] + before.long()
    high = torch.minimum(low + 1, key[:, None] + last)
    share = (at - before)[..., None]
    root = clips.root[low] * (1 - share) + clips.root[high] * share
    share = share[..., None]
    joints = clips.joints[low] * (1 - share) + clips.joints[high] * share
    return joints, root - clips.root[key][:, None], inside


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
