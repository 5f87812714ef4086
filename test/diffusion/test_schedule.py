from itertools import pairwise
import math

from diffpose_ros.diffusion.schedule import DiffusionSchedule, sample
import pytest
import torch

SCHEDULE = DiffusionSchedule.cosine(50)


@pytest.mark.parametrize('n', [1, 2, 50])
def test_a_perfect_denoiser_recovers_the_truth_in_any_number_of_steps(n):
    truth = torch.randn(2, 17, 3)
    result = sample(lambda x_t, t: truth, torch.randn(2, 17, 3), SCHEDULE, SCHEDULE.steps(n))
    torch.testing.assert_close(result, truth)


def test_cosine_schedule_equals_its_formula():
    def f(t):
        return math.cos((t / 50 + 0.008) / 1.008 * math.pi / 2) ** 2

    expected = [f(t + 1) / f(0) for t in range(49)]
    torch.testing.assert_close(
        SCHEDULE.alpha_bar[:49], torch.tensor(expected, dtype=torch.float64)
    )
    assert SCHEDULE.alpha_bar[49] < 1e-3
    assert SCHEDULE.alpha_bar[-1] == 1


def test_noise_has_the_variance_that_the_schedule_says():
    t = torch.full((20000,), 30)
    noisy = SCHEDULE.add_noise(torch.zeros(20000, 1), t, torch.randn(20000, 1))
    assert noisy.var().item() == pytest.approx(1 - SCHEDULE.alpha_bar[30].item(), rel=0.05)


def test_noise_of_a_known_value_gives_the_value_back():
    x_0, eps = torch.randn(3, 4), torch.randn(3, 4)
    noisy = SCHEDULE.add_noise(x_0, torch.full((3,), 20), eps)
    torch.testing.assert_close(SCHEDULE.predict_x_0(noisy, eps, 20), x_0)


def test_deterministic_sampling_of_a_gaussian_gives_its_deviation():
    deviation = 0.3

    def posterior_mean(x_t, t):
        a = float(SCHEDULE.alpha_bar[t])
        return math.sqrt(a) * deviation**2 / (a * deviation**2 + 1 - a) * x_t

    out = sample(posterior_mean, torch.randn(20000, 1), SCHEDULE, SCHEDULE.steps(50))
    assert out.std().item() == pytest.approx(deviation, rel=0.1)


def test_strided_steps_may_hold_one_more_than_asked():
    assert SCHEDULE.strided_steps(5, 24)[0] == (20, 16)
    assert len(SCHEDULE.strided_steps(5, 24)) == 6


@pytest.mark.parametrize('n', [1, 3, 7])
def test_steps_lead_from_the_last_to_the_clean_one(n):
    steps = SCHEDULE.steps(n)
    assert len(steps) == n
    assert (steps[0][0], steps[-1][1]) == (49, -1)
    assert all(a[1] == b[0] for a, b in pairwise(steps))
