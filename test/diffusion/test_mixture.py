from diffpose_ros.diffusion.mixture import fit_mixture, GaussianMixture, shift_forward
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
import torch


def two_clouds(n):
    generator = torch.Generator().manual_seed(0)
    mixture = GaussianMixture(
        torch.tensor([0.3, 0.7], dtype=torch.float64),
        torch.tensor([[-4.0, 0.0], [3.0, 1.0]], dtype=torch.float64),
        torch.tensor([[[1.0, 0], [0.5, 0.5]], [[0.6, 0], [-0.3, 1.2]]], dtype=torch.float64),
    )
    component = torch.multinomial(mixture.pi, n, replacement=True, generator=generator)
    mean, deviation = mixture.sample(
        component, torch.randn(n, 2, generator=generator, dtype=torch.float64)
    )
    return mixture, mean + deviation


def log_likelihood(mixture, x):
    return mixture.log_joint(x).logsumexp(dim=1)


def test_likelihood_equals_that_of_scipy():
    mixture, x = two_clouds(50)
    parts = [
        np.log(pi) + multivariate_normal(mu, L @ L.T).logpdf(x)
        for pi, mu, L in zip(
            mixture.pi.numpy(), mixture.mu.numpy(), mixture.L.numpy(), strict=True
        )
    ]
    np.testing.assert_allclose(log_likelihood(mixture, x), logsumexp(parts, axis=0))


def test_fit_finds_the_clouds_that_the_samples_came_from():
    mixture, x = two_clouds(4000)
    fitted = fit_mixture(x, 2, torch.Generator().manual_seed(1))
    order = fitted.mu[:, 0].argsort()
    torch.testing.assert_close(fitted.pi[order], mixture.pi, atol=0.03, rtol=0)
    torch.testing.assert_close(fitted.mu[order], mixture.mu, atol=0.1, rtol=0)
    covariance = fitted.L @ fitted.L.transpose(1, 2)
    expected = mixture.L @ mixture.L.transpose(1, 2)
    torch.testing.assert_close(covariance[order], expected, atol=0.15, rtol=0)


def test_every_round_of_the_fit_raises_the_likelihood():
    _, x = two_clouds(500)
    scores = [
        float(log_likelihood(fit_mixture(x, 3, torch.Generator().manual_seed(2), n), x).mean())
        for n in (0, 1, 3, 10, 30)
    ]
    assert scores == sorted(scores)


def test_samples_of_a_component_have_its_mean_and_covariance():
    mixture, _ = two_clouds(1)
    z = torch.randn(20000, 2, dtype=torch.float64)
    mean, deviation = mixture.sample(torch.ones(20000, dtype=torch.long), z)
    assert mean[0].tolist() == [3.0, 1.0]
    expected = mixture.L[1] @ mixture.L[1].T
    torch.testing.assert_close(torch.cov(deviation.T), expected, atol=0.05, rtol=0)


@pytest.mark.parametrize(('alpha', 'expected'), [(1.0, 5.0), (0.0, 1.5)])
def test_shifted_forward_process_goes_from_the_pose_to_the_mixture(alpha, expected):
    h = shift_forward(
        torch.tensor([5.0]), torch.tensor([1.0]), torch.tensor([0.5]), torch.tensor(alpha)
    )
    assert h.item() == pytest.approx(expected)


def test_single_gaussian_has_the_mean_and_covariance_of_the_mixture():
    mixture, x = two_clouds(200_000)
    gaussian = mixture.as_gaussian()
    (mu,), (L,) = gaussian.mu, gaussian.L
    np.testing.assert_allclose(mu, x.mean(dim=0), atol=0.05)
    np.testing.assert_allclose(L @ L.T, np.cov(x.T.numpy()), atol=0.1)
