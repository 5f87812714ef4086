"""
What the lifter learns from: the motion files in a folder, one data set, told by its name.

mocap         NAME_train.npz, as mocap.load_clips reads them; a tenth of the motions is held out
Human3.6M     data_3d_h36m.npz of VideoPose3D; subjects 1, 5, 6, 7, and 8 held out
MPI-INF-3DHP  data_train_3dhp.npz of P-STMO; subjects 1 to 7, and 8 held out

2D labels of these sets are not used: every window is seen by a camera of its own.
"""

from collections.abc import Iterable
from pathlib import Path

from diffpose_ros.core.skeleton import HIP
from diffpose_ros.data.formats import motion3d
from diffpose_ros.data.formats.arrays import Floats
from diffpose_ros.data.mocap import Clips, join_clips, lay_clips, load_clips
import numpy as np
import torch

MOCAP = '*_train.npz'
FEW_MOTIONS = {'deepmimic_train.npz': 6.0}  # file: weight of a frame; it does not validate
H36M_FILE, MPI_FILE = 'data_3d_h36m.npz', 'data_train_3dhp.npz'


def motion_files(data: Path) -> list[str]:
    """Return the names of the files that a folder's data set consists of."""
    mocap = sorted(path.name for path in data.glob(MOCAP))
    single = [[name] for name in (H36M_FILE, MPI_FILE) if (data / name).is_file()]
    found = [files for files in (mocap, *single) if files]
    if len(found) != 1:
        raise ValueError(
            f'{data} holds {len(found)} data sets; give a folder with {MOCAP}, or {H36M_FILE}, or '
            f'{MPI_FILE}'
        )
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
        files = [name for name in files if name not in FEW_MOTIONS] or files
    return join_clips(
        [load_clips(data / name, part, FEW_MOTIONS.get(name, 1.0)) for name in files]
    )


def lay_end_to_end(motions: Iterable[Floats], fps: int) -> Clips:
    """Return motions (F, J, 3), metres, world frame with y up, as clips."""
    parts = list(motions)
    lengths = torch.tensor([len(part) for part in parts])
    joints = torch.from_numpy(np.concatenate(parts)).float()
    root = joints[:, HIP]
    return lay_clips(joints - root[:, None], root, lengths, 1.0, fps)
