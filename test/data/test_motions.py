"""What the lifter learns from: made-up files in the published layouts of the three data sets."""

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.formats.motion3d import KEPT, MPI_JOINTS
from diffpose_ros.data.motions import H36M_FILE, motion_clips, motion_files, MPI_FILE
from diffpose_ros.train import lift3d
import numpy as np
import pytest
import torch

J = len(H36M_17.joints)
SIDES = H36M_17.index('r_hip', 'l_hip', 'nose', 'head_top', 'r_ankle')


def standing(frames):
    """Return people who face the z axis, y up, and walk along it (F, J, 3)."""
    joints = 0.05 * np.random.default_rng(0).normal(size=(J, 3))
    joints[list(SIDES)] = [[-0.1, 0, 0], [0.1, 0, 0], [0, 0.6, 0.1], [0, 0.8, 0], [-0.1, -0.9, 0]]
    joints[0] = 0
    return joints + [0, 1, 0] + np.linspace(0, 1, frames)[:, None, None] * [0, 0, 1]


def write_h36m(folder, subjects=('S1', 'S5', 'S6', 'S7', 'S8')):
    """Write two actions per subject; z is up."""
    poses = np.zeros((40, 32, 3))
    poses[:, KEPT] = standing(40) @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    actions = {'Walking': poses, 'Walking 1': poses[:30]}
    np.savez(folder / H36M_FILE, positions_3d=dict.fromkeys(subjects, actions))


def write_3dhp(folder, subjects=range(1, 9)):
    """Write two sequences per subject, seen by two cameras; the second one is on its side."""
    order = [H36M_17.joints.index(name) for name in MPI_JOINTS]
    seen = 1000 * (standing(40) * [1, -1, -1] + [0, 0, 4])[:, order]
    cameras = {'0': {'data_3d': seen}, '1': {'data_3d': seen[..., [1, 0, 2]]}}
    names = [f'S{subject} Seq{sequence}' for subject in subjects for sequence in (1, 2)]
    np.savez(folder / MPI_FILE, data={name: [cameras] for name in names})


WRITERS = [write_h36m, write_3dhp]


@pytest.mark.parametrize('write', WRITERS)
def test_people_stand_upright_in_metres_and_walk_as_they_did(tmp_path, write):
    write(tmp_path)
    clips = motion_clips(tmp_path, 'held_out')
    expected = torch.from_numpy(standing(40)).float()
    last = int(clips.last[0])
    torch.testing.assert_close(clips.joints[0], expected[0] - expected[0, 0])
    way = clips.root[last] - clips.root[0]
    torch.testing.assert_close(way, expected[last, 0] - expected[0, 0])


def test_actions_of_human36m_are_clips_of_50_frames_a_second(tmp_path):
    write_h36m(tmp_path)
    clips = motion_clips(tmp_path, 'train')
    assert clips.fps == 50
    assert len(clips.joints) == 4 * (40 + 30)
    assert clips.last.unique().tolist()[:2] == [39, 69]


def test_sequences_of_3dhp_filmed_at_50_are_thinned_to_25(tmp_path):
    write_3dhp(tmp_path)
    clips = motion_clips(tmp_path, 'train')
    lengths = torch.diff(clips.first.unique(), append=torch.tensor([len(clips.first)]))
    assert clips.fps == 25
    assert lengths.tolist()[:6] == [40, 20, 40, 40, 20, 20]  # S1, S2, S3


@pytest.mark.parametrize('write', WRITERS)
def test_the_lifter_trains_on_the_data_set(tmp_path, write, monkeypatch):
    monkeypatch.setattr(lift3d, 'HELD_OUT_WINDOWS', 4)
    write(tmp_path)
    config = lift3d.TrainConfig(minutes=1, batch=2)
    trainer = lift3d.Trainer(config, tmp_path, tmp_path, torch.device('cpu'))
    assert all(np.isfinite(value) for value in trainer.train_step().values())
    assert trainer.files == motion_files(tmp_path)


def test_a_folder_of_no_or_several_data_sets_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'holds 0 data sets; give a folder with \*_train\.npz'):
        motion_files(tmp_path)
    write_h36m(tmp_path)
    write_3dhp(tmp_path)
    with pytest.raises(ValueError, match='holds 2 data sets'):
        motion_files(tmp_path)


def test_a_subject_that_is_missing_is_named(tmp_path):
    write_3dhp(tmp_path, subjects=[1])
    with pytest.raises(ValueError, match='lacks S8; get it again'):
        motion_clips(tmp_path, 'held_out')


def test_a_sequence_without_poses_is_named(tmp_path):
    np.savez(tmp_path / MPI_FILE, data={'S8 Seq1': [{'0': {}}]})
    with pytest.raises(ValueError, match='S8 Seq1 lacks a camera with data_3d'):
        motion_clips(tmp_path, 'held_out')


def write_mocap(path, clips, fps=30):
    joints = np.tile(standing(20) - standing(20)[:, :1], (clips, 1, 1))
    np.savez(
        path,
        joint_names=H36M_17.joints,
        clip_lengths=np.full(clips, 20),
        clip_names=[f'mine/{i}' for i in range(clips)],
        joints_root_relative_m=joints,
        root_m=np.zeros((len(joints), 3)),
        fps=fps,
    )


def test_own_motion_capture_is_learnt_from_and_a_part_of_it_held_out(tmp_path):
    write_mocap(tmp_path / 'mine_train.npz', clips=40)
    write_mocap(tmp_path / 'others_train.npz', clips=40)
    counts = [len(motion_clips(tmp_path, part).joints) for part in ('train', 'held_out')]
    assert sum(counts) == 2 * 40 * 20
    assert 0 < counts[1] < counts[0] / 3


def test_motion_capture_of_several_rates_is_refused(tmp_path):
    write_mocap(tmp_path / 'mine_train.npz', clips=40)
    write_mocap(tmp_path / 'others_train.npz', clips=40, fps=60)
    with pytest.raises(ValueError, match=r'clips of \[30, 60\] frames per second'):
        motion_clips(tmp_path, 'train')
