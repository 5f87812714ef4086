"""
Human3.6M as VideoPose3D prepares it: data_3d_h36m.npz and data_2d_h36m_*.npz.

The 3D file has 32 joints in the world's frame, or 17; the 2D file has 17 joints in the pictures of
four cameras.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from diffpose_ros.data.formats.arrays import check_poses, JOINTS, read_dictionary
from diffpose_ros.data.formats.captures import Capture, find_camera, read_cameras
from diffpose_ros.data.formats.motion3d import entry_of, H36M_FPS, RAW_JOINTS, seventeen
import numpy as np

CAMERAS = ('54138969', '55011271', '58860488', '60457274')  # in the order of the 2D file
TEST_SUBJECTS = ('S9', 'S11')


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
        for action, joints in entry_of(in_world, subject, poses).items():
            views = entry_of(entry_of(in_pictures, subject, detections), action, detections)
            if len(views) != len(CAMERAS):
                raise ValueError(
                    f'{detections} has {len(views)} views of {subject}/{action}, not those of '
                    f'{len(CAMERAS)} cameras; get it again'
                )
            for name, pixels in zip(CAMERAS, views, strict=True):
                view = find_camera(placed, f'{subject}_{name}')
                label = f'{subject}/{action}.{name}'
                xyz = view.into(seventeen(check_poses(label, joints, 3, (JOINTS, RAW_JOINTS))))
                uv = check_poses(label, pixels, 2)[: len(xyz)]  # some videos are longer
                if len(uv) < len(xyz):
                    raise ValueError(
                        f'{label} has {len(uv)} poses in {detections}, {len(xyz)} in {poses}; '
                        'get both again'
                    )
                counted = np.ones(len(uv), bool)
                yield Capture(label, action.split()[0], view.camera, uv, xyz, counted, H36M_FPS)
