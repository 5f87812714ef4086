from diffpose_ros.core.likeness import distinct, likeness, same_person, Skeleton2D
from diffpose_ros.core.people import Box, Pose2D
import numpy as np
import pytest

FIGURE = np.random.default_rng(0).uniform(-1, 1, (17, 2)) * [40, 90]


def skeleton(x=200.0, score=0.9):
    xy = FIGURE + np.array([x, 240])
    pose = Pose2D(xy, np.tile(np.eye(2), (17, 1, 1)), np.full(17, score))
    return Skeleton2D(pose, Box.around(xy))


def test_a_pose_is_wholly_alike_itself_and_less_the_farther_it_moves():
    poses = [skeleton(200 + off).pose for off in (0, 5, 10, 50)]
    alike = [likeness(poses[0], pose, reach=10) for pose in poses]
    assert alike[0] == pytest.approx(1)
    assert alike == sorted(alike, reverse=True)
    assert alike[-1] < 0.01


def test_joints_without_a_score_do_not_speak_for_or_against():
    expected, seen = skeleton().pose, skeleton().pose
    seen.xy[3] = np.nan
    seen.score[3] = 0
    assert likeness(expected, seen, reach=10) == pytest.approx(1)


def test_poses_without_a_common_joint_are_not_alike():
    assert likeness(skeleton().pose, skeleton(score=0.0).pose, reach=10) == 0


@pytest.mark.filterwarnings('error')
def test_skeletons_without_a_common_joint_are_two_people():
    upper, lower = skeleton(), skeleton()
    upper.pose.xy[:9], lower.pose.xy[9:] = np.nan, np.nan
    assert not same_person(upper, lower)


def test_the_same_person_in_two_crops_is_one_in_the_surest_skeleton():
    weak, strong, other = skeleton(score=0.5), skeleton(202, score=0.8), skeleton(500, score=0.7)
    people = distinct({0: weak, 1: strong, 2: other})
    assert people == [strong, other]
    assert [person.finders for person in people] == [{0, 1}, {2}]


def test_people_apart_are_two():
    assert same_person(skeleton(), skeleton(205))
    assert not same_person(skeleton(), skeleton(300))
