"""
2D estimates as a heatmap estimator gives them: blurred, correlated, sometimes wrong or missing.

h      apparent height of the person, in rays
B windows, T slots, J joints of H36M_17
"""

from dataclasses import dataclass

from diffpose_ros.core.skeleton import H36M_17, joint_map, POSETRACK_15
from diffpose_ros.data.mocap import PCK_RADIUS
import torch
from torch import Tensor

# What the 2D estimator does not see itself: means of other joints.
DERIVE = torch.from_numpy(
    joint_map(POSETRACK_15, H36M_17) @ joint_map(H36M_17, POSETRACK_15)
).float()
LIMBS = tuple(
    H36M_17.index(*(f'{side}{joint}' for joint in joints))
    for side in ('l_', 'r_')
    for joints in (('knee', 'ankle'), ('elbow', 'wrist'), ('shoulder', 'elbow', 'wrist'))
)
PAIRS = tuple(
    (H36M_17.index(*(f'l_{j}' for j in joints)), H36M_17.index(*(f'r_{j}' for j in joints)))
    for joints in (('hip', 'knee', 'ankle'), ('shoulder', 'elbow', 'wrist'))
)
(NOSE,) = H36M_17.index('nose')
NOSELESS = 0.4  # share of the windows; some 2D estimators know no nose
FAR = torch.tensor(
    [
        1.4 if n.endswith(('wrist', 'ankle')) else 1.1 if n.endswith(('elbow', 'knee')) else 0.9
        for n in H36M_17.joints
    ]
)  # the ends of the limbs are found less well


@dataclass(frozen=True)
class Estimate2D:
    """
    2D poses with their distribution.

    rays        (B, T, J, 2)     x / z, y / z
    covariance  (B, T, J, 2, 2)  the same units squared
    score       (B, T, J)        0 = missing
    """

    rays: Tensor
    covariance: Tensor
    score: Tensor


def corrupt(rays: Tensor, seen: Tensor, h: Tensor, random: torch.Generator) -> Estimate2D:
    """
    Turn true projections into estimates.

    rays, seen  (B, T, J, 2), (B, T, J)  true, and before the camera
    h           (B,)                     apparent height
    """
    B, T, J = seen.shape
    factor = _deviation_factor(B, T, J, random)  # lower triangular (B, T, J, 2, 2), in h
    error = (factor @ _coloured(B, T, J, random)[..., None])[..., 0]
    claimed = (
        factor @ factor.transpose(-1, -2) * _lognormal(0.35, (B, 1, J), random)[..., None, None]
    )
    error, claimed = _outliers(error, claimed, random)
    estimate = rays + error * h[:, None, None, None]
    score = _score(claimed, random) * seen
    estimate, score = _swap_sides(estimate, score, random)
    score = _drop(estimate, score, random)
    return derive(estimate, claimed * h[:, None, None, None, None].square(), score)


def derive(rays: Tensor, covariance: Tensor, score: Tensor) -> Estimate2D:
    """Compute hip and spine from hips and neck, as the pipeline does."""
    D = DERIVE.to(rays)
    needed = torch.where(D > 0, score[..., None, :], torch.ones(()))
    score = needed.amin(dim=-1)
    mean = D @ rays
    variance = torch.einsum('kj,btjxy->btkxy', D.square(), covariance)
    known = score > 0
    return Estimate2D(
        torch.where(known[..., None], mean, 0.0),
        torch.where(known[..., None, None], variance, 0.0),
        score,
    )


def _lognormal(deviation: float, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    return torch.exp(deviation * torch.randn(shape, generator=random))


def _uniform(low: float, high: float, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=random)


def _deviation_factor(B: int, T: int, J: int, random: torch.Generator) -> Tensor:
    """Return L with L L^T the covariance of the error, in heights."""
    level = torch.exp(_uniform(-5.8, -3.5, (B, 1, 1), random))  # 0.3 to 3 % of the height
    exact = torch.rand(B, 1, 1, generator=random) < 0.2
    level = torch.where(exact, 0.0, level) * FAR.to(level)
    level = level * _lognormal(0.35, (B, 1, J), random) * _lognormal(0.25, (B, T, J), random)
    ratio, angle = _lognormal(0.25, (B, T, J), random), _uniform(0, 3.15, (B, T, J), random)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos, -sin, sin, cos], dim=-1).unflatten(-1, (2, 2))
    return turn * torch.stack([level * ratio, level / ratio], dim=-1)[..., None, :]


