"""Camera calibrations from files: ROS' camera_info YAML, or K and dist in an .npz."""

from pathlib import Path
from typing import Any

from diffpose_ros.core.camera import Camera
import numpy as np
import yaml


def read_camera(path: Path, width: int, height: int) -> Camera:
    """
    Return the calibration of a camera whose images have this size in pixels.

    path    .yaml as camera_calibration and camera_info_manager write it, or .npz with K and dist
    raises  FileNotFoundError, or ValueError when it is unreadable or of another image size
    """
    if not path.is_file():
        raise FileNotFoundError(f'no calibration {path}; check the path')
    try:
        camera = _from_npz(path, width, height) if path.suffix == '.npz' else _from_yaml(path)
    except Exception as error:  # NumPy, zipfile and YAML fail in many ways on a stranger's file
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'{path} is not a camera calibration ({type(error).__name__}: {reason}); '
            'give the YAML file that ROS camera_calibration writes'
        ) from error
    if (camera.width, camera.height) != (width, height):
        raise ValueError(
            f'{path} is for images of {camera.width}x{camera.height}, these have '
            f'{width}x{height}; give the calibration of this image size'
        )
    return camera


def calibration_beside(video: Path) -> Path | None:
    """Return the calibration that lies beside a video under the same name, if there is one."""
    beside = video.with_suffix('.yaml')
    return beside if beside.is_file() else None


def _from_yaml(path: Path) -> Camera:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return Camera(
        K=np.array(content['camera_matrix']['data'], np.float64).reshape(3, 3),
        width=int(content['image_width']),
        height=int(content['image_height']),
        distortion=np.array(content['distortion_coefficients']['data'], np.float64),
        model=content['distortion_model'],
    )


def _from_npz(path: Path, width: int, height: int) -> Camera:
    with np.load(path) as content:
        K = np.array(content['K'], np.float64)
        return Camera(K, width, height, np.array(content['dist'], np.float64).ravel())
