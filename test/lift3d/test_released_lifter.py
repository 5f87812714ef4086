"""The published networks behind the interface of the lifter, with random weights."""

from diffpose_ros.core.checkpoint import Checkpoint
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.lift3d.kinds import lifter_of
from diffpose_ros.lift3d.lifter import Window
from diffpose_ros.lift3d.mixste import MixSTE
from diffpose_ros.lift3d.released import released_denoiser, released_lifter, SCHEDULE
from diffpose_ros.lift3d.released_lifter import fill_missing, UNCALIBRATED_M, UNITS_PER_RAY
import numpy as np
import pytest
import torch

CPU = torch.device('cpu')
J = len(H36M_17.joints)


@pytest.fixture(scope='module')
def networks():
    torch.manual_seed(0)
    return {'gcnpose': released_lifter(), 'gcndiff': released_denoiser()}


@pytest.fixture
def lifter(networks):
    def build(preset='frame_cpn', seed=0):
        return lifter_of(checkpoint(networks, preset), CPU, seed)

    return build


def checkpoint(networks, preset):
    tensors = {
        f'{kind}/{name}': value
        for kind, network in networks.items()
        for name, value in network.state_dict().items()
    }
    return Checkpoint('imported', 'lift3d_released', {'preset': preset}, tensors, '0' * 64, {})


def windows(B=2):
    rays = 0.1 * np.random.default_rng(0).normal(size=(B, 1, J, 2))
    covariance = np.tile(1e-5 * np.eye(2), (B, 1, J, 1, 1))
    return Window(rays, covariance, np.ones((B, 1, J)), np.ones((B, 1), bool))


@torch.no_grad()
def test_pose_is_that_of_the_published_sampler(lifter, networks):
    rays, *rest = windows()
    uv = torch.tensor(UNITS_PER_RAY * rays[:, 0], dtype=torch.float32)
    xyz = networks['gcnpose'](uv)
    x = torch.cat([uv, xyz - xyz[:, :1].clone()], dim=-1)
    for t, t_next in ((12, 0), (0, -1)):  # the frame setting with detected 2D
        eps = networks['gcndiff'](x, torch.tensor([float(t)]))
        x = SCHEDULE.ddim_step(x, SCHEDULE.predict_x_0(x, eps, t), t, t_next)
    expected = (x[..., 2:] - x[:, :1, 2:]).numpy()
    pose = lifter().lift(Window(rays, *rest), 2, 1)
    np.testing.assert_allclose(pose.mean, expected, atol=2e-5)


@pytest.mark.parametrize('preset', ['frame_cpn', 'frame_gt'])
def test_presets_without_noise_give_one_pose_as_often_as_asked_for(lifter, preset):
    pose = lifter(preset).lift(windows(), 2, 3)
    assert pose.hypotheses.shape == (2, 3, J, 3)
    assert (pose.hypotheses == pose.hypotheses[:, :1]).all()


def test_paper_preset_draws_poses_that_its_seed_decides(lifter):
    poses = [lifter('paper', seed).lift(windows(), 5, 4).hypotheses for seed in (0, 0, 1)]
    assert np.array_equal(poses[0], poses[1])
    assert not np.allclose(poses[0], poses[2])
    assert poses[0].std(axis=1)[:, 1:].min() > 0


@pytest.mark.parametrize('preset', ['frame_cpn', 'paper'])
def test_hip_is_the_origin_and_no_joint_is_more_certain_than_stated(lifter, preset):
    pose = lifter(preset).lift(windows(), 2, 4)
    np.testing.assert_allclose(pose.hypotheses[:, :, 0], 0, atol=1e-7)
    deviation = np.sqrt(np.linalg.eigvalsh(pose.covariance[:, 1:]))
    assert deviation.min() >= UNCALIBRATED_M


def test_zero_steps_give_the_published_lifters_pose(lifter, networks):
    rays, *rest = windows()
    with torch.no_grad():
        xyz = networks['gcnpose'](torch.tensor(UNITS_PER_RAY * rays[:, 0], dtype=torch.float32))
    pose = lifter().lift(Window(rays, *rest), 0, 1)
    np.testing.assert_allclose(pose.mean, (xyz - xyz[:, :1]).numpy(), atol=2e-5)


