"""
The diffusion process: schedule, forward noise and reverse steps.

alpha_bar[t]  share of the signal that is left at step t, t = 0 .. T-1; alpha_bar[-1] = 1 is clean
x_0, x_t      clean and noisy value
eps           noise of unit variance
eta           0 = deterministic DDIM, 1 = DDPM
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
import math

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, int], Tensor]


class DiffusionSchedule:
    """alpha_bar[t] for t = 0 .. T-1, float64; alpha_bar[-1] = 1 is the clean value."""

    def __init__(self, betas: Tensor) -> None:
        alpha_bar = torch.cumprod(1 - betas.double(), dim=0)
        self.alpha_bar = torch.cat([alpha_bar, alpha_bar.new_ones(1)])  # (T + 1,)

    def __len__(self) -> int:
        """Return T, the number of steps."""
        return len(self.alpha_bar) - 1

    @classmethod
    def cosine(cls, T: int = 1000, s: float = 0.008) -> 'DiffusionSchedule':
        """Nichol & Dhariwal 2021, eq. 17; beta clipped at 0.999 as there."""
        u = torch.linspace(0, 1, T + 1, dtype=torch.float64)
        f = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
        return cls((1 - f[1:] / f[:-1]).clamp(max=0.999))

    @classmethod
    def linear(cls, T: int, beta_start: float, beta_end: float) -> 'DiffusionSchedule':
        """Ho et al. 2020, section 4: betas rise in equal steps."""
        return cls(torch.linspace(beta_start, beta_end, T, dtype=torch.float64))

    def add_noise(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Return x_t, Ho et al. 2020, eq. 4. x_0, eps (B, ...); t (B,) int."""
        a = self._at(t, x_0)
        return a.sqrt() * x_0 + (1 - a).sqrt() * eps

    def predict_x_0(self, x_t: Tensor, eps: Tensor, t: int) -> Tensor:
        """Return the clean value that the noise eps implies, Song et al. 2021, eq. 9."""
        a = float(self.alpha_bar[t])
        return (x_t - math.sqrt(1 - a) * eps) / math.sqrt(a)

    def ddim_step(
        self,
        x_t: Tensor,
        x_0: Tensor,
        t: int,
        t_next: int,
        eta: float = 0.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """
        Return x_{t_next} given the predicted x_0, Song et al. 2021, eq. 12 and 16.

        noise  same shape as x_t, unit variance; needed when eta > 0
        """
        a, a_next = float(self.alpha_bar[t]), float(self.alpha_bar[t_next])
        eps = (x_t - math.sqrt(a) * x_0) / math.sqrt(1 - a)
        sigma = eta * math.sqrt((1 - a / a_next) * (1 - a_next) / (1 - a))
        x_next = math.sqrt(a_next) * x_0 + math.sqrt(1 - a_next - sigma**2) * eps
        return x_next if noise is None else x_next + sigma * noise

    def steps(self, n: int, start: int | None = None) -> list[tuple[int, int]]:
        """Return n pairs (t, t_next), from start (default T-1) down to -1."""
        first = len(self) - 1 if start is None else start
        grid = torch.linspace(first, -1, n + 1).round().int().tolist()
        return list(pairwise(grid))

    def strided_steps(self, n: int, end: int) -> list[tuple[int, int]]:
        """
        Return the pairs (t, t_next) of the released 3D sampler: every (end // n)-th below end.

        There may be more than n pairs where n does not divide end.
        """
        grid = [-1, *range(0, end, end // n)]
        return [(t, t_next) for t_next, t in pairwise(grid)][::-1]

    def _at(self, t: Tensor, x: Tensor) -> Tensor:
        return self.alpha_bar.to(t.device)[t].to(x).view(-1, *[1] * (x.ndim - 1))


@torch.no_grad()
def sample(
    denoise: Denoiser,
    x_T: Tensor,
    schedule: DiffusionSchedule,
    steps: list[tuple[int, int]],
    eta: float = 0.0,
    noise: Sequence[Tensor] | None = None,
) -> Tensor:
    """
    Run DDIM.

    denoise  denoise(x_t, t) returns the predicted x_0, same shape as x_t
    steps    pairs (t, t_next), see DiffusionSchedule.steps
    noise    one tensor per step, shape of x_T, unit variance; needed when eta > 0
    """
    x = x_T
    for i, (t, t_next) in enumerate(steps):
        fresh = noise[i] if noise is not None else None
        x = schedule.ddim_step(x, denoise(x, t), t, t_next, eta, fresh)
    return x
