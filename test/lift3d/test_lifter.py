"""The lifter's contract and the process around its networks, which are small and untrained."""

from dataclasses import asdict, replace

from diffpose_ros.core.checkpoint import load_checkpoint, save_checkpoint
from diffpose_ros.core.gaussian import squared_mahalanobis, squared_radius
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.diffusion.mixture import shift_forward
from diffpose_ros.lift3d.calibration import (
    Calibration,
    fit_missing,
    FLOOR_M,
    hypothesis_covariance,
    shape_covariance,
    SIZE_DEVIATION,
    with_size,
)
from diffpose_ros.lift3d.context import ContextEncoder
from diffpose_ros.lift3d.lifter import Lifter, Window
from diffpose_ros.lift3d.model import in_metres, LiftModel, LiftModelConfig
from diffpose_ros.lift3d.observation import observe
from diffpose_ros.lift3d.start import start_noise
from diffpose_ros.train import lift3d_loss
import numpy as np
import pytest
import torch

SMALL = LiftModelConfig(
    past=4,
    future=4,
    context_channels=8,
    token_channels=16,
    temporal_layers=1,
    frame_layers=1,
    denoiser_channels=8,
    denoiser_layers=1,
)
CPU = torch.device('cpu')
J = len(H36M_17.joints)
FAR = 3.0  # units of the predicted spread between the mixture's means and the encoder's pose


@pytest.fixture
def model():
    model = LiftModel(SMALL)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture
def lifter(model):
    return Lifter(model, Calibration(np.ones(J), np.ones(J)), CPU)


def windows(B=2, seed=0):
    random = np.random.default_rng(seed)
    rays = 0.1 * random.normal(size=(B, 9, J, 2))
    covariance = np.tile(1e-5 * np.eye(2), (B, 9, J, 1, 1))
    return Window(rays, covariance, np.ones((B, 9, J)), np.ones((B, 9), bool))


def test_result_has_the_shapes_of_the_contract_and_its_hip_at_the_origin(lifter):
    pose = lifter.lift(windows(B=3), 2, 5)
    assert pose.hypotheses.shape == (3, 5, J, 3)
    assert pose.covariance.shape == (3, J, 3, 3)
    np.testing.assert_allclose(pose.mean, pose.hypotheses.mean(axis=1))
    np.testing.assert_allclose(pose.hypotheses[:, :, 0], 0, atol=1e-7)
    assert (np.linalg.eigvalsh(pose.covariance) > 0).all()


def test_equal_windows_give_equal_poses_whatever_else_is_in_the_batch(lifter):
    inputs = windows(B=3)
    together = lifter.lift(inputs, 2, 4)
    alone = lifter.lift(Window(*(array[1:2] for array in inputs)), 2, 4)
    np.testing.assert_allclose(together.hypotheses[1], alone.hypotheses[0], atol=1e-5)


def test_seed_decides_the_hypotheses(model):
    calibration = Calibration(np.ones(J), np.ones(J))
    poses = [Lifter(model, calibration, CPU, seed).lift(windows(), 2, 3) for seed in (0, 0, 1)]
    assert np.array_equal(poses[0].hypotheses, poses[1].hypotheses)
    assert not np.allclose(poses[0].hypotheses, poses[2].hypotheses)


def test_absent_slots_and_missing_joints_are_not_looked_at(lifter):
    window = windows()
    window.present[:, 6:] = False
    window.score[:, :, 3] = 0
    expected = lifter.lift(window, 2, 3).mean
    window.rays[:, 6:], window.rays[:, :, 3] = np.nan, 1e9
    window.covariance[:, 6:], window.score[:, 6:] = np.nan, 0.5
    np.testing.assert_allclose(lifter.lift(window, 2, 3).mean, expected)


def test_window_of_one_frame_is_enough(lifter):
    window = windows()
    window.present[:] = False
    window.present[:, 4] = True
    assert np.isfinite(lifter.lift(window, 1, 1).mean).all()


def test_zero_steps_give_the_encoders_pose(lifter, model):
    rays, covariance, score, present = windows()
    told = (torch.tensor(array).float() for array in (rays, covariance, score))
    with torch.no_grad():
        context = model.context(observe(*told, torch.tensor(present), 4))
    expected = context.state[:, None, :, 2:].expand(-1, 3, -1, -1)
    np.testing.assert_allclose(lifter.lift(windows(), 0, 3).hypotheses, expected, atol=1e-6)
    assert expected.abs().max() > 0.01


