from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.video2d.calibration import Calibration, fit_logistic, fit_scores, sigmoid
import numpy as np
import pytest

ROUND = np.eye(2)


def test_the_plain_calibration_takes_the_peak_as_score():
    peak = np.linspace(0.05, 0.95, 15)[None]
    score = Calibration.plain(15).scores(peak, np.broadcast_to(ROUND, (1, 15, 2, 2)))
    np.testing.assert_allclose(score, peak)


def test_a_calibration_survives_its_manifest():
    rng = np.random.default_rng(0)
    calibration = Calibration(rng.normal(size=(15, 3)), rng.uniform(1, 2, 15))
    again = Calibration.from_dict(calibration.to_dict(POSETRACK_15), POSETRACK_15)
    np.testing.assert_array_equal(again.score, calibration.score)
    np.testing.assert_array_equal(again.covariance, calibration.covariance)


@pytest.mark.parametrize(
    'row',
    [
        {'covariance': -1.0},
        {'covariance': None},
        {'covariance': 'one'},
        {'score': [0.0, 1.0]},
        {'score': 'peak'},
    ],
)
def test_a_damaged_calibration_is_refused(row):
    stored = Calibration.plain(15).to_dict(POSETRACK_15)
    stored['nose'] |= row
    with pytest.raises(ValueError, match=r'damaged|could not convert|inhomogeneous'):
        Calibration.from_dict(stored, POSETRACK_15)


def test_scores_of_two_weights_for_every_joint_are_refused():
    stored = {name: {'score': [0, 1], 'covariance': 1} for name in POSETRACK_15.joints}
    with pytest.raises(ValueError, match='damaged'):
        Calibration.from_dict(stored, POSETRACK_15)


def test_the_logistic_fit_finds_the_weights_that_made_the_data():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(40000), rng.normal(size=(40000, 2))])
    truth = np.array([0.5, -1.0, 2.0])
    y = rng.random(40000) < sigmoid(x @ truth)
    np.testing.assert_allclose(fit_logistic(x, y, np.zeros(3)), truth, atol=0.06)


def test_fitted_scores_match_how_often_each_joint_is_right():
    rng = np.random.default_rng(0)
    peak = rng.uniform(0.02, 0.98, (3000, 2))
    right = rng.random(peak.shape) < peak * np.array([1.0, 0.4])  # the second is overrated
    covariance = np.broadcast_to(ROUND, (3000, 2, 2, 2))
    weights = fit_scores(peak, covariance, right, np.ones_like(right))
    score = Calibration(weights, np.ones(2)).scores(peak, covariance)
    for low, high in [(0.1, 0.4), (0.4, 0.7), (0.7, 0.98)]:
        inside = (peak > low) & (peak < high)
        for j in range(2):
            here = inside[:, j]
            assert abs(score[here, j].mean() - right[here, j].mean()) < 0.06


def test_joints_that_nobody_labelled_follow_the_others():
    rng = np.random.default_rng(0)
    peak = rng.uniform(0.02, 0.98, (2000, 2))
    right = rng.random(peak.shape) < peak / 2
    seen = np.ones_like(right)
    seen[:, 1] = False
    weights = fit_scores(peak, np.broadcast_to(ROUND, (2000, 2, 2, 2)), right, seen)
    np.testing.assert_allclose(weights[1], weights[0], atol=0.2)
