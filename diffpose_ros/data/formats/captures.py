"""One person before one camera: what Human3.6M and MPI-INF-3DHP come down to."""

from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from diffpose_ros.core.camera import Camera
from diffpose_ros.data.formats.arrays import Floats
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Capture:
    """
    2D and 3D poses of F frames, joints of H36M_17.

    name     where the frames are from
    group    what metrics are averaged over: the action, or the sequence
    pixels   (F, J, 2)  with the lens distortion
    joints   (F, J, 3)  metres, camera's optical frame
    counted  (F,)       bool, frames that are evaluated
    fps      frames per second
    """

    name: str
    group: str
    camera: Camera
    pixels: Floats
    joints: Floats
    counted: NDArray[np.bool_]
    fps: float


@dataclass(frozen=True)
class Placed:
    """
    A calibrated camera.

    rotation  (3, 3)  its axes in the world, as columns
    centre    (3,)    where it stands in the world, metres
    """

    camera: Camera
    rotation: Floats
    centre: Floats

    def into(self, points: Floats) -> Floats:
        """Turn points (..., 3) of the world into points of the camera's optical frame."""
        return (points - self.centre) @ self.rotation


def read_cameras(path: Path) -> dict[str, Placed]:
    """
    Read calibrations: a JSON object of cameras by name, as mmpose keeps those of both data sets.

    A camera has f, c, w, h in pixels, k and p of the lens and R, T where it stands; k, p, R and T
    may be missing.
    """
    try:
        document = json.loads(path.read_bytes())
        return {name: _placed(entry) for name, entry in document.items()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f'{path} is no file of cameras ({error!r}); give JSON with f, c, w and h by camera'
        ) from error


def _placed(entry: dict[str, Any]) -> Placed:
    fx, fy = np.ravel(entry['f'])
    cx, cy = np.ravel(entry['c'])
    k1, k2, k3 = np.ravel(entry.get('k', (0, 0, 0)))
    p1, p2 = np.ravel(entry.get('p', (0, 0)))
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    size = int(entry['w']), int(entry['h'])
    camera = Camera(K, *size, np.array([k1, k2, p1, p2, k3]))
    return Placed(camera, np.array(entry.get('R', np.eye(3))), np.ravel(entry.get('T', (0, 0, 0))))


def find_camera(cameras: dict[str, Placed], name: str) -> Placed:
    """Return a camera by name."""
    if name not in cameras:
        raise ValueError(f'the file of cameras lacks {name}; it has {sorted(cameras)[:4]} …')
    return cameras[name]
