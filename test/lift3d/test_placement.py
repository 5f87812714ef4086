"""Placement: a known pose at a known place must be found there."""

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.lift3d.placement import place, SIZE_DEVIATION
import numpy as np
import pytest

JOINTS = len(H36M_17.joints)
SURE = np.tile(1e-4 * np.eye(3), (JOINTS, 1, 1))
SHARP = np.tile(1e-8 * np.eye(2), (JOINTS, 1, 1))
SEEN = np.ones(JOINTS)


def body(seed=0):
    pose = np.random.default_rng(seed).normal(0, 0.35, (JOINTS, 3))
    return pose - pose[0]


def rays_of(points):
    return points[:, :2] / points[:, 2:]


@pytest.mark.parametrize('root', [(0, 0, 1.6), (0.4, -0.3, 3), (-0.2, 0.1, 12)])
def test_exact_rays_give_the_exact_place(root):
    pose = body()
    placed = place(pose, SURE, rays_of(pose + root), SHARP, SEEN)
    np.testing.assert_allclose(placed.root, root, atol=1e-6)


def test_one_wrong_joint_moves_the_person_little():
    pose, root = body(), np.array([0.1, 0.2, 4.0])
    rays = rays_of(pose + root)
    rays[16] += 0.2  # 80 cm beside the wrist
    placed = place(pose, SURE, rays, SHARP, SEEN)
    assert np.linalg.norm(placed.root - root) < 0.15


def test_missing_joints_are_left_out():
    pose, root = body(), np.array([0.1, 0.2, 4.0])
    rays, score = rays_of(pose + root), SEEN.copy()
    rays[5:12], score[5:12] = 9.0, 0.0
    np.testing.assert_allclose(place(pose, SURE, rays, SHARP, score).root, root, atol=1e-6)


def test_a_larger_body_is_placed_farther_in_proportion():
    pose, root = body(), np.array([0.1, 0.2, 6.0])
    rays = rays_of(pose + root)
    placed = place(1.1 * pose, SURE, rays, SHARP, SEEN)
    np.testing.assert_allclose(placed.root, 1.1 * root, rtol=1e-6)


def test_covariance_follows_the_scatter_of_the_place():
    pose, root = body(), np.array([0.2, 0.0, 5.0])
    random, deviation = np.random.default_rng(1), 0.004
    covariance = np.tile(deviation**2 * np.eye(2), (JOINTS, 1, 1))
    certain = np.tile(1e-10 * np.eye(3), (JOINTS, 1, 1))
    found = [
        place(
            pose,
            certain,
            rays_of(pose + root) + deviation * random.normal(size=(JOINTS, 2)),
            covariance,
            SEEN,
        )
        for _ in range(300)
    ]
    scatter = np.cov(np.array([p.root for p in found]).T)
    size = SIZE_DEVIATION**2 * np.outer(root, root)
    claimed = np.mean([p.covariance for p in found], axis=0) - size
    np.testing.assert_allclose(np.diag(claimed), np.diag(scatter), rtol=0.35)


def test_distance_is_the_least_certain():
    pose, root = body(), np.array([0.0, 0.0, 5.0])
    covariance = place(pose, SURE, rays_of(pose + root), SHARP, SEEN).covariance
    assert covariance[2, 2] > (SIZE_DEVIATION * 5) ** 2
    assert covariance[2, 2] > 10 * max(covariance[0, 0], covariance[1, 1])


def test_one_joint_is_too_few():
    score = np.zeros(JOINTS)
    score[3] = 1
    placed = place(body(), SURE, np.zeros((JOINTS, 2)), SHARP, score)
    assert np.isnan(placed.root).all()
    assert np.isnan(placed.covariance).all()


@pytest.mark.parametrize('joints', [2, JOINTS])
def test_joints_at_one_point_of_the_picture_tell_no_place(joints):
    score = (np.arange(JOINTS) < joints).astype(float)
    placed = place(body(), SURE, np.full((JOINTS, 2), 0.1), SHARP, score)
    assert np.isnan(placed.root).all()


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match='rays has shape'):
        place(body(), SURE, np.zeros((3, 2)), SHARP, SEEN)
