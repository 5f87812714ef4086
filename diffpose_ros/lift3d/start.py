"""The noise that hypotheses start from: drawn once, the same for every person and frame."""

from dataclasses import replace

from diffpose_ros.diffusion.mixture import GaussianMixture
from diffpose_ros.lift3d.context import STATE
from diffpose_ros.lift3d.model import BODY, JOINTS
import torch
from torch import Tensor

STARTS = ('mixture', 'gaussian', 'point')


def start_of(mixture: GaussianMixture, name: str) -> GaussianMixture:
    """
    Return the distribution that hypotheses begin from.

    mixture   as fitted, the one that the denoiser was trained with
    gaussian  the single Gaussian of the same mean and covariance: the denoiser has seen noise of
              this size, so no training is needed; one trained so has components = 1
    point     no noise in x, y, z: the mean; as the published code begins

    A standard normal start that knows nothing of the pose cannot be switched to: the noise would
    be ten times what the denoiser has seen. Nor can f_ST be taken away from it; training can
    leave it out, see LiftModelConfig.
    """
    if name == 'mixture':
        return mixture
    gaussian = mixture.as_gaussian()
    return gaussian if name == 'gaussian' else replace(gaussian, L=0 * gaussian.L)


def start_noise(mixture: GaussianMixture, N: int, seed: int) -> tuple[Tensor, Tensor]:
    """
    Return components (N,) and unit noise (N, J, 5) of N hypotheses.

    Components are spread evenly over the weights. The noise keeps its deviation, and the starts
    it makes have the mean of the mixture, so the mean of few hypotheses is steady; a single one
    starts at that mean.
    """
    generator = torch.Generator().manual_seed(seed)
    order = mixture.pi.cpu().argsort(descending=True)
    level = (torch.arange(N) + 0.5) / N
    rank = torch.searchsorted(mixture.pi.cpu()[order].cumsum(dim=0), level)
    component = order[rank.clamp(max=len(order) - 1)].to(mixture.pi.device)
    z = torch.randn(N, JOINTS, STATE, generator=generator)
    z = (z - z.mean(dim=0)) * (N / max(1, N - 1)) ** 0.5
    return component, centred(mixture, component, z.to(mixture.pi.device))


def centred(mixture: GaussianMixture, component: Tensor, z: Tensor) -> Tensor:
    """Return the noise moved so that the mean of its starts is the mean of the mixture."""
    if not mixture.L.any():  # a point
        return z
    body = z[:, BODY, 2:].flatten(1)
    mean, deviation = mixture.sample(component, body)
    missing = mixture.pi @ mixture.mu - (mean + deviation).mean(dim=0)
    wanted = missing.expand_as(body).unsqueeze(-1)
    more = torch.linalg.solve_triangular(mixture.L[component], wanted, upper=False)[..., 0]
    z = z.clone()
    z[:, BODY, 2:] = (body + more).unflatten(1, (JOINTS - 1, 3))
    return z