def test_missing_joints_are_not_looked_at(lifter):
    window = windows()
    window.score[:, :, 3] = 0
    expected = lifter('paper').lift(window, 2, 2).mean
    window.rays[:, :, 3], window.covariance[:, :, 3] = 1e9, np.nan
    given = lifter('paper').lift(window, 2, 2).mean
    np.testing.assert_allclose(given, expected)


def test_missing_joints_stand_at_their_neighbours():
    uv = np.random.default_rng(0).normal(size=(1, J, 2))
    seen = np.ones((1, J), bool)
    seen[0, H36M_17.index('l_knee', 'r_elbow', 'r_wrist')] = False
    filled = fill_missing(uv, seen)[0]
    knee, hip, ankle, elbow, wrist, shoulder = H36M_17.index(
        'l_knee', 'l_hip', 'l_ankle', 'r_elbow', 'r_wrist', 'r_shoulder'
    )
    np.testing.assert_allclose(filled[knee], (uv[0, hip] + uv[0, ankle]) / 2)
    np.testing.assert_allclose(filled[[elbow, wrist]], uv[0, [shoulder, shoulder]])
    np.testing.assert_allclose(filled[seen[0]], uv[0, seen[0]])


def test_nobody_seen_is_no_error(lifter):
    window = windows()
    assert np.isfinite(lifter().lift(window._replace(score=0 * window.score), 2, 1).mean).all()


@pytest.fixture(scope='module')
def video():
    torch.manual_seed(0)
    network = MixSTE(frames=9, C=16, depth=2, hidden=32).eval()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network


@pytest.fixture
def video_lifter(networks, video):
    kinds = {'mixste': video, 'gcndiff': networks['gcndiff']}
    return lifter_of(checkpoint(kinds, 'video_gt'), CPU)


def clip():
    rays = 0.1 * np.random.default_rng(0).normal(size=(2, 9, J, 2))
    covariance = np.zeros((2, 9, J, 2, 2))
    return Window(rays, covariance, np.ones((2, 9, J)), np.ones((2, 9), bool))


@torch.no_grad()
def test_video_network_sees_the_whole_window(video_lifter, video):
    rays, *rest = clip()
    assert (video_lifter.past, video_lifter.future) == (4, 4)
    uv = torch.tensor(UNITS_PER_RAY * rays, dtype=torch.float32)
    flipped = uv[:, :, H36M_17.mirror] * torch.tensor([-1.0, 1])
    back = video(flipped)[:, 4, H36M_17.mirror] * torch.tensor([-1.0, 1, 1])
    expected = (video(uv)[:, 4] + back) / 2
    pose = video_lifter.lift(Window(rays, *rest), 0, 1)
    np.testing.assert_allclose(pose.mean, (expected - expected[:, :1]).numpy(), atol=2e-5)


def test_a_mirrored_person_gets_the_mirrored_pose(video_lifter):
    rays, *rest = clip()
    one = video_lifter.lift(Window(rays, *rest), 0, 1).mean
    other = video_lifter.lift(Window(rays[:, :, H36M_17.mirror] * [-1, 1], *rest), 0, 1).mean
    np.testing.assert_allclose(other[:, H36M_17.mirror] * [-1, 1, 1], one, atol=1e-5)


def test_missing_frames_are_the_nearest_ones(video_lifter):
    window = clip()
    window.present[:, 5:] = window.present[:, 1] = False
    given = video_lifter.lift(window, 2, 1).mean
    window.rays[:, 5:], window.rays[:, 1] = window.rays[:, 4:5], window.rays[:, 0]
    whole = video_lifter.lift(window._replace(present=np.ones_like(window.present)), 2, 1).mean
    np.testing.assert_allclose(given, whole, atol=1e-6)


def test_checkpoint_without_one_of_the_networks_is_refused(networks):
    whole = checkpoint(networks, 'frame_cpn')
    half = {k: v for k, v in whole.tensors.items() if k.startswith('gcnpose')}
    broken = Checkpoint('half', whole.kind, whole.config, half, whole.sha256, {})
    with pytest.raises(ValueError, match='import it again'):
        lifter_of(broken, CPU)


def test_checkpoint_of_an_unknown_preset_is_refused(networks):
    with pytest.raises(ValueError, match='import it again'):
        lifter_of(checkpoint(networks, 'frame_hrnet'), CPU)
