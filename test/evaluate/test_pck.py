from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.evaluate import pck
import numpy as np
import pytest

J = len(POSETRACK_15.joints)
SHOULDER, HIP, WRIST = POSETRACK_15.index('r_shoulder', 'l_hip', 'l_wrist')


def person(torso: float) -> np.ndarray:
    xy = np.random.default_rng(0).uniform(50, 100, (1, J, 2))
    xy[0, SHOULDER], xy[0, HIP] = (50, 20), (50, 20 + torso)
    return xy


@pytest.mark.parametrize(('off', 'right'), [(7.99, True), (8.01, False)])
def test_a_joint_is_right_up_to_a_fifth_of_the_torso(off, right):
    truth = person(torso=40)
    found = truth.copy()
    found[0, WRIST] += [0.6 * off, -0.8 * off]
    correct = pck.correct_joints(found, truth, POSETRACK_15)
    assert correct[0, WRIST] == right
    assert correct.sum() == J - 1 + right


def test_a_torso_seen_from_above_counts_as_eight_pixels():
    truth = person(torso=1)
    found = truth + np.array([1.5, 0])
    assert pck.correct_joints(found, truth, POSETRACK_15).all()
    assert not pck.correct_joints(truth + np.array([1.7, 0]), truth, POSETRACK_15).any()


def test_a_joint_without_estimate_is_wrong():
    truth = person(torso=40)
    found = truth.copy()
    found[0, 0] = np.nan
    assert not pck.correct_joints(found, truth, POSETRACK_15)[0, 0]


def test_shares_by_joint_leave_out_who_is_not_labelled():
    correct = np.zeros((4, J), bool)
    labelled = np.zeros((4, J), bool)
    labelled[:, WRIST] = [True, True, True, False]
    correct[:, WRIST] = [True, False, False, True]
    shares = pck.per_joint(correct, labelled, POSETRACK_15)
    assert shares == {'l_wrist': pytest.approx(1 / 3)}


def test_the_calibration_error_is_the_mean_gap_between_score_and_truth():
    score = np.array([0.95] * 10 + [0.15] * 10)
    correct = np.array([True] * 9 + [False] + [True] * 5 + [False] * 5)
    expected = 0.5 * abs(0.95 - 0.9) + 0.5 * abs(0.15 - 0.5)
    assert pck.expected_calibration_error(score, correct) == pytest.approx(expected)
    assert pck.expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


def test_two_ankles_on_one_leg_are_a_doubled_limb_and_crossed_legs_are_none():
    truth, labelled = np.repeat(person(torso=100), 3, axis=0), np.zeros((3, J), bool)
    ankles = POSETRACK_15.index('l_ankle', 'r_ankle')
    labelled[:, ankles] = True
    truth[:, ankles] = [[100, 300], [160, 300]]
    truth[2, ankles] = [[100, 300], [110, 300]]  # crossed
    found = truth.copy()
    found[1, ankles] = [[100, 300], [105, 305]]
    assert pck.doubled(found, truth, labelled, POSETRACK_15) == 0.5
    assert pck.doubled(found[[0, 2]], truth[[0, 2]], labelled[[0, 2]], POSETRACK_15) == 0
    labelled[:, ankles[0]] = False
    assert pck.doubled(found, truth, labelled, POSETRACK_15) is None
