"""The noise of few hypotheses: steady means, and as wide as the mixture."""

from diffpose_ros.diffusion.mixture import GaussianMixture
from diffpose_ros.lift3d.model import BODY, JOINTS
from diffpose_ros.lift3d.start import start_noise, start_of
import pytest
import torch

D = 3 * (JOINTS - 1)


@pytest.fixture
def mixture():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(3, D, D, generator=generator) / D**0.5
    covariance = root @ root.mT + 0.1 * torch.eye(D)
    mu = torch.randn(3, D, generator=generator)
    pi = torch.tensor([0.5, 0.3, 0.2])
    return GaussianMixture(pi, mu, torch.linalg.cholesky(covariance))


def starts(mixture, N, seed=0):
    component, z = start_noise(mixture, N, seed)
    mean, deviation = mixture.sample(component, z[:, BODY, 2:].flatten(1))
    return mean + deviation


@pytest.mark.parametrize('N', [1, 2, 5, 20])
def test_the_mean_of_any_number_of_starts_is_the_mean_of_the_mixture(mixture, N):
    mean = starts(mixture, N).mean(dim=0)
    torch.testing.assert_close(mean, mixture.pi @ mixture.mu, atol=1e-5, rtol=0)


def test_many_starts_are_as_wide_as_the_mixture(mixture):
    whole = mixture.as_gaussian()
    found = starts(mixture, 4000).T.cov()
    torch.testing.assert_close(
        found.trace(), (whole.L[0] @ whole.L[0].T).trace(), rtol=0.03, atol=0
    )


def test_another_seed_gives_other_starts(mixture):
    assert not torch.allclose(starts(mixture, 5), starts(mixture, 5, seed=1))


def test_a_start_without_noise_is_a_point(mixture):
    point = start_of(mixture, 'point')
    torch.testing.assert_close(starts(point, 5).std(dim=0), torch.zeros(D))
