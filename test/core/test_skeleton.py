from diffpose_ros.core.skeleton import H36M_17, joint_map, mirrored, POSETRACK_15, SKELETONS
import numpy as np
import pytest


@pytest.mark.parametrize('skeleton', SKELETONS.values(), ids=SKELETONS)
def test_mirroring_twice_gives_every_joint_back(skeleton):
    assert [skeleton.mirror[i] for i in skeleton.mirror] == list(range(len(skeleton.joints)))


@pytest.mark.parametrize('skeleton', SKELETONS.values(), ids=SKELETONS)
def test_bones_join_all_joints_into_one_figure(skeleton):
    reached = {skeleton.bones[0][0]}
    for _ in skeleton.bones:
        reached |= {end for bone in skeleton.bones if reached & set(bone) for end in bone}
    assert reached == set(skeleton.joints)


def test_left_and_right_swap_and_the_middle_stays():
    assert [mirrored(j) for j in ('l_knee', 'r_wrist', 'nose')] == ['r_knee', 'l_wrist', 'nose']


def test_hip_and_spine_are_means_of_the_joints_that_posetrack_has():
    xy = np.random.default_rng(0).normal(size=(15, 2))
    mapped = joint_map(POSETRACK_15, H36M_17) @ xy
    r_hip, l_hip, neck = xy[POSETRACK_15.index('r_hip', 'l_hip', 'neck')]
    hip, spine, thorax = mapped[H36M_17.index('hip', 'spine', 'thorax')]
    np.testing.assert_allclose(hip, (r_hip + l_hip) / 2)
    np.testing.assert_allclose(spine, (hip + neck) / 2)
    np.testing.assert_allclose(thorax, neck)


def test_joints_of_the_same_name_are_taken_over_unchanged():
    xy = np.random.default_rng(1).normal(size=(17, 2))
    mapped = joint_map(H36M_17, POSETRACK_15) @ xy
    shared = [j for j in POSETRACK_15.joints if j in H36M_17.joints]
    assert len(shared) == 14
    np.testing.assert_array_equal(mapped[POSETRACK_15.index(*shared)], xy[H36M_17.index(*shared)])