def test_start_at_a_point_leaves_only_the_2d_noise(model):
    calibration, one = Calibration(np.ones(J), np.ones(J)), windows()
    exact = one._replace(covariance=0 * one.covariance)
    wide, narrow = (
        Lifter(model, calibration, CPU, start=start).lift(exact, 1, 8).hypotheses.std(axis=1)
        for start in ('gaussian', 'point')
    )
    assert narrow[:, 1:].mean() < wide[:, 1:].mean()


@torch.no_grad()
def test_denoiser_without_context_does_not_see_it():
    model = LiftModel(replace(SMALL, context_told=False))
    observation = observe(*(torch.tensor(array).float() for array in windows()), 4)
    context = model.context(replace(observation, present=observation.present.bool()))
    start = model.start(observation, context)
    given = model.given(start, context)
    assert torch.equal(given, model.given(start, replace(context, features=1 + context.features)))


def test_wrong_window_length_is_refused(lifter):
    window = windows()
    with pytest.raises(ValueError, match='rays has shape'):
        lifter.lift(window._replace(rays=window.rays[:, :5]), 1, 1)


def test_window_that_does_not_fit_the_groups_is_refused():
    with pytest.raises(ValueError, match='groups of 3'):
        ContextEncoder(4, 5, 8, 16, 1, 1, 4)


def test_checkpoint_brings_back_the_same_lifter(lifter, model, tmp_path):
    extras = {'calibration': Calibration(np.ones(J), np.ones(J)).to_manifest()}
    path = tmp_path / 'small.safetensors'
    save_checkpoint(path, 'lift3d', asdict(SMALL), model.state_dict(), extras)
    loaded = Lifter.from_checkpoint(load_checkpoint(str(path), 'lift3d'), CPU)
    expected = lifter.lift(windows(), 2, 5)
    assert np.array_equal(loaded.lift(windows(), 2, 5).covariance, expected.covariance)


def test_covariance_of_hypotheses_equals_numpys():
    poses = np.random.default_rng(0).normal(size=(1, 6, J, 3))
    expected = np.cov(poses[0, :, 4].T)
    np.testing.assert_allclose(hypothesis_covariance(poses)[0, 4], expected)


def test_fitted_calibration_covers_nine_of_ten():
    random = np.random.default_rng(0)
    spread = random.uniform(0.03, 0.1, size=(4000, J, 3))
    truth = 1.7 * spread * random.normal(size=spread.shape)
    poses, image = np.zeros((4000, 1, J, 3)), np.zeros((4000, J, 2, 2))
    missing = fit_missing(poses, spread, image, truth)
    np.testing.assert_allclose(missing, 1.7**2, rtol=0.1)
    squared = squared_mahalanobis(truth, shape_covariance(missing, poses, spread, image))
    assert (squared < squared_radius(0.9, 3)).mean() == pytest.approx(0.9, abs=0.005)


def test_covariance_holds_body_size_along_the_joint_and_image_noise_across():
    pose = np.tile([0.0, 0.0, 1.0], (1, 1, J, 1))
    image = np.tile(np.diag([0.04, 0.01]), (1, J, 1, 1))
    claimed = with_size(shape_covariance(np.zeros(J), pose, np.ones((1, J, 3)), image), pose[:, 0])
    expected = np.diag([0.04, 0.01, SIZE_DEVIATION**2]) + FLOOR_M**2 * np.eye(3)
    np.testing.assert_allclose(claimed[0, 5], expected)


@pytest.mark.parametrize(('steps', 'N'), [(1, 1), (1, 5), (2, 1), (2, 4)])
def test_a_pose_alone_has_a_calibration_of_its_own(steps, N):
    calibration = Calibration(np.zeros(J), np.ones(J))
    poses, spread = np.zeros((1, N, J, 3)), np.full((1, J, 3), 0.1)
    image = np.zeros((1, J, 2, 2))
    alone = calibration.covariance(poses, spread, image, steps)
    several = calibration.covariance(np.zeros((1, 5, J, 3)), spread, image, 2)
    np.testing.assert_allclose(alone - several, np.tile(0.01 * np.eye(3), (1, J, 1, 1)))


