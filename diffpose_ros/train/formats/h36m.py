"""
Human3.6M as VideoPose3D prepares it: data_3d_h36m.npz and data_2d_h36m_*.npz.

The 3D file has 32 joints in the world's frame, or 17; the 2D file has 17 joints in the pictures of
four cameras.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from diffpose_ros.train.formats.captures import (
    Capture,
    check_poses,
    find_camera,
    Floats,
    JOINTS,
    read_cameras,
    read_dictionary,
)
import numpy as np

CAMERAS = ('54138969', '55011271', '58860488', '60457274')  # in the order of the 2D file
TRAINING = {'train': ('S1', 'S5', 'S6', 'S7'), 'held_out': ('S8',)}  # subjects
TEST_SUBJECTS = ('S9', 'S11')
FPS = 50
RAW_JOINTS = 32  # with copies and fingers; these are left, in the order of H36M_17:
KEPT = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)


def read_h36m(
    poses: Path, detections: Path, cameras: Path, subjects: Sequence[str] = TEST_SUBJECTS
) -> Iterator[Capture]:
    """
    Read one capture per subject, action and camera.

    poses       data_3d_h36m.npz
    detections  data_2d_h36m_gt.npz, data_2d_h36m_cpn_ft_h36m_dbb.npz or the like
    cameras     calibrations, named like S9_54138969
    """
    placed = read_cameras(cameras)
    in_world = read_dictionary(poses, 'positions_3d')
    in_pictures = read_dictionary(detections, 'positions_2d')
    for subject in subjects:
        for action, joints in _of(in_world, subject, poses).items():
            views = _of(_of(in_pictures, subject, detections), action, detections)
            for name, pixels in zip(CAMERAS, views, strict=True):
                view = find_camera(placed, f'{subject}_{name}')
                label = f'{subject}/{action}.{name}'
                xyz = view.into(_seventeen(check_poses(label, joints, 3, (JOINTS, RAW_JOINTS))))
                uv = check_poses(label, pixels, 2)[: len(xyz)]  # some videos are longer
                counted = np.ones(len(uv), bool)
                yield Capture(
                    label, action.split()[0], view.camera, uv, xyz[: len(uv)], counted, FPS
                )


def read_h36m_motions(poses: Path, subjects: Sequence[str]) -> Iterator[Floats]:
    """Read data_3d_h36m.npz alone: joints (F, J, 3) per action, metres, world frame with y up."""
    in_world = read_dictionary(poses, 'positions_3d')
    for subject in subjects:
        for action, joints in _of(in_world, subject, poses).items():
            label = f'{subject}/{action}'
            xyz = _seventeen(check_poses(label, joints, 3, (JOINTS, RAW_JOINTS)))
            yield xyz[..., [0, 2, 1]] * [1, 1, -1]  # its own frame has z up


def _seventeen(joints: Floats) -> Floats:
    return joints[:, KEPT] if joints.shape[1] == RAW_JOINTS else joints


def _of(content: dict[str, Any], key: str, path: Path) -> Any:
    if key not in content:
        raise ValueError(f'{path} lacks {key!r}, it has {sorted(content)[:4]} …; get it again')
    return content[key]
