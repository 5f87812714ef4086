from dataclasses import asdict

from diffpose_ros.core.checkpoint import load_checkpoint, save_checkpoint
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.video2d.calibration import Calibration
from diffpose_ros.video2d.estimator import MAX_ENSEMBLES, VideoEstimator
from diffpose_ros.video2d.heatmap import decode
from diffpose_ros.video2d.views import VIEWS
import numpy as np
import pytest
import torch

CPU = torch.device('cpu')
CLOSE = {'atol': 2e-3, 'rtol': 1e-3}


@pytest.fixture
def estimator(small_network) -> VideoEstimator:
    return VideoEstimator(small_network, Calibration.plain(15), CPU)


def windows(count: int, views: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    features = torch.randn(count, 5, views, 24, 4, 3)
    present = torch.tensor([[False, True, True, False, False]]).expand(count, -1)
    return features, present


def test_a_batch_gives_means_covariances_and_scores_of_all_joints(estimator):
    crops = np.random.default_rng(0).integers(0, 256, (5, 64, 48, 3), np.uint8)
    features = estimator.features(crops, views=1)
    pose = estimator.estimate(features[None], torch.ones(1, 5) > 0, steps=1, ensembles=1)
    assert pose.xy.shape == (1, 15, 2)
    assert pose.covariance.shape == (1, 15, 2, 2)
    assert pose.score.shape == (1, 15)
    assert pose.xy.dtype == pose.score.dtype == np.float64
    assert ((pose.score >= 0) & (pose.score <= 1)).all()


def test_crops_of_a_wrong_size_are_refused_with_the_right_one(estimator):
    with pytest.raises(ValueError, match=r'64, 48, 3'):
        estimator.features(np.zeros((1, 48, 64, 3), np.uint8), views=1)


@pytest.mark.parametrize('ensembles', [0, MAX_ENSEMBLES + 1])
def test_too_many_noise_sets_are_refused(estimator, ensembles):
    with pytest.raises(ValueError, match=f'between 1 and {MAX_ENSEMBLES}'):
        estimator.estimate(*windows(1), steps=1, ensembles=ensembles)


def test_results_do_not_depend_on_the_company_in_the_batch(estimator):
    features, present = windows(3, views=2)
    together = estimator.estimate(features, present, steps=2, ensembles=2)
    alone = estimator.estimate(features[1:2], present[1:2], steps=2, ensembles=2)
    np.testing.assert_allclose(together.xy[1], alone.xy[0], **CLOSE)
    np.testing.assert_allclose(together.score[1], alone.score[0], **CLOSE)


def test_the_same_input_gives_the_same_result_in_a_new_estimator(small_network, estimator):
    twin = VideoEstimator(small_network, Calibration.plain(15), CPU)
    window = windows(1, views=2)
    first, second = (e.estimate(*window, steps=2, ensembles=2) for e in (estimator, twin))
    np.testing.assert_array_equal(first.xy, second.xy)


def test_half_as_long_numbers_give_nearly_the_same(small_network, estimator):
    shorter = VideoEstimator(small_network, Calibration.plain(15), CPU, torch.bfloat16)
    crops = np.random.default_rng(0).integers(0, 256, (5, 64, 48, 3), np.uint8)
    first, second = (
        e.heatmaps(e.features(crops, views=2)[None], torch.ones(1, 5) > 0, 2, 2)
        for e in (estimator, shorter)
    )
    assert second.dtype == torch.float32
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, second, atol=0.02, rtol=0)


def test_another_seed_gives_another_draw(small_network, estimator):
    other = VideoEstimator(small_network, Calibration.plain(15), CPU, seed=1)
    window = windows(1)
    first, second = (e.heatmaps(*window, 1, 1) for e in (estimator, other))
    assert not torch.allclose(first, second, atol=1e-5)


def test_one_step_is_the_network_s_answer_to_pure_noise(small_network, estimator):
    features, present = windows(1)
    noise = torch.randn(32, 15, 16, 12, generator=torch.Generator().manual_seed(0))[:1]
    F = small_network.strl(features[:, :, 0], present)
    T = small_network.config.diffusion_steps
    expected = small_network(noise, F, torch.tensor([T - 1])).clamp(0, 1)
    torch.testing.assert_close(estimator.heatmaps(features, present, 1, 1), expected, **CLOSE)


def test_an_ensemble_is_the_mean_heatmap_of_noise_sets_that_look_at_views(
    small_network, estimator
):
    features, present = windows(2, views=4)
    noise = torch.randn(16, 15, 16, 12, generator=torch.Generator().manual_seed(0))
    t = torch.full((2,), small_network.config.diffusion_steps - 1)

    def answer(view, eps):
        F = small_network.strl(features[:, :, view], present)
        return small_network(eps.expand(2, -1, -1, -1), F, t).clamp(0, 1)

    eps = noise[[0, 1, 1, 0, 2]]  # the first and the fourth are mirror images, so are the others
    sets = [VIEWS[n % 4].back(answer(n % 4, eps[n]), POSETRACK_15) for n in range(5)]
    expected = torch.stack(sets).mean(dim=0)
    found = estimator.heatmaps(features, present, 1, 5)
    torch.testing.assert_close(found, expected, **CLOSE)
    pose = estimator.estimate(features, present, 1, 5)
    np.testing.assert_allclose(pose.xy, decode(expected)[0].numpy(), atol=0.05)


@pytest.mark.parametrize(('steps', 'ensembles'), [(1, 4), (3, 8)])
def test_all_views_together_treat_left_and_right_alike(estimator, steps, ensembles):
    crop = np.random.default_rng(0).integers(0, 256, (1, 64, 48, 3), np.uint8)
    present = torch.tensor([[False, False, True, False, False]])

    def heatmaps(crop):
        features = estimator.features(np.ascontiguousarray(crop), len(VIEWS))
        window = features[:, None].repeat(1, 5, 1, 1, 1, 1)
        return estimator.heatmaps(window, present, steps, ensembles)

    of_the_mirrored = heatmaps(crop[:, :, ::-1])
    expected = heatmaps(crop).flip(3)[:, POSETRACK_15.mirror]
    torch.testing.assert_close(of_the_mirrored, expected, **CLOSE)


def test_more_steps_refine_what_one_step_said(estimator):
    window = windows(1)
    one, four = estimator.heatmaps(*window, 1, 1), estimator.heatmaps(*window, 4, 1)
    assert not torch.allclose(one, four, atol=1e-5)


def test_a_checkpoint_brings_back_the_same_estimator(small_network, estimator, tmp_path):
    config = small_network.config
    stored = {'calibration': Calibration.plain(15).to_dict(config.joints)}
    save_checkpoint(tmp_path / 'm', 'pose2d', asdict(config), small_network.state_dict(), stored)
    checkpoint = load_checkpoint(str(tmp_path / 'm.safetensors'), 'pose2d')
    loaded = VideoEstimator.from_checkpoint(checkpoint, CPU)
    window = windows(1)
    assert loaded.crop_size == (48, 64)
    assert (loaded.past, loaded.future) == (2, 2)
    torch.testing.assert_close(loaded.heatmaps(*window, 1, 1), estimator.heatmaps(*window, 1, 1))
