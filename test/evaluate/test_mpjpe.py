"""Metrics against SciPy and by hand."""

from diffpose_ros.evaluate.coverage import CLAIMED, coverage, reliability
from diffpose_ros.evaluate.mpjpe import (
    aligned_errors,
    auc,
    hip_errors,
    joint_errors,
    pck,
    procrustes,
    summary,
)
import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation


@pytest.fixture
def poses():
    random = np.random.default_rng(0)
    truth = random.normal(0, 0.4, (20, 17, 3))
    return truth + random.normal(0, 0.05, truth.shape), truth


def test_joint_errors_ignore_where_the_person_stands(poses):
    estimate, truth = poses
    by_hand = [
        np.sqrt(sum((estimate[f, j, a] - truth[f, j, a] - d[a]) ** 2 for a in range(3)))
        for f, d in ((f, estimate[f, 0] - truth[f, 0]) for f in range(20))
        for j in range(17)
    ]
    np.testing.assert_allclose(joint_errors(estimate + 3, truth).ravel(), 1000 * np.array(by_hand))


def test_alignment_equals_scipys_procrustes(poses):
    estimate, truth = poses
    for mine, one, other in zip(aligned_errors(*poses), estimate, truth, strict=True):
        standard, fitted, _ = scipy_procrustes(other, one)
        size = np.linalg.norm(other - other.mean(axis=0))
        expected = 1000 * size * np.linalg.norm(standard - fitted, axis=1)
        np.testing.assert_allclose(mine, expected, rtol=1e-9)


def test_alignment_equals_scipys_orthogonal_procrustes(poses):
    X, Y = (pose[0] - pose[0].mean(axis=0) for pose in poses)
    R, scale = orthogonal_procrustes(X, Y)
    expected = scale / (X**2).sum() * X @ R + poses[1][0].mean(axis=0)
    np.testing.assert_allclose(procrustes(*poses)[0], expected, atol=1e-12)


def test_alignment_undoes_a_similarity(poses):
    _, truth = poses
    turn = Rotation.random(random_state=0).as_matrix()
    np.testing.assert_allclose(aligned_errors(0.7 * truth @ turn.T + 2, truth), 0, atol=1e-9)


def test_alignment_does_not_mirror(poses):
    _, truth = poses
    assert aligned_errors(truth * [-1, 1, 1], truth).mean() > 50


def test_hip_error_is_the_distance_of_the_hips(poses):
    _, truth = poses
    np.testing.assert_allclose(hip_errors(truth + np.array([0.03, 0.04, 0]), truth), 50)


def test_pck_and_auc_of_known_errors():
    errors = np.array([0.0, 75.0, 149.0, 151.0])
    assert pck(errors) == 0.75
    thresholds = range(0, 151, 5)
    expected = np.mean([sum(e < t for e in errors) / 4 for t in thresholds])
    assert auc(errors) == pytest.approx(expected)


def test_summary_of_the_truth_is_zero(poses):
    _, truth = poses
    assert all(value == pytest.approx(0, abs=1e-6) for value in summary(truth, truth).values())


def test_gaussian_errors_are_covered_as_often_as_claimed():
    random = np.random.default_rng(1)
    factor = random.normal(0, 0.05, (3000, 17, 3, 3))
    truth = (factor @ random.normal(size=(3000, 17, 3, 1)))[..., 0]
    shares = coverage(np.zeros_like(truth), factor @ factor.swapaxes(2, 3), truth)
    for name, share in shares.items():
        assert share == pytest.approx(int(name.removeprefix('coverage_')) / 100, abs=0.01)


def test_reliability_passes_through_the_coverage():
    random = np.random.default_rng(1)
    truth, covariance = random.normal(size=(200, 17, 3)), np.tile(2 * np.eye(3), (200, 17, 1, 1))
    curve = reliability(np.zeros_like(truth), covariance, truth)
    for name, share in coverage(np.zeros_like(truth), covariance, truth).items():
        at = np.isclose(CLAIMED, int(name.removeprefix('coverage_')) / 100)
        np.testing.assert_allclose(curve[at], [share], atol=1e-3)
