"""MPI-INF-3DHP as P-STMO prepares it: data_test_3dhp.npz and data_train_3dhp.npz."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.train.formats.captures import (
    Capture,
    check_poses,
    find_camera,
    Floats,
    Placed,
    read_cameras,
    read_dictionary,
)
import numpy as np

FPS = 25  # the files do not say; windows in time depend on it
FAST = ('S1 Seq2', 'S3 Seq1', 'S3 Seq2', 'S5 Seq1', 'S5 Seq2')  # filmed at 50
TRAINING = {'train': [f'S{i}' for i in range(1, 8)], 'held_out': ['S8']}  # subjects
# The data set's order, in our names; its neck and head are Human3.6M's thorax and nose.
JOINTS = tuple(
    'head_top thorax r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist'
    ' r_hip r_knee r_ankle l_hip l_knee l_ankle hip spine nose'.split()
)
ORDER = [JOINTS.index(joint) for joint in H36M_17.joints]


def read_3dhp(data: Path, cameras: Path) -> Iterator[Capture]:
    """
    Read one capture per sequence, TS1 to TS6.

    data     per sequence data_2d (F, 17, 2) in pixels, data_3d (F, 17, 3) in mm before the camera
             and valid (F,): the frames that count
    cameras  calibrations, named like TS1
    """
    placed = read_cameras(cameras)
    for name, sequence in sorted(read_dictionary(data, 'data').items()):
        try:
            yield _capture(name, sequence, find_camera(placed, name))
        except (KeyError, TypeError) as error:
            raise ValueError(f'{data}: {name} lacks {error}; get the file again') from error


def _capture(name: str, sequence: dict[str, Any], placed: Placed) -> Capture:
    pixels = check_poses(name, sequence['data_2d'], 2)[:, ORDER]
    joints = check_poses(name, sequence['data_3d'], 3)[:, ORDER] / 1000
    counted = np.ravel(sequence['valid']).astype(bool)
    return Capture(name, name, placed.camera, pixels, joints, counted, FPS)


def read_3dhp_motions(data: Path, subjects: Sequence[str]) -> Iterator[Floats]:
    """
    Read joints (F, J, 3) per sequence of the training set, metres, y up, FPS frames a second.

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
            yield _level(name, sequences[name])[:: 2 if name in FAST else 1]


def _level(name: str, cameras: Any) -> Floats:
    try:
        joints = cameras[0][min(cameras[0])]['data_3d']
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f'{name} lacks a camera with data_3d; get the file again') from error
    return check_poses(name, joints, 3)[:, ORDER] / 1000 * [1, -1, -1]
