"""Protocols of Human3.6M and MPI-INF-3DHP, against plain loops, SciPy and a lifter that knows."""

from argparse import ArgumentParser
import json

from diffpose_ros.core.camera import Camera, rotate_rays
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.formats.captures import Capture
from diffpose_ros.data.formats.motion3d import MPI_JOINTS
from diffpose_ros.evaluate import captures, h36m, lifting, mpi_inf_3dhp
from diffpose_ros.evaluate.captures import capture_windows, towards
from diffpose_ros.evaluate.lifting import Lifted
from diffpose_ros.lift3d.lifter import LiftedPose
import numpy as np
import pytest
from scipy.spatial import procrustes

J = len(H36M_17.joints)
K = np.array([[1145.0, 0, 512], [0, 1145, 515], [0, 0, 1]])
CAMERA = Camera(K, 1000, 1002, np.array([-0.2, 0.2, 0, 0, 0]))
LENS = {'f': [1145, 1145], 'c': [512, 515], 'w': 1000, 'h': 1002}


class Standing:
    """A lifter that takes everybody for the same."""

    past, future, period_s = 2, 1, 0.04

    def lift(self, window, steps, hypotheses):
        poses = np.tile(BODY, (len(window.rays), hypotheses, 1, 1))
        return LiftedPose(poses, poses[:, 0], np.tile(0.01 * np.eye(3), (len(poses), J, 1, 1)))


BODY = 0.3 * np.random.default_rng(1).normal(size=(J, 3))
BODY[0] = 0


def capture(frames=10, fps=50, counted=None):
    joints = BODY + [1.2, 0.4, 4] + 0.05 * np.random.default_rng(0).normal(size=(frames, J, 3))
    counted = np.ones(frames, bool) if counted is None else counted
    return Capture('a', 'Walk', CAMERA, CAMERA.project(joints), joints, counted, fps)


@pytest.fixture
def poses():
    random = np.random.default_rng(0)
    truth = random.normal(0, 0.4, (30, J, 3))
    estimate = truth + random.normal(0, 0.08, truth.shape)
    groups = np.repeat(['Walk', 'Sit', 'Eat'], (20, 7, 3))
    return Lifted(estimate, np.zeros((30, J, 3, 3)), truth, groups)


def windows(film, **options):
    options = {'centred': False, 'every': 1, **options}
    (made,) = capture_windows(film, Standing(), 2.0, **options)
    return made


def test_rays_of_the_key_frame_and_the_true_pose_belong_together():
    film, made = capture(), windows(capture())
    shift = np.linalg.norm(film.joints[:, 0], axis=1)
    seen = made.inputs.rays[:, 2]
    for truth, rays, distance, (u, v) in zip(made.truth, seen, shift, seen[:, 0], strict=True):
        root = distance * np.array([u, v, 1]) / np.linalg.norm([u, v, 1])
        points = truth + root
        np.testing.assert_allclose(points[:, :2] / points[:, 2:], rays, atol=1e-5)


def test_long_captures_are_taken_in_parts_that_fit_in_memory(monkeypatch):
    whole = windows(capture())
    monkeypatch.setattr('diffpose_ros.evaluate.captures.AT_ONCE', 3)
    parts = list(capture_windows(capture(), Standing(), 2.0, centred=False, every=1))
    assert len(parts) > 1
    np.testing.assert_array_equal(np.concatenate([p.truth for p in parts]), whole.truth)
    for column, alone in zip(
        zip(*(p.inputs for p in parts), strict=True), whole.inputs, strict=True
    ):
        np.testing.assert_array_equal(np.concatenate(column), alone)


def test_the_virtual_camera_looks_at_the_person():
    rays = windows(capture()).inputs.rays[:, 2]
    middle = (rays.min(axis=1) + rays.max(axis=1)) / 2
    assert np.abs(middle).max() < 0.02


def test_slots_hold_the_frames_of_their_time():
    film, made = capture(fps=50), windows(capture(fps=50), centred=True)  # two frames per slot
    assert made.inputs.present[:, :2].tolist()[:5] == [[i >= 4, i >= 2] for i in range(5)]
    assert made.inputs.present[:, 3].tolist() == [True] * 8 + [False] * 2
    rays = film.camera.rays(film.pixels)
    seen_at_6 = rotate_rays(rays[6], towards(rays[4:5])[0])
    np.testing.assert_allclose(made.inputs.rays[4, 3], seen_at_6, atol=1e-6)
    assert not windows(capture()).inputs.present[:, 3].any()


def test_only_frames_that_count_are_keys():
    counted = np.arange(10) % 3 == 0
    made, all_keys = windows(capture(counted=counted)), windows(capture())
    np.testing.assert_allclose(made.inputs.rays, all_keys.inputs.rays[::3], atol=1e-6)
    np.testing.assert_allclose(
        windows(capture(counted=counted), every=2).truth, all_keys.truth[::6], atol=1e-6
    )


def test_the_lifter_is_told_the_error_of_the_2d_input():
    np.testing.assert_allclose(
        windows(capture()).inputs.covariance[3, 1, 5], (2 / 1145) ** 2 * np.eye(2)
    )


