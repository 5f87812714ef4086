"""Numbers that are none, and boxes."""

from dataclasses import replace

from diffpose_ros.core.people import (
    Box,
    check_finite,
    corners_of,
    Frame,
    JointState,
    overlaps,
    Pose2D,
    Pose3D,
    ScaleSource,
)
import numpy as np
import pytest

EYES = np.tile(np.eye(3), (4, 1, 1))
POSE = Pose3D(
    np.zeros((4, 3)),
    EYES,
    EYES,
    np.eye(3),
    np.zeros((1, 4, 3)),
    np.ones(1),
    np.full(4, JointState.MEASURED, np.uint8),
    ScaleSource.BODY_PRIOR,
)


@pytest.mark.parametrize('wrong', [np.nan, np.inf])
def test_a_joint_without_a_finite_mean_or_covariance_is_invalid(wrong):
    xyz, covariance = np.zeros((4, 3)), EYES.copy()
    xyz[1, 2], covariance[3, 0, 0] = wrong, wrong
    states = replace(POSE, xyz=xyz, covariance=covariance).state
    assert states.tolist() == [JointState.MEASURED, JointState.INVALID] * 2


def test_an_image_point_that_is_no_number_has_no_score():
    xy, score = np.zeros((3, 2)), np.ones(3)
    xy[0], score[1] = np.nan, np.nan
    pose = Pose2D(xy, EYES[:3, :2, :2], score)
    assert pose.score.tolist() == [0, 0, 1]


def test_a_network_that_returns_nan_is_named():
    check_finite('the lifter', np.zeros(3), np.ones(2))
    with pytest.raises(ValueError, match='the lifter answers with numbers that are not finite'):
        check_finite('the lifter', np.zeros(3), np.array([np.nan]))


def test_overlap_of_two_half_covered_squares():
    one, others = np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])
    (iou,), (inside,) = overlaps(one, others)
    np.testing.assert_allclose(iou, [1 / 3, 0])
    np.testing.assert_allclose(inside, [1 / 2, 0])


@pytest.mark.parametrize(
    ('other', 'expected'),
    [
        (Box(0, 0, 10, 10), 1.0),
        (Box(5, 0, 10, 10), 1 / 3),
        (Box(10, 0, 10, 10), 0.0),
        (Box(0, 0, 5, 5), 0.25),
    ],
)
def test_overlap_is_intersection_over_union(other, expected):
    iou, _ = overlaps(corners_of([Box(0, 0, 10, 10)]), corners_of([other]))
    assert iou[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ('box', 'part'),
    [
        (Box(10, 10, 4, 6, 0.5), Box(10, 10, 4, 6, 0.5)),
        (Box(0, 5, 2e5, 2e5, 0.5), Box(19.5, 14.5, 40, 30, 0.5)),  # whoever sends such a box
        (Box(-1, 10, 3, 4, 0.5), Box(0, 10, 1, 4, 0.5)),
        (Box(-9, 10, 3, 4), None),
    ],
)
def test_of_a_box_that_others_found_the_part_in_the_image_counts(box, part):
    frame = Frame(np.zeros((30, 40, 3), np.uint8), 0, boxes=(box,))
    assert frame.visible_boxes == ([] if part is None else [part])
