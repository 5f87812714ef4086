"""The drawing of people into the image."""

from dataclasses import replace

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.offline.draw import bone_side, draw_overlay, ellipse, SIDE_COLORS
import numpy as np
import pytest
from scipy.stats import chi2

GREY = np.full((480, 640, 3), 128, np.uint8)


def test_the_image_itself_stays_as_it_was(person):
    image = GREY.copy()
    draw_overlay(image, [person()], H36M_17)
    np.testing.assert_array_equal(image, GREY)


def test_without_people_nothing_is_drawn():
    np.testing.assert_array_equal(draw_overlay(GREY, [], H36M_17), GREY)


@pytest.mark.parametrize(('joint', 'side'), [('l_ankle', 'l_'), ('r_ankle', 'r_'), ('nose', '')])
def test_joints_are_drawn_where_they_are_in_the_colour_of_their_side(person, joint, side):
    someone = person()
    xy = np.full_like(someone.pose2d.xy, np.nan)
    xy[H36M_17.index(joint)] = 300, 200
    alone = replace(someone, pose2d=replace(someone.pose2d, xy=xy))
    drawn = draw_overlay(GREY, [alone], H36M_17)
    np.testing.assert_array_equal(drawn[200, 300], SIDE_COLORS[side])


def test_a_bone_has_the_side_of_the_limb_it_belongs_to():
    sides = {bone: bone_side(*bone) for bone in H36M_17.bones}
    assert sides['thorax', 'l_shoulder'] == 'l_'
    assert sides['r_hip', 'r_knee'] == 'r_'
    assert sides['spine', 'thorax'] == ''


def test_joints_far_outside_the_image_and_without_estimate_are_survived(person):
    someone = person()
    xy = np.where(np.isnan(someone.pose2d.xy), np.nan, someone.pose2d.xy * 1e7)
    draw_overlay(GREY, [replace(someone, pose2d=replace(someone.pose2d, xy=xy))], H36M_17)


def test_people_without_poses_still_have_a_box_and_a_name(person):
    bare = replace(person(), pose2d=None, pose3d=None)
    assert (draw_overlay(GREY, [bare], H36M_17) != GREY).any()


def test_the_ellipse_holds_as_many_points_as_two_sigma_promise():
    rng = np.random.default_rng(0)
    covariance = np.array([[9.0, 5.0], [5.0, 4.0]])
    (a, b), angle_deg = ellipse(covariance)
    points = rng.multivariate_normal([0, 0], covariance, 40_000)
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    u = points @ [c, s]
    v = points @ [-s, c]
    inside = (u / a) ** 2 + (v / b) ** 2 < 1
    assert inside.mean() == pytest.approx(chi2(2).cdf(4), abs=0.01)
    assert a >= b
