"""Clips and what widens them; made-up clips, so that no data is needed."""

import math

from diffpose_ros.core.camera import look_at as core_look_at
from diffpose_ros.core.sighting import centre, Sighting
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.train.cameras import into_virtual_camera, look_at, project, random_orientations
from diffpose_ros.train.kinematics import Body, frames_of, limb_directions, pose_legs
from diffpose_ros.train.mocap import (
    body_scales,
    Clips,
    cut_windows,
    join_clips,
    load_clips,
    mirror,
    MotionSampler,
    part_of,
)
from diffpose_ros.train.noise2d import corrupt
from diffpose_ros.train.timing import KINDS, sample_times
from diffpose_ros.train.windows import WindowSampler
import numpy as np
import pytest
import torch

J = len(H36M_17.joints)
STANDING = {
    'r_hip': (-0.1, 0, 0),
    'r_knee': (-0.1, -0.4, 0),
    'r_ankle': (-0.1, -0.8, 0),
    'spine': (0, 0.22, 0),
    'thorax': (0, 0.44, 0),
    'nose': (0, 0.58, 0.06),
    'head_top': (0, 0.7, 0.02),
    'r_shoulder': (-0.16, 0.44, 0),
    'r_elbow': (-0.18, 0.16, 0),
    'r_wrist': (-0.2, -0.06, 0.05),
}


def standing():
    pose = torch.zeros(J, 3)
    for name, place in STANDING.items():
        pose[H36M_17.joints.index(name)] = torch.tensor(place)
        if name.startswith('r_'):
            left = torch.tensor(place) * torch.tensor([-1.0, 1, 1])
            pose[H36M_17.joints.index('l_' + name[2:])] = left
    return pose


def walk(frames=60):
    """Return one clip of a person who slides 1 m per second along x and nods."""
    joints = standing().repeat(frames, 1, 1)
    joints[:, H36M_17.joints.index('nose'), 2] += 0.02 * torch.sin(torch.arange(frames) / 3)
    root = torch.stack([torch.arange(frames) / 30, torch.ones(frames), torch.zeros(frames)], 1)
    zero = torch.zeros(frames, dtype=torch.long)
    return Clips(joints, root, zero, zero + frames - 1, torch.ones(frames), 30)


def write(path, names=H36M_17.joints, lengths=(30, 20), **others):
    frames = sum(lengths)
    columns = {
        'joints_root_relative_m': np.zeros((frames, J, 3), np.float16),
        'root_m': np.zeros((frames, 3), np.float32),
        'clip_lengths': np.array(lengths),
        'clip_names': np.array([f'a/walk_{i}.bvh' for i in range(len(lengths))]),
        'fps': 30,
        'joint_names': np.array(names),
    }
    np.savez(path, **{**columns, **others})
    return path


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def test_frames_know_where_their_clip_begins_and_ends(tmp_path):
    clips = load_clips(write(tmp_path / 'a.npz'))
    both = join_clips([clips, clips])
    assert both.first[[0, 29, 30, 50, 99]].tolist() == [0, 0, 30, 50, 80]
    assert both.last[[0, 29, 30, 50, 99]].tolist() == [29, 29, 49, 79, 99]


def test_other_joint_orders_are_refused(tmp_path):
    with pytest.raises(ValueError, match='convert it'):
        load_clips(write(tmp_path / 'a.npz', names=H36M_17.joints[::-1]))


@pytest.mark.parametrize(
    ('wrong', 'told'),
    [
        ({'joints_root_relative_m': np.zeros((50, J, 2))}, r'give numbers of shape \(F, J, 3\)'),
        ({'joints_root_relative_m': np.full((50, J, 3), np.nan)}, 'joints that are not finite'),
        (
            {'root_m': np.zeros((49, 3))},
            r'root_m of .* give numbers of shape \(F, 3\), here F = 50',
        ),
        ({'clip_lengths': np.array([30, 21])}, '50 frames, of which clip_lengths are no parts'),
        ({'clip_lengths': np.array([60, -10])}, '50 frames, of which clip_lengths are no parts'),
        ({'clip_lengths': np.array([30.0, 20.0])}, 'give integers'),
        ({'fps': 0}, 'fps 0; give a number above 0'),
        ({'fps': [30, 30]}, r'give numbers of shape \(\)'),
        ({'joint_names': 'hip'}, 'give strings'),
    ],
)
def test_files_whose_columns_do_not_fit_are_refused(tmp_path, wrong, told):
    with pytest.raises(ValueError, match=told):
        load_clips(write(tmp_path / 'a.npz', **wrong))


def test_rates_that_are_no_whole_numbers_are_kept(tmp_path):
    assert load_clips(write(tmp_path / 'a.npz', fps=29.97)).fps == 29.97


def test_copies_of_a_motion_lie_in_the_same_part():
    assert part_of('lab/train/walking_3.bvh') == part_of('other/lab/train/walking_3.bvh')
    parts = [part_of(f'x/motion_{i}.bvh') for i in range(1000)]
    assert 60 < parts.count('held_out') < 140


def test_window_between_frames_is_their_mean():
    clips = walk()
    joints, root, inside = cut_windows(clips, torch.tensor([10]), torch.tensor([[-1.0, 0, 0.5]]))
    expected = (clips.joints[10] + clips.joints[11]) / 2
    torch.testing.assert_close(joints[0, 2], expected)
    torch.testing.assert_close(root[0, :, 0], torch.tensor([-1.0, 0, 0.5]) / 30)
    assert inside.all()


def test_a_million_frames_lay_no_steps_between_frames():
    frames, zero = 2**20, torch.zeros(2**20, dtype=torch.long)
    joints = (torch.arange(frames) % 8.0)[:, None, None].expand(-1, 1, 3)
    clips = Clips(joints, joints[:, 0], zero, zero + frames - 1, zero + 1.0, 30)
    offset = torch.tensor([[-0.7, 0.01, 0.3]])
    found, _, _ = cut_windows(clips, torch.tensor([frames - 4]), offset)
    torch.testing.assert_close(found[0, :, 0, 0], 4 + offset[0])


def test_window_ends_with_its_clip():
    _, _, inside = cut_windows(walk(), torch.tensor([1]), torch.arange(-3.0, 3)[None])
    assert inside[0].tolist() == [False, False, True, True, True, True]


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


def test_virtual_camera_has_the_person_on_its_axis():
    points = standing()[None, None] * torch.tensor([1.0, -1, 1]) + torch.tensor([1.0, 0.5, 4])
    rays, _ = project(into_virtual_camera(points, 0))
    middle = (rays.amin(dim=2) + rays.amax(dim=2)) / 2
    assert middle.abs().max() < 0.01


def test_look_at_equals_the_pipelines():
    ray = torch.tensor([[0.3, -0.2]])
    expected = core_look_at(np.array([0.3, -0.2, 1.0]))
    np.testing.assert_allclose(look_at(ray)[0].numpy(), expected, atol=1e-6)


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
