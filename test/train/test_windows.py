"""What widens motion capture, films it and blurs it; made-up clips, so that no data is needed."""

import math

from diffpose_ros.core.sighting import centre, Sighting
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.train.kinematics import Body, frames_of, limb_directions, pose_legs
from diffpose_ros.train.motion_sampler import body_scales, mirror, MotionSampler
from diffpose_ros.train.noise2d import corrupt
from diffpose_ros.train.random_cameras import random_orientations
from diffpose_ros.train.timing import KINDS, sample_times
from diffpose_ros.train.windows import WindowSampler
import numpy as np
import pytest
import torch
from walking import standing, walk

J = len(H36M_17.joints)


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def test_mirror_image_of_the_mirror_image_is_the_pose():
    pose = torch.randn(3, J, 3)
    torch.testing.assert_close(mirror(mirror(pose)), pose)
    torch.testing.assert_close(mirror(standing()), standing())


def test_body_taken_apart_and_put_together_is_the_same():
    joints = torch.randn(2, 3, J, 3)
    joints = joints - joints[:, :, :1]
    torch.testing.assert_close(Body.of(joints).joints(), joints)


def test_pelvis_frame_of_a_standing_person_looks_forward():
    frame = frames_of(Body.of(standing()[None, None]))[0, 0]
    torch.testing.assert_close(frame, torch.eye(3))


@pytest.mark.parametrize(
    ('angles', 'upper', 'lower'),
    [
        ((0, 0, 0, 0), (0, -1, 0), (0, -1, 0)),
        ((90, 0, 90, 0), (0, 0, 1), (0, -1, 0)),  # seated
        ((0, 90, 0, 0), (1, 0, 0), (1, 0, 0)),  # the left leg out to the left
    ],
)
def test_leg_angles_mean_what_they_say(angles, upper, lower):
    directions = limb_directions(torch.tensor(angles).deg2rad(), 1, -1)
    torch.testing.assert_close(directions[:, 0], torch.tensor(upper).float(), atol=1e-6, rtol=0)
    torch.testing.assert_close(directions[:, 1], torch.tensor(lower).float(), atol=1e-6, rtol=0)


def test_bent_arm_brings_the_hand_forward():
    directions = limb_directions(torch.tensor([0, 0, math.pi / 2, 0]), 1, 1)
    torch.testing.assert_close(directions[:, 1], torch.tensor([0.0, 0, 1]), atol=1e-6, rtol=0)


def test_posed_legs_keep_their_lengths_and_spare_the_others(random):
    body = Body.of(standing().repeat(2, 5, 1, 1))
    posed = pose_legs(body, torch.tensor([True, False]), random)
    torch.testing.assert_close(posed.bones.norm(dim=-1), body.bones.norm(dim=-1))
    assert torch.equal(posed.bones[1], body.bones[1])
    assert not torch.allclose(posed.bones[0], body.bones[0])


def test_some_lift_one_leg_and_stand_on_the_other(random):
    body = Body.of(standing().repeat(200, 5, 1, 1))
    posed = pose_legs(body, torch.ones(200, dtype=torch.bool), random)
    moved = (posed.bones != body.bones).any(dim=-1).any(dim=1)
    left, right = (moved[:, H36M_17.index(knee)[0]] for knee in ('l_knee', 'r_knee'))
    assert (left | right).all()
    assert 20 <= (left & ~right).sum() <= 60
    assert 20 <= (right & ~left).sum() <= 60


def test_bodies_are_alike_on_both_sides_within_a_few_per_cent(random):
    scale = body_scales(200, random)
    ratio = scale / scale[:, H36M_17.mirror]
    assert (ratio - 1).abs().max() < 0.06
    spine, thorax = H36M_17.index('spine', 'thorax')
    torch.testing.assert_close(scale[:, spine], scale[:, thorax])


@pytest.mark.parametrize('kind', KINDS)
def test_slots_hold_frames_of_their_time_and_the_key(kind, random):
    times, present = sample_times(500, 27, 13, kind, random)
    slots = torch.arange(27) - 13
    assert present[:, 13].all()
    assert (times - slots).abs()[present].max() < 0.9
    assert bool(present[:, 14:].any()) == (kind == 'centred')
    assert bool(present[:, :13].any()) == (kind != 'single')


def test_orientations_are_rotations_that_keep_most_people_upright(random):
    R = random_orientations(500, random)
    torch.testing.assert_close(R @ R.transpose(1, 2), torch.eye(3).expand(500, 3, 3))
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(500))
    assert (R[:, 1, 1] < 0).float().mean() > 0.85  # world up is up in the picture: y down


def test_claimed_covariance_holds_most_errors(random):
    rays = 0.1 * torch.randn(200, 9, J, 2, generator=random)
    seen = torch.ones(200, 9, J, dtype=torch.bool)
    estimate = corrupt(rays, seen, torch.full((200,), 0.4), random)
    wide = (estimate.score > 0) & (estimate.covariance[..., 0, 0] > 0)
    C, e = estimate.covariance[wide], (estimate.rays - rays)[wide]
    squared = (e[:, None] @ torch.linalg.inv(C) @ e[..., None]).flatten()
    assert 0.7 < (squared < 4.61).float().mean() < 0.95  # the chi-square quantile of 0.9


def test_missing_joints_are_told_apart_by_their_score(random):
    rays = 0.1 * torch.randn(300, 9, J, 2, generator=random)
    estimate = corrupt(rays, torch.ones(300, 9, J, dtype=torch.bool), torch.ones(300), random)
    missing = estimate.score == 0
    assert missing.any()
    assert torch.equal(estimate.rays[missing], torch.zeros_like(estimate.rays[missing]))


@pytest.mark.parametrize('kind', KINDS)
def test_training_windows_have_the_shapes_that_the_lifter_takes(kind, random):
    windows = WindowSampler(walk(), 13, 13, random).draw(8, kind)
    assert windows.rays.shape == (8, 27, J, 2)
    assert windows.truth.shape == (8, 27, J, 3)
    assert torch.isfinite(windows.rays).all()
    assert torch.equal(windows.truth[:, :, 0], torch.zeros(8, 27, 3))


def test_same_seed_gives_the_same_motion():
    one, other = (
        MotionSampler(walk(), 27, 13, torch.Generator().manual_seed(3)).draw(4, 'causal')[0]
        for _ in range(2)
    )
    assert torch.equal(one, other)


def test_the_camera_is_aimed_as_in_the_pipeline_at_the_joints_that_are_told(random):
    windows = WindowSampler(walk(), 13, 13, random).draw(200, 'causal')
    key, told = windows.rays[:, 13], windows.score[:, 13] > 0
    assert (~told).any()
    for rays, known in zip(key, told, strict=True):
        sighting = Sighting(0, None, rays.numpy(), None, known.numpy())
        assert np.abs(centre(sighting)).max() < 0.05  # turned rays are not quite in the middle
