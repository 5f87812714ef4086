"""Results in another frame, against scipy's rotations."""

from dataclasses import replace

from diffpose_ros.core.people import Box, Person, Pose3D, ScaleSource, TrackState
from diffpose_ros.core.rigid import body_frame, move, move_people, Rigid
from diffpose_ros.core.skeleton import H36M_17
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

J = len(H36M_17.joints)
TURN = Rotation.from_euler('xyz', [0.4, -1.1, 2.0])
SHIFT = np.array([1.0, -2.0, 0.5])
MOTION = Rigid(TURN.as_matrix(), SHIFT)


@pytest.fixture
def pose():
    rng = np.random.default_rng(0)
    half = rng.normal(0, 0.1, (2 * J + 1, 3, 3))
    covariances = half @ half.transpose(0, 2, 1)
    xyz = rng.normal([0, 0, 4], 0.5, (J, 3))
    return Pose3D(
        xyz,
        covariances[:J],
        covariances[J : 2 * J],
        covariances[-1],
        xyz + rng.normal(0, 0.05, (3, J, 3)),
        np.full(3, 1 / 3),
        np.ones(J, np.uint8),
        ScaleSource.BODY_PRIOR,
    )


def test_positions_and_hypotheses_are_rotated_and_shifted(pose):
    moved = move(pose, MOTION)
    np.testing.assert_allclose(moved.xyz, TURN.apply(pose.xyz) + SHIFT)
    for after, before in zip(moved.hypotheses, pose.hypotheses, strict=True):
        np.testing.assert_allclose(after, TURN.apply(before) + SHIFT)


def test_covariances_are_those_of_the_rotated_cloud(pose):
    moved = move(pose, MOTION)
    rng = np.random.default_rng(1)
    for before, after in (
        (pose.covariance[3], moved.covariance[3]),
        (pose.relative_covariance[3], moved.relative_covariance[3]),
        (pose.root_covariance, moved.root_covariance),
    ):
        cloud = TURN.apply(rng.multivariate_normal(np.zeros(3), before, 50_000))
        np.testing.assert_allclose(after, np.cov(cloud.T), atol=0.03 * np.abs(before).max())


def test_what_is_relative_to_the_hip_is_only_rotated(pose):
    relative = replace(pose, scale_source=ScaleSource.NONE)
    moved = move(relative, MOTION)
    np.testing.assert_allclose(moved.xyz, TURN.apply(pose.xyz))
    np.testing.assert_allclose(moved.hypotheses[0], TURN.apply(pose.hypotheses[0]))


def test_people_without_3d_stay_as_they_are(pose):
    seen = Person('b1', TrackState.CONFIRMED, 1.0, Box(1, 2, 3, 4), pose3d=pose)
    lost = replace(seen, pose3d=None)
    moved, same = move_people([seen, lost], MOTION)
    np.testing.assert_allclose(moved.pose3d.xyz, TURN.apply(pose.xyz) + SHIFT)
    assert same is lost


def facing_the_camera(pose):
    """Return the pose with a torso upright in the image, its left side on the image's right."""
    xyz = pose.xyz.copy()
    torso = H36M_17.index('hip', 'thorax', 'l_shoulder', 'r_shoulder')
    xyz[torso] = [[0, 0, 4], [0, -0.5, 4], [0.2, -0.5, 4], [-0.2, -0.5, 4]]
    return replace(pose, xyz=xyz)


def test_the_frame_of_a_body_looks_out_of_the_chest_with_the_head_up(pose):
    body = body_frame(facing_the_camera(pose))
    np.testing.assert_allclose(body.t, [0, 0, 4])
    np.testing.assert_allclose(body.R[:, 0], [0, 0, -1], atol=1e-9)  # to the camera
    np.testing.assert_allclose(body.R[:, 1], [1, 0, 0], atol=1e-9)  # to the body's left
    np.testing.assert_allclose(body.R[:, 2], [0, -1, 0], atol=1e-9)  # to the head


def test_the_frame_of_a_body_is_a_rotation_whatever_the_pose(pose):
    R = body_frame(pose).R
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(R) == pytest.approx(1)


@pytest.mark.parametrize('joint', ['hip', 'thorax', 'l_shoulder'])
def test_a_body_with_an_unknown_torso_has_no_frame(pose, joint):
    pose.xyz[H36M_17.index(joint)] = np.nan
    assert body_frame(pose) is None


def test_a_body_without_a_place_has_no_frame(pose):
    assert body_frame(replace(pose, scale_source=ScaleSource.NONE)) is None