def test_calibration_survives_the_manifest():
    calibration = Calibration(np.arange(J) / 10, np.arange(J) / 5, 1.7)
    again = Calibration.from_manifest(calibration.to_manifest())
    np.testing.assert_allclose(again.missing, calibration.missing)
    np.testing.assert_allclose(again.alone, calibration.alone)
    assert again.height_m == 1.7


@pytest.fixture
def far_model():
    """Return an untrained model whose mixture lies far from the encoder's pose."""
    model = LiftModel(SMALL).eval()
    model.mu[:] = FAR
    return model


@pytest.fixture
def observation():
    rays, covariance, score, present = windows()
    return observe(
        *(torch.tensor(array).float() for array in (rays, covariance, score)),
        torch.tensor(present),
        SMALL.past,
    )


@pytest.mark.parametrize('steps', [1, 2, 5])
def test_a_denoiser_that_knows_the_truth_is_believed_however_far_the_start_is(
    far_model, observation, monkeypatch, steps
):
    truth = torch.randn(2, J, 5)

    def knowing(given, N):
        offset = truth - given[..., :5]  # given begins with the center of the start
        return lambda noisy, t: offset.repeat_interleave(N, dim=0)

    monkeypatch.setattr(far_model, '_predictor', knowing)
    component, z = start_noise(far_model.mixture, 3, seed=0)
    states, _ = far_model.hypotheses(observation, component, z, steps)
    torch.testing.assert_close(states, truth[:, None].expand(-1, 3, -1, -1))


def test_training_diffuses_towards_the_mean_of_the_component(far_model, observation, monkeypatch):
    seen = {}

    def watched(offset, mu_G, eps_G, alpha):
        seen.update(mu_G=mu_G, noisy=shift_forward(offset, mu_G, eps_G, alpha), alpha=alpha)
        return seen['noisy']

    monkeypatch.setattr(lift3d_loss, 'shift_forward', watched)
    context = far_model.context(observation)
    start = far_model.start(observation, context)
    given, random = far_model.given(start, context), torch.Generator().manual_seed(0)
    lift3d_loss._denoising_error(far_model, start, given, torch.zeros(2, J, 5), random)
    expected = FAR * context.spread[:, 1:]
    torch.testing.assert_close(seen['mu_G'][:, 1:, 2:], expected)
    # x_t - mu_G is an ordinary diffusion of x_0 - mu_G (Gong et al., eq. 8).
    clean = seen['alpha'].sqrt() * (-start.center - seen['mu_G'])
    noise = (seen['noisy'] - seen['mu_G'] - clean) / (1 - seen['alpha']).sqrt()
    deviations = noise[:, 1:, 2:] / context.spread[:, 1:]
    assert 0.7 < float(deviations.detach().std()) < 1.3


def test_the_start_is_as_wide_in_the_image_as_the_heatmap(far_model, observation):
    start = far_model.start(observation, far_model.context(observation))
    z = torch.randn(2, J, 5)
    _, eps_G = far_model.offsets(start, torch.zeros(2, dtype=torch.long), z)
    expected = observation.factor @ z[..., :2, None]
    torch.testing.assert_close(eps_G[..., :2], expected[..., 0])
    assert expected.abs().max() > 0


def test_the_error_of_the_image_is_carried_over_to_metres(monkeypatch):
    state = torch.zeros(1, J, 5)
    state[0, :, :2] = torch.randn(J, 2)
    state[0, :, 2:4] = 0.25 * state[0, :, :2]  # a quarter of a metre per unit
    covariance = torch.tensor([[0.04, 0.01], [0.01, 0.02]]).expand(1, J, 2, 2)
    metres = in_metres(covariance, state)
    torch.testing.assert_close(metres, 2 * 0.25**2 * covariance)  # of the joint and of the hip

    model, image = LiftModel(SMALL), metres
    lifter = Lifter(model, Calibration(np.ones(J), np.ones(J)), CPU)
    claimed = []
    for scale in (0, 1):
        monkeypatch.setattr(
            model, 'image_covariance', lambda *_, scale=scale: scale * image.expand(2, -1, -1, -1)
        )
        claimed.append(lifter.lift(windows(), 2, 5).covariance[..., :2, :2])
    np.testing.assert_allclose(
        claimed[1] - claimed[0], image.expand(2, -1, -1, -1).numpy(), atol=1e-6
    )
