"""
Random cameras around a person.

World frame: y up. Camera frames: optical, x right, y down, z forward. Metres.
B windows, T slots, J joints of H36M_17.
"""

import math

from diffpose_ros.data.cameras import orientation, rotation_of
import torch
from torch import Tensor
import torch.nn.functional as F


def random_views(joints: Tensor, key: int, random: torch.Generator) -> Tensor:
    """Return the joints (B, T, J, 3) of the world as random cameras see them."""
    B, T = joints.shape[:2]
    distance = torch.exp(_uniform(math.log(1.5), math.log(10), B, random))
    away = F.pad(distance[:, None], (2, 0))[:, None, None]  # (B, 1, 1, 3)
    seen = joints @ random_orientations(B, random).transpose(1, 2)[:, None] + away
    return _moving(seen, torch.arange(T) - key, random)


def random_orientations(B: int, random: torch.Generator) -> Tensor:
    """Return rotations (B, 3, 3) from the world: any azimuth, wide pitch, some roll."""
    yaw = _uniform(-math.pi, math.pi, B, random)
    pitch = 0.15 + 0.3 * torch.randn(B, generator=random)  # looking down a little
    pitch = _sometimes(0.2, _uniform(-1.4, 1.4, B, random), pitch, random)
    roll = 0.1 * torch.randn(B, generator=random)
    roll = _sometimes(0.25, _uniform(-0.65, 0.65, B, random), roll, random)
    roll = _sometimes(0.05, _uniform(-math.pi, math.pi, B, random), roll, random)
    return orientation(yaw, pitch, roll)


def _moving(points: Tensor, slots: Tensor, random: torch.Generator) -> Tensor:
    """Let one camera in four turn and travel; what it sees at slot 0 stays."""
    B = len(points)
    moves = (torch.rand(B, 1, generator=random) < 0.25) * torch.ones(1, 3)
    seconds = slots / 30
    spin = 0.3 * torch.randn(B, 3, generator=random) * moves
    travel = 0.5 * torch.randn(B, 3, generator=random) * moves
    turn = rotation_of(seconds[:, None] * spin[:, None])  # (B, T, 3, 3)
    shift = seconds[:, None] * travel[:, None]
    return (points + shift[:, :, None]) @ turn.transpose(2, 3)


def _uniform(low: float, high: float, B: int, random: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(B, generator=random)


def _sometimes(share: float, this: Tensor, that: Tensor, random: torch.Generator) -> Tensor:
    return torch.where(torch.rand(len(this), generator=random) < share, this, that)
