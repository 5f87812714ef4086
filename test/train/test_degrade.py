from diffpose_ros.train.degrade import recoloured
import numpy as np

IMAGE = np.random.default_rng(0).integers(40, 216, (24, 32, 3), np.uint8)


def draws(strength: float, count: int = 300) -> list[np.ndarray]:
    return [recoloured(IMAGE, np.random.default_rng(seed), strength) for seed in range(count)]


def test_without_strength_a_picture_stays_as_it_is():
    assert all(np.abs(shown.astype(int) - IMAGE).max() <= 1 for shown in draws(0.0, 20))


def test_a_quarter_of_the_pictures_is_grey():
    grey = [(np.ptp(shown, axis=2) == 0).all() for shown in draws(1.0)]
    assert 0.18 < np.mean(grey) < 0.32


def test_pictures_are_dark_and_overexposed_as_well():
    means = [shown.mean() / IMAGE.mean() for shown in draws(1.0)]
    assert min(means) < 0.35
    assert max(means) > 1.8
    white = [(shown == 255).mean() for shown in draws(1.0)]
    assert max(white) > 0.5
