"""
The 3D poses of Human3.6M and MPI-INF-3DHP as motion, for training: no cameras, no 2D labels.

Needs NumPy alone, since training runs where nothing else is installed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.formats.arrays import check_poses, Floats, JOINTS, read_dictionary

H36M_TRAINING = {'train': ('S1', 'S5', 'S6', 'S7'), 'held_out': ('S8',)}  # subjects
H36M_FPS = 50
RAW_JOINTS = 32  # with copies and fingers; these are left, in the order of H36M_17:
KEPT = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
MPI_FPS = 25  # the files do not say; windows in time depend on it
MPI_FAST = ('S1 Seq2', 'S3 Seq1', 'S3 Seq2', 'S5 Seq1', 'S5 Seq2')  # filmed at 50
MPI_TRAINING = {'train': [f'S{i}' for i in range(1, 8)], 'held_out': ['S8']}  # subjects
# The data set's order, in our names; its neck and head are Human3.6M's thorax and nose.
MPI_JOINTS = tuple(
    'head_top thorax r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist'
    ' r_hip r_knee r_ankle l_hip l_knee l_ankle hip spine nose'.split()
)
MPI_ORDER = [MPI_JOINTS.index(joint) for joint in H36M_17.joints]


def read_h36m_motions(poses: Path, subjects: Sequence[str]) -> Iterator[Floats]:
    """Read data_3d_h36m.npz alone: joints (F, J, 3) per action, metres, world frame with y up."""
    in_world = read_dictionary(poses, 'positions_3d')
    for subject in subjects:
        for action, joints in entry_of(in_world, subject, poses).items():
            label = f'{subject}/{action}'
            xyz = seventeen(check_poses(label, joints, 3, (JOINTS, RAW_JOINTS)))
            yield xyz[..., [0, 2, 1]] * [1, 1, -1]  # its own frame has z up


def seventeen(joints: Floats) -> Floats:
    """Return the joints of H36M_17 (F, 17, 3) from those or the raw ones (F, 32, 3)."""
    return joints[:, KEPT] if joints.shape[1] == RAW_JOINTS else joints


def entry_of(content: dict[str, Any], key: str, path: Path) -> Any:
    """Return an entry of a file's dictionary; raise ValueError where it lacks one."""
    if key not in content:
        raise ValueError(f'{path} lacks {key!r}, it has {sorted(content)[:4]} …; get it again')
    return content[key]


def read_3dhp_motions(data: Path, subjects: Sequence[str]) -> Iterator[Floats]:
    """
    Read joints (F, J, 3) per sequence of the training set, metres, y up, MPI_FPS frames a second.

    data  per sequence, named like `S1 Seq1`, a list of one dictionary of cameras, each with
          data_3d (F, 17, 3) in mm before the camera

    All cameras saw the same, so the first is taken: it stood level, so what is up in its picture
    is up. Bodies have the size of the data set's universal skeleton.
    """
    sequences = read_dictionary(data, 'data')
    for subject in subjects:
        names = [name for name in sorted(sequences) if name.split()[0] == subject]
        if not names:
            raise ValueError(f'{data} lacks {subject}; get it again')
        for name in names:
            yield _level(name, sequences[name])[:: 2 if name in MPI_FAST else 1]


def _level(name: str, cameras: Any) -> Floats:
    try:
        joints = cameras[0][min(cameras[0])]['data_3d']
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f'{name} lacks a camera with data_3d; get the file again') from error
    return check_poses(name, joints, 3)[:, MPI_ORDER] / 1000 * [1, -1, -1]
