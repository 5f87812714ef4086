"""
What the lifter learns from: the motion files in a folder, one data set, told by its name.

mocap         cmu_train.npz and deepmimic_train.npz; a tenth of CMU's motions is held out
Human3.6M     data_3d_h36m.npz of VideoPose3D; subjects 1, 5, 6, 7, and 8 held out
MPI-INF-3DHP  data_train_3dhp.npz of P-STMO; subjects 1 to 7, and 8 held out

2D labels of these sets are not used: every window is seen by a camera of its own.
"""

from collections.abc import Iterable
from pathlib import Path

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.train.formats import motion3d
from diffpose_ros.train.formats.arrays import Floats
from diffpose_ros.train.mocap import Clips, join_clips, lay_clips, load_clips
import numpy as np
import torch

MOCAP = {'cmu_train.npz': 1.0, 'deepmimic_train.npz': 6.0}  # file: weight of a frame
HELD_OUT_MOCAP = 'cmu_train.npz'
H36M_FILE, MPI_FILE = 'data_3d_h36m.npz', 'data_train_3dhp.npz'
(HIP,) = H36M_17.index('hip')


def motion_files(data: Path) -> list[str]:
    """Return the names of the files that a folder's data set consists of."""
    sets = (sorted(MOCAP), [H36M_FILE], [MPI_FILE])
    found = [files for files in sets if all((data / name).is_file() for name in files)]
    if len(found) != 1:
        known = ', or '.join(' and '.join(files) for files in sets)
        raise ValueError(f'{data} holds {len(found)} data sets; give a folder with {known}')
    return found[0]


def motion_clips(data: Path, part: str) -> Clips:
    """Return the motions of a folder; part is train or held_out."""
    files = motion_files(data)
    if files == [H36M_FILE]:
        motions = motion3d.read_h36m_motions(data / H36M_FILE, motion3d.H36M_TRAINING[part])
        return lay_end_to_end(motions, motion3d.H36M_FPS)
    if files == [MPI_FILE]:
        motions = motion3d.read_3dhp_motions(data / MPI_FILE, motion3d.MPI_TRAINING[part])
        return lay_end_to_end(motions, motion3d.MPI_FPS)
    if part == 'held_out':
        return load_clips(data / HELD_OUT_MOCAP, part)
    return join_clips([load_clips(data / name, part, MOCAP[name]) for name in MOCAP])


def lay_end_to_end(motions: Iterable[Floats], fps: int) -> Clips:
    """Return motions (F, J, 3), metres, world frame with y up, as clips."""
    parts = list(motions)
    lengths = torch.tensor([len(part) for part in parts])
    joints = torch.from_numpy(np.concatenate(parts)).float()
    root = joints[:, HIP]
    return lay_clips(joints - root[:, None], root, lengths, 1.0, fps)