def _coloured(B: int, T: int, J: int, random: torch.Generator) -> Tensor:
    """Return unit noise (B, T, J, 2) correlated over time, part of it constant."""
    rho = _uniform(0, 0.95, (B, 1, 1), random)
    fresh = torch.randn(T, B, J, 2, generator=random)
    walk = [fresh[0]]
    for t in range(1, T):
        walk.append(rho * walk[-1] + (1 - rho.square()).sqrt() * fresh[t])
    constant = torch.randn(B, 1, J, 2, generator=random)
    share = _uniform(0, 0.6, (B, 1, 1, 1), random)
    share = torch.where(torch.rand(B, 1, 1, 1, generator=random) < 0.4, 0.0, share)
    return share.sqrt() * constant + (1 - share).sqrt() * torch.stack(walk, dim=1)


def _spells(share: Tensor, T: int, J: int, random: torch.Generator) -> Tensor:
    """Return whether a joint is hit (B, T, J); hits last several frames."""
    coarse = torch.rand(len(share), T // 4 + 2, J, generator=random) < share
    shift = int(torch.randint(4, (), generator=random))
    return coarse.repeat_interleave(4, dim=1)[:, shift : shift + T]


def _outliers(error: Tensor, claimed: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Move some joints far; the estimator notices most of it."""
    B, T, J = error.shape[:3]
    share = _uniform(0, 0.06, (B, 1, 1), random) * (torch.rand(B, 1, 1, generator=random) < 0.5)
    hit = _spells(share, T, J, random)
    limb = torch.zeros(B, T, J, dtype=torch.bool)
    for joints in LIMBS:
        hidden = _spells(torch.full((B, 1, 1), 0.025), T, 1, random)
        limb[..., joints] |= hidden
    hit = hit | limb & ~((claimed[..., 0, 0] == 0).all(dim=1, keepdim=True))
    size = _uniform(0.02, 0.09, (B, T, J), random)
    far = size[..., None] * torch.randn(B, 1, J, 2, generator=random)
    noticed = hit & (torch.rand(B, 1, J, generator=random) < 0.85)
    wide = claimed + size.square()[..., None, None] * torch.eye(2)
    error = torch.where(hit[..., None], error + far, error)
    return error, torch.where(noticed[..., None, None], wide, claimed)


def _score(claimed: Tensor, random: torch.Generator) -> Tensor:
    """Return the probability of lying within the PCK radius, as badly known as in life."""
    variance = claimed.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
    inside = 1 - torch.exp(-(PCK_RADIUS**2) / (2 * variance.clamp(min=1e-8)))
    wobble = torch.exp(-0.1 * torch.randn(inside.shape, generator=random).abs())
    exact = variance == 0
    return torch.where(exact, inside, inside * wobble).clamp(0.02, 1)


def _swap_sides(rays: Tensor, score: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Exchange left and right legs or arms for a while, in few windows."""
    B, T, _ = score.shape
    for left, right in PAIRS:
        swapped = _spells(torch.full((B, 1, 1), 0.01), T, 1, random)  # (B, T, 1)
        both, other = [*left, *right], [*right, *left]
        exchanged, doubt = rays.clone(), score.clone()
        exchanged[:, :, both] = rays[:, :, other]
        doubt[:, :, both] = score[:, :, other] * _uniform(0.3, 1, (B, T, 1), random)
        rays = torch.where(swapped[..., None], exchanged, rays)
        score = torch.where(swapped, doubt, score)
    return rays, score


def _drop(rays: Tensor, score: Tensor, random: torch.Generator) -> Tensor:
    """Lose joints: single ones, the nose, or all beyond a border of the picture."""
    B, T, J = score.shape
    share = 0.1 * torch.rand(B, 1, 1, generator=random)
    share = share * (torch.rand(B, 1, 1, generator=random) < 0.2)
    lost = _spells(share, T, J, random)
    lost[..., NOSE] |= torch.rand(B, 1, generator=random) < NOSELESS
    cut = torch.rand(B, 1, 1, generator=random) < 0.12
    low, high = rays.amin(dim=(1, 2)), rays.amax(dim=(1, 2))  # (B, 2)
    axis = torch.randint(2, (B,), generator=random)
    sign = torch.where(torch.rand(B, generator=random) < 0.3, -1.0, 1.0)
    row = torch.arange(B)
    reach = torch.where(sign > 0, high[row, axis], -low[row, axis])
    border = reach - _uniform(0.05, 0.5, (B,), random) * (high - low)[row, axis]
    beyond = sign[:, None, None] * rays.permute(0, 3, 1, 2)[row, axis] > border[:, None, None]
    return torch.where(lost | cut & beyond, 0.0, score)
