"""The test set of MPI-INF-3DHP as P-STMO prepares it: data_test_3dhp.npz."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffpose_ros.data.formats.arrays import check_poses, read_dictionary
from diffpose_ros.data.formats.captures import Capture, find_camera, Placed, read_cameras
from diffpose_ros.data.formats.motion3d import MPI_FPS, MPI_ORDER
import numpy as np


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
    pixels = check_poses(name, sequence['data_2d'], 2)[:, MPI_ORDER]
    joints = check_poses(name, sequence['data_3d'], 3)[:, MPI_ORDER] / 1000
    counted = np.ravel(sequence['valid']).astype(bool)
    lengths = len(pixels), len(joints), len(counted)
    if len(set(lengths)) > 1:
        raise ValueError(
            f'{name} has data_2d, data_3d and valid of {lengths} frames; get it again'
        )
    return Capture(name, name, placed.camera, pixels, joints, counted, MPI_FPS)
