"""Joints as heatmaps and back: encode and decode are each other's inverse."""

import torch
from torch import Tensor

HEAT_STRIDE = 4  # crop pixels per heatmap pixel
SIGMA_SHARE = 1 / 24  # sigma of a joint's Gaussian, share of the heatmap's rows
MEAN_SHIFTS = 3  # 5 would be 0.04 crop pixels nearer at the border, and right no more often
EMPTY = 1e-9  # sums below this tell nothing
FLOOR = 0.05  # heat below this is background to the covariance
LEAST = 0.25  # variance of half a heatmap pixel, the floor of what can be read


def encode(xy: Tensor, rows: int, columns: int) -> Tensor:
    """
    Draw each joint as a Gaussian of peak 1.

    xy       (B, J, 2)              crop pixels, pixel centres at integers
    returns  (B, J, rows, columns)  heatmaps, HEAT_STRIDE times smaller than the crop
    """
    return _draw((xy + 0.5) / HEAT_STRIDE - 0.5, rows, columns)


def decode(heat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """
    Read mean, covariance and peak of each joint.

    heat     (B, J, rows, columns)  heatmaps, about 0 to 1
    returns  xy (B, J, 2) crop pixels; covariance (B, J, 2, 2) crop pixels squared; peak (B, J)
    """
    each = heat.flatten(0, 1).clamp(min=0)
    places = Places(each)
    xy, peak = _find(each, places)
    covariance = _spread(each, places, xy, SIGMA_SHARE * heat.shape[2])
    found = (xy + 0.5) * HEAT_STRIDE - 0.5, covariance * HEAT_STRIDE**2, peak.clamp(max=1)
    of_xy, of_covariance, of_peak = (x.unflatten(0, heat.shape[:2]) for x in found)
    return of_xy, of_covariance, of_peak


def project(heat: Tensor) -> Tensor:
    """
    Return the clean heatmaps nearest to an answer: one Gaussian of peak 1 where the peak is.

    An answer to much noise is a mean over many places, weak and wide; fed back as it is, it would
    tell the next step hardly anything. Like the clamping of Diffusion-LM (Li et al. 2022).

    heat     (B, J, rows, columns)
    returns  (B, J, rows, columns)
    """
    each = heat.flatten(0, 1).clamp(min=0)
    xy, _ = _find(each, Places(each))
    return _draw(xy, *heat.shape[2:]).unflatten(0, heat.shape[:2])


def _draw(xy: Tensor, rows: int, columns: int) -> Tensor:
    """Return a Gaussian (..., rows, columns) of peak 1 at each point (..., 2), heatmap pixels."""
    sigma = SIGMA_SHARE * rows
    x, y = _bell(xy[..., 0], columns, sigma), _bell(xy[..., 1], rows, sigma)
    return x[..., None, :] * y[..., :, None]


def _bell(center: Tensor, count: int, sigma: float) -> Tensor:
    grid = torch.arange(count, device=center.device, dtype=center.dtype)
    return torch.exp((grid - center[..., None]).square() * (-0.5 / sigma**2))


class Places:
    """
    The columns and then the rows of N heatmaps (N, rows, columns) along one axis of P places.

    at    (P,)  where a place lies on its axis, heatmap pixels
    axis  (P,)  0 for columns, 1 for rows
    """

    def __init__(self, heat: Tensor) -> None:
        _, rows, columns = heat.shape
        self._sizes = columns, rows
        place = torch.arange(columns + rows, device=heat.device)
        self.axis = (place >= columns).long()
        self.at = (place - columns * self.axis).to(heat)

    def beyond(self, xy: Tensor) -> Tensor:
        """Return how far the places lie beyond points (N, 2): (N, P)."""
        return self.at - xy.index_select(1, self.axis)

    def sums(self, heat: Tensor, weights: Tensor) -> Tensor:
        """Return the sums (N, K, K) of heat under K weights (N, K, P) of its rows and columns."""
        of_columns, of_rows = weights.split(self._sizes, dim=2)
        return of_rows @ heat @ of_columns.mT


def _find(heat: Tensor, places: Places) -> tuple[Tensor, Tensor]:
    """Return where N joints are (N, 2), heatmap pixels, and how high their peaks (N,)."""
    _, rows, columns = heat.shape
    peak, best = heat.flatten(1).max(dim=1)
    start = torch.stack([best % columns, best // columns], dim=1).to(heat)
    xy, shift = start, MeanShift(heat, places, SIGMA_SHARE * rows)
    for _ in range(MEAN_SHIFTS):
        xy = shift(xy)
    return torch.where(peak[:, None] < EMPTY, start, xy), peak


class MeanShift:
    """
    Moves points towards the joints near them.

    It compares the mean under a window with the mean that a joint at the point would have there
    (which is not the point near the border); a Gaussian moves it half as far as it moves: hence
    twice.
    """

    def __init__(self, heat: Tensor, places: Places, sigma: float) -> None:
        self._heat, self._places = heat, places
        at, axis = places.at, places.axis
        axes = torch.stack([1 - axis, axis], dim=1).to(heat)  # (P, 2)
        self._powers = torch.stack([torch.ones_like(at), at])
        self._sums = torch.cat([axes, axes * at[:, None]], dim=1)  # (P, 4)
        self._first, self._last = -0.5 * torch.ones_like(axes[0]), axes.sum(dim=0) - 0.5
        self._sharpness = -0.5 / sigma**2

    def __call__(self, xy: Tensor) -> Tensor:
        """Return the points (N, 2) moved, heatmap pixels."""
        bell = torch.exp(self._places.beyond(xy).square() * self._sharpness)
        # mass, moments along x and y
        seen = self._places.sums(self._heat, bell[:, None] * self._powers).flatten(1)[:, :3]
        own = bell.square() @ self._sums
        seen_mean = seen[:, 1:] / seen[:, :1].clamp(min=EMPTY)
        moved = torch.add(xy, seen_mean - own[:, 2:] / own[:, :2], alpha=2)
        return moved.clamp(self._first, self._last)


def _spread(heat: Tensor, places: Places, xy: Tensor, sigma: float) -> Tensor:
    # Second moments about the decoded point, less the Gaussian that encode itself draws.
    mass = (heat - FLOOR).clamp(min=0)
    distance = places.beyond(xy)
    powers = torch.stack([torch.ones_like(distance), distance, distance.square()], dim=1)
    moments = places.sums(mass, powers)  # (N, 3, 3)
    total = moments[:, :1, :1].clamp(min=1e-6)
    xx, xy_, yy = moments[:, 0, 2], moments[:, 1, 1], moments[:, 2, 0]
    second = torch.stack([xx, xy_, xy_, yy], dim=1).unflatten(1, (2, 2)) / total
    return _positive(second, sigma**2)


def _positive(second: Tensor, own: float) -> Tensor:
    """Return second (N, 2, 2) less own in all directions, but at least LEAST in any."""
    half = torch.eye(2, dtype=second.dtype, device=second.device) / 2
    middle = (second * half).sum(dim=(1, 2), keepdim=True)  # of the two eigenvalues
    tilt = second - 2 * middle * half  # its eigenvalues are plus and minus radius
    radius = (tilt.square().sum(dim=(1, 2), keepdim=True) / 2).sqrt()
    high, low = (middle - own + radius).clamp(min=LEAST), (middle - own - radius).clamp(min=LEAST)
    return (high + low) * half + (high - low) / (2 * radius).clamp(min=EMPTY) * tilt