def test_protocols_of_human36m_are_means_over_actions_of_means_over_frames(poses):
    first, second = [], []
    for action in ('Walk', 'Sit', 'Eat'):
        errors, aligned = [], []
        for estimate, truth, group in zip(poses.mean, poses.truth, poses.groups, strict=True):
            if group == action:
                moved = estimate - estimate[0] + truth[0]
                errors += [1000 * np.sqrt(((moved[j] - truth[j]) ** 2).sum()) for j in range(J)]
                target, fitted, _ = procrustes(truth, estimate)
                size = np.linalg.norm(truth - truth.mean(axis=0))
                aligned += list(1000 * size * np.linalg.norm(target - fitted, axis=1))
        first.append(np.mean(errors))
        second.append(np.mean(aligned))
    result = h36m.by_action(poses)
    assert result['mpjpe_mm'] == pytest.approx(np.mean(first))
    assert result['p_mpjpe_mm'] == pytest.approx(np.mean(second))
    assert result['per_action']['Sit']['mpjpe_mm'] == pytest.approx(first[1])


def test_pck_and_auc_of_3dhp_count_its_fourteen_joints(poses):
    joints = [j for j in H36M_17.joints if j not in ('hip', 'spine', 'nose')]
    errors = []
    for estimate, truth in zip(poses.mean, poses.truth, strict=True):
        for name in joints:
            j = H36M_17.joints.index(name)
            errors.append(
                1000 * np.linalg.norm((estimate[j] - estimate[0]) - (truth[j] - truth[0]))
            )
    assert len(joints) == 14
    result = mpi_inf_3dhp.by_sequence(poses)
    assert result['pck_150'] == pytest.approx(sum(e < 150 for e in errors) / len(errors))
    shares = [sum(e < t for e in errors) / len(errors) for t in range(0, 151, 5)]
    assert result['auc'] == pytest.approx(np.mean(shares))
    assert set(result['per_sequence']) == {'Walk', 'Sit', 'Eat'}


@pytest.fixture
def standing(monkeypatch):
    monkeypatch.setattr(captures, 'load_lifter', lambda args: (Standing(), 'standing'))


def evaluate(module, words):
    parser = ArgumentParser()
    module.add_arguments(parser)
    args = parser.parse_args([str(word) for word in words])
    assert module.run(args) == 0
    return json.loads(args.out.read_text())


def test_human36m_is_evaluated_from_its_files(standing, tmp_path):
    names = ('54138969', '55011271', '58860488', '60457274')
    entries = {f'{s}_{name}': LENS for s in ('S9', 'S11') for name in names}
    (tmp_path / 'cameras.json').write_text(json.dumps(entries))
    film = capture()
    actions = ('Eating', 'Eating 2', 'Sitting')
    poses = {s: dict.fromkeys(actions, film.joints) for s in ('S9', 'S11')}
    pixels = {s: dict.fromkeys(actions, [film.pixels] * 4) for s in ('S9', 'S11')}
    np.savez(tmp_path / '3d.npz', positions_3d=poses)
    np.savez(tmp_path / '2d.npz', positions_2d=pixels)
    files = ['--poses', tmp_path / '3d.npz', '--detections', tmp_path / '2d.npz']
    files += ['--cameras', tmp_path / 'cameras.json', '--out', tmp_path / 'h36m.json']
    result = evaluate(h36m, [*files, '--hypotheses', 1, 2])
    assert result['frames'] == 2 * 3 * 4 * 10
    assert set(result['per_action']) == {'Eating', 'Sitting'}
    assert len(result['settings']) == 2
    assert 0 < result['p_mpjpe_mm'] < result['mpjpe_mm']


@pytest.mark.parametrize('error_px', ['-1', 'nan', 'inf'])
def test_an_error_of_the_2d_input_that_is_none_is_refused(tmp_path, error_px):
    files = '--poses 3d.npz --detections 2d.npz --cameras cameras.json --out'.split()
    with pytest.raises(ValueError, match=r'error_px = .*; set it to 0 or more'):
        evaluate(h36m, [*files, tmp_path / 'h36m.json', '--error-px', error_px])


def test_mpi_inf_3dhp_is_evaluated_from_its_files(standing, tmp_path):
    (tmp_path / 'cameras.json').write_text(json.dumps({'TS1': LENS, 'TS2': LENS}))
    order = [H36M_17.joints.index(name) for name in MPI_JOINTS]
    film = capture()
    sequence = {
        'data_2d': film.pixels[:, order],
        'data_3d': 1000 * film.joints[:, order],
        'valid': np.arange(10) < 4,
    }
    np.savez(tmp_path / 'data.npz', data={'TS1': sequence, 'TS2': sequence})
    files = ['--data', tmp_path / 'data.npz', '--cameras', tmp_path / 'cameras.json']
    result = evaluate(mpi_inf_3dhp, [*files, '--out', tmp_path / '3dhp.json'])
    assert result['frames'] == 8
    assert {'mpjpe_mm', 'pck_150', 'auc', 'per_sequence', 'coverage_90'} <= set(result)
    assert result['per_sequence']['TS1'] == result['per_sequence']['TS2']


def test_data_without_frames_are_told():
    with pytest.raises(ValueError, match='no frames'):
        lifting.lift_all(Standing(), [], [lifting.Setting(2, 5)])
