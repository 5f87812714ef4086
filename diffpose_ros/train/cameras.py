"""
Random cameras around a person, and the virtual camera of the key frame.

World frame: y up. Camera frames: optical, x right, y down, z forward. Metres.
B windows, T slots, J joints of H36M_17.
"""

import math

from diffpose_ros.train.kinematics import rotation_of
import torch
from torch import Tensor
import torch.nn.functional as F

NEAREST_M = 0.25  # what is nearer to the camera plane is not seen


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


def orientation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Return rotations (B, 3, 3) from the world to cameras; angles (B,) in radians."""
    zero = torch.zeros_like(yaw)
    turn = rotation_of(torch.stack([zero, yaw, zero], dim=-1))
    tilt = rotation_of(torch.stack([pitch, zero, zero], dim=-1))
    bank = rotation_of(torch.stack([zero, zero, roll], dim=-1))
    return bank @ torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ tilt @ turn


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


def into_virtual_camera(points: Tensor, key: int) -> Tensor:
    """
    Turn the camera on the spot until the key frame's person stands on the optical axis.

    points   (B, T, J, 3)  camera frame
    returns  (B, T, J, 3)  virtual camera
    """
    rays, seen = project(points[:, key])
    return points @ look_at(middle(rays, seen)).transpose(1, 2)[:, None]


def middle(rays: Tensor, known: Tensor) -> Tensor:
    """Return the middles (B, 2) of the boxes around the known (B, J) of rays (B, J, 2), or 0."""
    hidden = ~known[..., None]
    low = rays.masked_fill(hidden, torch.inf).amin(dim=1)
    high = rays.masked_fill(hidden, -torch.inf).amax(dim=1)
    return torch.where(known.any(dim=1, keepdim=True), (low + high) / 2, 0.0)


def look_at(rays: Tensor) -> Tensor:
    """Return the smallest rotations (B, 3, 3) that bring rays (B, 2) onto the optical axis."""
    x, y, z = F.normalize(F.pad(rays, (0, 1), value=1.0), dim=-1).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, zero, -x, zero, zero, -y, x, y, zero], -1).unflatten(-1, (3, 3))
    return torch.eye(3) + cross + cross @ cross / (1 + z)[:, None, None]


def project(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return rays (..., 2) and whether the points (..., 3) lie before the camera."""
    z = points[..., 2:]
    seen = z[..., 0] > NEAREST_M
    return points[..., :2] / z.clamp(min=NEAREST_M), seen


def _uniform(low: float, high: float, B: int, random: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(B, generator=random)


def _sometimes(share: float, this: Tensor, that: Tensor, random: torch.Generator) -> Tensor:
    return torch.where(torch.rand(len(this), generator=random) < share, this, that)
