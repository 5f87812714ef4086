"""Shares of a Gaussian, with SciPy as the judge."""

from diffpose_ros.core.gaussian import shares_within, squared_radius
import numpy as np
import pytest
from scipy.stats import chi2, multivariate_normal


@pytest.mark.parametrize('dimensions', [2, 3])
@pytest.mark.parametrize('share', [0.02, 0.5, 0.9, 0.98])
def test_the_radius_of_a_share_is_the_quantile_of_the_chi_square_distribution(share, dimensions):
    assert squared_radius(share, dimensions) == pytest.approx(chi2(dimensions).ppf(share))


def test_as_many_errors_lie_in_an_ellipse_as_it_claims():
    covariance = np.array([[9.0, 4.0], [4.0, 16.0]])
    error = multivariate_normal(cov=covariance).rvs(20000, random_state=0)
    shares = shares_within(error, np.broadcast_to(covariance, (20000, 2, 2)))
    for percent in (50, 68, 90, 95):
        assert shares[f'coverage_{percent}'] == pytest.approx(percent / 100, abs=0.01)
    tight = shares_within(error, np.broadcast_to(covariance / 4, (20000, 2, 2)))
    assert tight['coverage_90'] == pytest.approx(chi2(2).cdf(chi2(2).ppf(0.9) / 4), abs=0.01)
