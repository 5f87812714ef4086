"""Joints as heatmaps and back: encode and decode are each other's inverse."""

import torch
from torch import Tensor

HEAT_STRIDE = 4  # crop pixels per heatmap pixel
SIGMA_SHARE = 1 / 24  # sigma of a joint's Gaussian, share of the heatmap's rows
MEAN_SHIFTS = 5
EMPTY = 1e-9  # sums below this tell nothing
FLOOR = 0.05  # heat below this is background to the covariance


def encode(xy: Tensor, rows: int, columns: int) -> Tensor:
    """
    Draw each joint as a Gaussian of peak 1.

    xy       (B, J, 2)              crop pixels, pixel centres at integers
    returns  (B, J, rows, columns)  heatmaps, HEAT_STRIDE times smaller than the crop
    """
    x, y = ((xy + 0.5) / HEAT_STRIDE - 0.5).unbind(-1)  # (B, J)
    sigma = SIGMA_SHARE * rows
    return _bell(x, columns, sigma)[:, :, None, :] * _bell(y, rows, sigma)[:, :, :, None]


def decode(heat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """
    Read mean, covariance and peak of each joint.

    heat     (B, J, rows, columns)  heatmaps, about 0 to 1
    returns  xy (B, J, 2) crop pixels; covariance (B, J, 2, 2) crop pixels squared; peak (B, J)
    """
    positive = heat.clamp(min=0)
    xy = _find(positive)
    covariance = _spread(positive, xy, SIGMA_SHARE * heat.shape[2])
    peak = positive.amax(dim=(2, 3)).clamp(max=1)
    return (xy + 0.5) * HEAT_STRIDE - 0.5, covariance * HEAT_STRIDE**2, peak


def project(heat: Tensor) -> Tensor:
    """
    Return the clean heatmaps nearest to an answer: one Gaussian of peak 1 where the peak is.

    An answer to much noise is a mean over many places, weak and wide; fed back as it is, it would
    tell the next step hardly anything. Like the clamping of Diffusion-LM (Li et al. 2022).

    heat     (B, J, rows, columns)
    returns  (B, J, rows, columns)
    """
    xy = _find(heat.clamp(min=0))
    return encode((xy + 0.5) * HEAT_STRIDE - 0.5, *heat.shape[2:])


def _find(heat: Tensor) -> Tensor:
    """Return where the joints are (B, J, 2), heatmap pixels."""
    rows, columns = heat.shape[2:]
    best = heat.flatten(2).argmax(dim=2)
    xy = torch.stack([best % columns, best // columns], dim=-1).to(heat)
    lying = heat.mT.contiguous()  # rows times matrices are faster than matrices times columns
    last = torch.tensor([columns, rows]).to(heat) - 0.5
    for _ in range(MEAN_SHIFTS):
        shifted = _mean_shift(heat, lying, xy, SIGMA_SHARE * rows).clamp(min=-0.5)
        xy = torch.minimum(shifted, last)
    return xy


def _bell(center: Tensor, count: int, sigma: float) -> Tensor:
    grid = torch.arange(count, device=center.device, dtype=center.dtype)
    return torch.exp((grid - center[..., None]).square() * (-0.5 / sigma**2))


def _mean_shift(heat: Tensor, lying: Tensor, xy: Tensor, sigma: float) -> Tensor:
    # Compares the mean under a window with the mean that a joint at xy would have there (which
    # is not xy near the border); a Gaussian moves it half as far as it moves: hence twice.
    along_x = _bell(xy[..., 0], heat.shape[3], sigma)
    along_y = _bell(xy[..., 1], heat.shape[2], sigma)
    window_x = (along_y[:, :, None] @ heat)[:, :, 0] * along_x  # (B, J, columns)
    window_y = (along_x[:, :, None] @ lying)[:, :, 0] * along_y  # (B, J, rows)
    mass, x, expected_x = _means(window_x, along_x)
    _, y, expected_y = _means(window_y, along_y)
    shift = 2 * torch.stack([x - expected_x, y - expected_y], dim=-1)
    return torch.where(mass[..., None] < EMPTY, xy, xy + shift)


def _means(window: Tensor, bell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sum of window, its mean position and that of bell squared, (B, J) each."""
    grid = torch.arange(bell.shape[-1], device=bell.device, dtype=bell.dtype)
    weights = torch.stack([window, bell.square()])
    sums, moments = (weights @ torch.stack([torch.ones_like(grid), grid], dim=1)).unbind(-1)
    seen, expected = moments / sums.clamp(min=EMPTY)
    return sums[0], seen, expected


def _spread(heat: Tensor, xy: Tensor, sigma: float) -> Tensor:
    # Second moments about the decoded point, less the Gaussian that encode itself draws.
    rows, columns = heat.shape[2:]
    mass = (heat - FLOOR).clamp(min=0)
    total = mass.sum(dim=(2, 3)).clamp(min=1e-6)
    dx = torch.arange(columns).to(heat) - xy[..., :1]  # (B, J, columns)
    dy = torch.arange(rows).to(heat) - xy[..., 1:]
    xx = (mass.sum(dim=2) * dx**2).sum(dim=2) / total
    yy = (mass.sum(dim=3) * dy**2).sum(dim=2) / total
    cross = ((dy[:, :, None] @ mass)[:, :, 0] * dx).sum(dim=2) / total
    moments = torch.stack([torch.stack([xx, cross], -1), torch.stack([cross, yy], -1)], -1)
    least = 0.25 * torch.eye(2).to(heat)  # half a heatmap pixel: the floor of what can be read
    return _positive(moments - sigma**2 * torch.eye(2).to(heat), least)


def _positive(covariance: Tensor, least: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag_embed(values.clamp(min=float(least[0, 0]))) @ vectors.mT
