"""Joints as heatmaps and back: encode and decode are each other's inverse."""

import torch
from torch import Tensor
from torch.nn import functional

HEAT_STRIDE = 4  # crop pixels per heatmap pixel
SIGMA_SHARE = 1 / 24  # sigma of a joint's Gaussian, share of the heatmap's rows
MEAN_SHIFTS = 5
EMPTY = 1e-9  # sums below this tell nothing
FLOOR = 0.05  # heat below this is background to the covariance
LEAST = 0.25  # variance of half a heatmap pixel, the floor of what can be read


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
    xy, peak = _find(positive)
    covariance = _spread(positive, xy, SIGMA_SHARE * heat.shape[2])
    return (xy + 0.5) * HEAT_STRIDE - 0.5, covariance * HEAT_STRIDE**2, peak.clamp(max=1)


def project(heat: Tensor) -> Tensor:
    """
    Return the clean heatmaps nearest to an answer: one Gaussian of peak 1 where the peak is.

    An answer to much noise is a mean over many places, weak and wide; fed back as it is, it would
    tell the next step hardly anything. Like the clamping of Diffusion-LM (Li et al. 2022).

    heat     (B, J, rows, columns)
    returns  (B, J, rows, columns)
    """
    xy, _ = _find(heat.clamp(min=0))
    return encode((xy + 0.5) * HEAT_STRIDE - 0.5, *heat.shape[2:])


def _bell(center: Tensor, count: int, sigma: float) -> Tensor:
    grid = torch.arange(count, device=center.device, dtype=center.dtype)
    return torch.exp((grid - center[..., None]).square() * (-0.5 / sigma**2))


def _find(heat: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the joints are (B, J, 2), heatmap pixels, and how high their peaks (B, J)."""
    rows, columns = heat.shape[2:]
    peak, best = heat.flatten(2).max(dim=2)
    start = torch.stack([best % columns, best // columns], dim=-1).to(heat)
    xy, shift = start, MeanShift(heat, SIGMA_SHARE * rows)
    for _ in range(MEAN_SHIFTS):
        xy = shift(xy)
    return torch.where(peak[..., None] < EMPTY, start, xy), peak


class MeanShift:
    """
    Moves points towards the joints near them.

    It compares the mean under a window with the mean that a joint at the point would have there
    (which is not the point near the border); a Gaussian moves it half as far as it moves: hence
    twice. The columns and then the rows lie along one axis of columns + rows.
    """

    def __init__(self, heat: Tensor, sigma: float) -> None:
        self._sizes = heat.shape[3], heat.shape[2]
        # rows times matrices are faster than matrices times columns
        self._heat, self._lying = heat, heat.mT.contiguous()
        place = torch.arange(sum(self._sizes), device=heat.device)
        self._axis = (place >= heat.shape[3]).long()  # 0 for columns, 1 for rows
        self._grid = (place - heat.shape[3] * self._axis).to(heat)
        belongs = functional.one_hot(self._axis, 2).to(heat)
        self._sums = torch.cat([belongs, belongs * self._grid[:, None]], dim=1)
        self._last = belongs.sum(dim=0) - 0.5
        self._sharpness = -0.5 / sigma**2

    def __call__(self, xy: Tensor) -> Tensor:
        """Return the points (B, J, 2) moved, heatmap pixels."""
        bell = torch.exp((self._grid - xy[..., self._axis]).square() * self._sharpness)
        along_x, along_y = bell[:, :, None].split(self._sizes, dim=3)
        window = torch.cat([along_y @ self._heat, along_x @ self._lying], dim=3)[:, :, 0] * bell
        mass, moment = (torch.stack([window, bell * bell]) @ self._sums).chunk(2, dim=3)
        seen, expected = moment / mass.clamp(min=EMPTY)
        moved = torch.add(xy, seen - expected, alpha=2).clamp(min=-0.5)
        return torch.minimum(moved, self._last)


def _spread(heat: Tensor, xy: Tensor, sigma: float) -> Tensor:
    # Second moments about the decoded point, less the Gaussian that encode itself draws.
    mass = (heat - FLOOR).clamp(min=0)
    x_powers, y_powers = (
        (torch.arange(count, device=xy.device) - center)[..., None] ** torch.arange(3).to(xy)
        for count, center in ((heat.shape[3], xy[..., :1]), (heat.shape[2], xy[..., 1:]))
    )  # (B, J, columns or rows, 3): 1, distance, its square
    moments = y_powers.mT @ (mass @ x_powers)  # (B, J, 3, 3)
    total = moments[..., :1, :1].clamp(min=1e-6)
    second = moments[..., [0, 1, 1, 2], [2, 1, 1, 0]].unflatten(2, (2, 2)) / total
    return _positive(second, sigma**2)


def _positive(second: Tensor, own: float) -> Tensor:
    """Return second (B, J, 2, 2) less own in all directions, but at least LEAST in any."""
    half = torch.eye(2).to(second) / 2
    middle = (second * half).sum(dim=(2, 3), keepdim=True)  # of the two eigenvalues
    tilt = second - 2 * middle * half  # its eigenvalues are plus and minus radius
    radius = (tilt.square().sum(dim=(2, 3), keepdim=True) / 2).sqrt()
    high, low = (middle - own + radius).clamp(min=LEAST), (middle - own - radius).clamp(min=LEAST)
    return (high + low) * half + (high - low) / (2 * radius).clamp(min=EMPTY) * tilt
