"""
Cameras around a person, and the virtual camera of the key frame.

World frame: y up. Camera frames: optical, x right, y down, z forward. Metres.
B windows, T slots, J joints of H36M_17.
"""

import torch
from torch import Tensor
import torch.nn.functional as F

NEAREST_M = 0.25  # what is nearer to the camera plane is not seen


def rotation_of(vector: Tensor) -> Tensor:
    """Return the rotations (..., 3, 3) of rotation vectors (..., 3)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(skew)


def orientation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Return rotations (B, 3, 3) from the world to cameras; angles (B,) in radians."""
    zero = torch.zeros_like(yaw)
    turn = rotation_of(torch.stack([zero, yaw, zero], dim=-1))
    tilt = rotation_of(torch.stack([pitch, zero, zero], dim=-1))
    bank = rotation_of(torch.stack([zero, zero, roll], dim=-1))
    return bank @ torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ tilt @ turn


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
