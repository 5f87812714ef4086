"""Clips of motion capture; made-up ones, so that no data is needed."""

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.mocap import Clips, cut_windows, join_clips, load_clips, part_of
import numpy as np
import pytest
import torch
from walking import walk

J = len(H36M_17.joints)


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
