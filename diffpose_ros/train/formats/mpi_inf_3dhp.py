"""The test set of MPI-INF-3DHP as P-STMO prepares it: data_test_3dhp.npz."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.train.formats.captures import (
    Capture,
    check_poses,
    find_camera,
    Placed,
    read_cameras,
    read_dictionary,
)
import numpy as np

FPS = 25  # the files do not say; windows in time depend on it
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
