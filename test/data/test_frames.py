import io
import tarfile

import cv2
from diffpose_ros.data.frames import Frames
from diffpose_ros.data.labelled import TEST, VALIDATION
import numpy as np
import pytest

JOINTS = (
    'r_ankle r_knee r_hip l_hip l_knee l_ankle r_wrist r_elbow r_shoulder'
    ' l_shoulder l_elbow l_wrist neck head_top'
).split()
STANDING = np.array(
    [[40, 95], [40, 75], [42, 52], [52, 52], [54, 75], [54, 95], [30, 55], [33, 42], [38, 28],
     [56, 28], [61, 42], [64, 55], [47, 25], [47, 10]], np.float32,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Twenty pictures, number n all of grey n; 2 and 9 show the same."""
    names = [f'im{n:05d}.webp' for n in range(1, 21)]
    with tarfile.open(tmp_path / 'lsp_extended_frames.tar', 'w') as tar:
        for n, name in enumerate(names, start=1):
            data = cv2.imencode('.webp', np.full((100, 90, 3), 10 * n, np.uint8))[1].tobytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    joints = np.stack([STANDING + n for n in range(1, 21)])
    labelled = np.ones((20, 14), bool)
    labelled[4, 0] = False
    np.savez(
        tmp_path / 'lsp_extended_frames.npz',
        filenames=names, joints_px=joints, labelled=labelled, joint_names=JOINTS,
    )  # fmt: skip
    (tmp_path / 'lsp_extended_duplicate_ids.txt').write_text('2 9\n4 5\n')
    return tmp_path


def numbers(frames):
    return [round(frames[i].image.mean() / 10) for i in range(len(frames))]


def test_training_leaves_out_both_held_out_folds_and_their_twins(folder):
    assert numbers(Frames(folder)) == [3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 20]


def test_the_test_pictures_are_those_whose_number_nine_divides(folder):
    assert numbers(Frames(folder, TEST)) == [9, 18]
    assert numbers(Frames(folder, VALIDATION)) == [1, 10, 19]


def test_pictures_in_which_nobody_is_labelled_are_left_out(folder):
    with np.load(folder / 'lsp_extended_frames.npz') as table:
        columns = dict(table)
    columns['labelled'][2] = False
    columns['joints_px'][3] = np.nan
    np.savez(folder / 'lsp_extended_frames.npz', **columns)
    assert numbers(Frames(folder))[:2] == [5, 6]


def test_joints_stay_with_their_picture_and_unlabelled_ones_are_absent(folder):
    frames = Frames(folder)
    np.testing.assert_allclose(frames[0].joints['neck'], [50, 28])  # number 3
    assert 'r_ankle' not in frames[2].joints  # number 5
    assert len(frames[2].points) == 13


def test_a_folder_without_the_pictures_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='lsp_extended_frames'):
        Frames(tmp_path)


def test_pictures_that_cannot_be_read_are_told(folder):
    archive = folder / 'lsp_extended_frames.tar'
    whole = archive.read_bytes()
    with tarfile.open(archive) as tar:
        third, fourth = (m.offset_data for m in tar.getmembers()[2:4])
    archive.write_bytes(whole[:third] + bytes(fourth - third - 512) + whole[fourth - 512 :])
    with pytest.raises(ValueError, match=r'im00003\.webp is no readable picture'):
        Frames(folder)[0]
    archive.write_bytes(whole[: fourth + 10])
    with pytest.raises(ValueError, match=r'frames\.tar is no whole tar'):
        Frames(folder)
    with tarfile.open(archive, 'w'):
        pass
    with pytest.raises(ValueError, match=r'no picture im00003\.webp, nor 13 more of'):
        Frames(folder)
