"""
What the lifter's networks see of a 2D window.

Rays are divided by the person's apparent size, so that any distance and focal length looks alike;
the logarithm of the size is an input of its own, since perspective depends on it.

B windows, T slots, J joints
"""

from dataclasses import dataclass

from diffpose_ros.core.replay import filled_slots
import torch
from torch import Tensor

FEATURES = 7  # per joint and slot
GROUP = 3  # slots that are one token of the temporal encoder
FLOOR = 0.02  # deviation of the best 2D estimate, in sizes
FARTHEST = 6.0  # sizes from the axis; beyond it positions are clipped


@dataclass(frozen=True)
class Observation:
    """
    A window in units of the person's apparent size.

    features  (B, T, J, 7)  u, v, score, seen, log deviations of u and v, log size
    present   (B, T)        which slots are filled
    groups    (g,)          groups of slots that any window of the batch fills
    uv        (B, J, 2)     key frame; 0 where not seen
    factor    (B, J, 2, 2)  Cholesky factor of the covariance of uv, key frame
    seen      (B, J)        key frame
    size      (B,)          rays per unit
    """

    features: Tensor
    present: Tensor
    groups: Tensor
    uv: Tensor
    factor: Tensor
    seen: Tensor
    size: Tensor


def observe(
    rays: Tensor,
    covariance: Tensor,
    score: Tensor,
    present: Tensor,
    key: int,
    groups: Tensor | None = None,
) -> Observation:
    """
    Normalise a window.

    rays        (B, T, J, 2)     x / z and y / z in the key frame's virtual camera
    covariance  (B, T, J, 2, 2)  the same units squared
    score       (B, T, J)        0 = missing
    present     (B, T)           which slots are filled
    groups      (g,)             that any window fills, where it is known
    """
    groups = filled_slots(in_groups(present)) if groups is None else groups
    score = score * present[..., None]
    seen = score > 0
    size = apparent_size(rays[:, key], score[:, key])
    unit = size[:, None, None, None]
    uv = (rays / unit).clamp(-FARTHEST, FARTHEST) * seen[..., None]
    scaled = covariance / unit[..., None].square() * seen[..., None, None]
    variance = scaled.diagonal(dim1=-2, dim2=-1) + FLOOR**2
    deviation = (variance.log() / 2 + 3) * seen[..., None]
    log_size = (size.log() + 2)[:, None, None, None].expand(*score.shape, 1)
    told = torch.stack([score, seen.to(score)], dim=-1)
    features = torch.cat([uv, told, deviation, log_size], dim=-1)
    factor = cholesky2(scaled[:, key])
    return Observation(features, present, groups, uv[:, key], factor, seen[:, key], size)


def in_groups(present: Tensor) -> Tensor:
    """Return which groups (B, G) of slots have one that is filled in windows (B, T)."""
    return present.unflatten(1, (-1, GROUP)).any(dim=-1)


def apparent_size(rays: Tensor, score: Tensor) -> Tensor:
    """Return the spread of the joints (B, J, 2) around their middle, weighted by score; (B,)."""
    weight = (score / score.sum(dim=1, keepdim=True).clamp(min=1e-6))[..., None]
    middle = (weight * rays).sum(dim=1, keepdim=True)
    spread = (weight * (rays - middle).square()).sum(dim=(1, 2)).sqrt()
    return spread.masked_fill(~(spread > 1e-3), 0.1)  # nobody there: a person 5 m away


def cholesky2(covariance: Tensor) -> Tensor:
    """Return lower factors (..., 2, 2) of 2x2 covariances, FLOOR added; never fails."""
    a = (covariance[..., 0, 0] + FLOOR**2).sqrt()
    b = covariance[..., 1, 0] / a
    c = (covariance[..., 1, 1] + FLOOR**2 - b.square()).clamp(min=FLOOR**2).sqrt()
    zero = torch.zeros_like(a)
    return torch.stack([a, zero, b, c], dim=-1).unflatten(-1, (2, 2))
