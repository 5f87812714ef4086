"""
Motion-capture clips, and windows of them.

World frame: y up, metres, right-handed. B windows, T slots, J joints of H36M_17.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from pathlib import Path
from zlib import crc32

from diffpose_ros.core.files import read_arrays
from diffpose_ros.core.skeleton import H36M_17
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
PCK_RADIUS = 0.06  # of a person's height: 0.2 torso


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
