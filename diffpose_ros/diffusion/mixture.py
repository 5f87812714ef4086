"""
Gaussian mixtures and the forward process that drifts towards one (Gong et al. 2023, section 4).

D      dimensions of a sample
M      components of the mixture
pi     (M,)       weights, sum 1
mu     (M, D)     means
L      (M, D, D)  lower Cholesky factors of the covariances, Sigma = L L^T
"""

from dataclasses import dataclass
import math

import torch
from torch import Tensor


@dataclass(frozen=True)
class GaussianMixture:
    """sum_m pi_m N(mu_m, L_m L_m^T)."""

    pi: Tensor
    mu: Tensor
    L: Tensor

    def log_joint(self, x: Tensor) -> Tensor:
        """Return log pi_m N(x | mu_m, Sigma_m), (n, M), for samples x (n, D)."""
        offset = (x[None] - self.mu[:, None]).transpose(1, 2)  # (M, D, n)
        white = torch.linalg.solve_triangular(self.L, offset, upper=False)
        log_det = self.L.diagonal(dim1=1, dim2=2).log().sum(dim=1)  # (M,)
        constant = x.shape[1] / 2 * math.log(2 * math.pi)
        log_normal = -white.square().sum(dim=1) / 2 - log_det[:, None] - constant
        return (log_normal + self.pi.log()[:, None]).T

    def sample(self, component: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return the mean mu_G and the deviation eps_G of the chosen components.

        component  (...,)    which component, drawn from pi
        z          (..., D)  unit noise
        """
        deviation = (self.L[component] @ z.unsqueeze(-1)).squeeze(-1)
        return self.mu[component], deviation

    def as_gaussian(self) -> 'GaussianMixture':
        """Return the one Gaussian of the same mean and covariance."""
        mean = self.pi @ self.mu
        offset = self.mu - mean
        within = torch.einsum('m,mij,mkj->ik', self.pi, self.L, self.L)
        covariance = within + torch.einsum('m,mi,mk->ik', self.pi, offset, offset)
        L = torch.linalg.cholesky(covariance)
        return GaussianMixture(torch.ones_like(self.pi[:1]), mean[None], L[None])


def fit_mixture(
    x: Tensor, M: int, generator: torch.Generator, iterations: int = 50, ridge: float = 1e-6
) -> GaussianMixture:
    """
    Fit a mixture by expectation maximisation, Gong et al. 2023, eq. 7.

    x      (n, D)  samples, on the CPU as the generator is
    ridge  added to the diagonal of every covariance, the unit of x squared
    """
    mixture = _start(x, M, generator, ridge)
    for _ in range(iterations):
        responsibility = mixture.log_joint(x).softmax(dim=1)
        mixture = _maximise(x, responsibility, ridge)
    return mixture


def _start(x: Tensor, M: int, generator: torch.Generator, ridge: float) -> GaussianMixture:
    """Assign every sample to the nearest of M samples that lie far from each other."""
    first = torch.randint(len(x), (1,), generator=generator)
    chosen = x[first]
    for _ in range(M - 1):  # k-means++
        nearest = torch.cdist(x, chosen).amin(dim=1).square()
        pick = torch.multinomial(nearest / nearest.sum(), 1, generator=generator)
        chosen = torch.cat([chosen, x[pick]])
    nearest = torch.cdist(x, chosen).argmin(dim=1)
    return _maximise(x, torch.nn.functional.one_hot(nearest, M).to(x), ridge)


def _maximise(x: Tensor, responsibility: Tensor, ridge: float) -> GaussianMixture:
    count = responsibility.sum(dim=0).clamp(min=1e-9)  # (M,)
    mu = responsibility.T @ x / count[:, None]
    offset = x[None] - mu[:, None]  # (M, n, D)
    weighted = offset * responsibility.T[..., None]
    covariance = offset.transpose(1, 2) @ weighted / count[:, None, None]
    covariance = covariance + ridge * torch.eye(x.shape[1], dtype=x.dtype)
    pi = count / count.sum()
    return GaussianMixture(pi, mu, torch.linalg.cholesky(covariance))


def shift_forward(h_0: Tensor, mu_G: Tensor, eps_G: Tensor, alpha: Tensor) -> Tensor:
    """
    Return h_k of the forward process whose end is N(mu_G, Sigma_G), Gong et al. 2023, eq. 8.

    h_0, mu_G, eps_G  (..., D)  clean value; mean and deviation of the chosen component
    alpha             share of the signal left at step k, broadcast against h_0
    """
    return mu_G + alpha.sqrt() * (h_0 - mu_G) + (1 - alpha).sqrt() * eps_G
