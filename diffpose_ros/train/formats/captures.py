"""One person before one camera: what Human3.6M and MPI-INF-3DHP come down to."""

from collections.abc import Sequence
from dataclasses import dataclass
import io
import json
from pathlib import Path
import pickle
from typing import Any
import zipfile

from diffpose_ros.core.camera import Camera
from diffpose_ros.core.skeleton import H36M_17
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
JOINTS = len(H36M_17.joints)
# All that a pickled dictionary of arrays and numbers needs; old files name it by old paths.
ARRAY_PARTS = {
    '_reconstruct': np.zeros(0).__reduce__()[0],
    'scalar': np.float64(0).__reduce__()[0],
    'ndarray': np.ndarray,
    'dtype': np.dtype,
}


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


def read_dictionary(path: Path, key: str) -> dict[str, Any]:
    """
    Read a pickled dictionary of arrays from an npz file without running code from it.

    raises  ValueError when the file, the key or the content is another
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = io.BytesIO(archive.read(f'{key}.npy'))
        np.lib.format.read_magic(member)
        np.lib.format.read_array_header_1_0(member)
        content = _ArrayUnpickler(member, encoding='latin1').load()
        return dict(content.item())
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise ValueError(
            f'{path} holds no dictionary of arrays under {key!r} ({error}); give the file as '
            'VideoPose3D or P-STMO prepare it'
        ) from error


class _ArrayUnpickler(pickle.Unpickler):
    """Builds arrays and the containers of Python, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split('.')[0] == 'numpy' and name in ARRAY_PARTS:
            return ARRAY_PARTS[name]
        if (module, name) == ('_codecs', 'encode'):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'it asks for {module}.{name}')


def check_poses(what: str, poses: Any, axes: int, counts: Sequence[int] = (JOINTS,)) -> Floats:
    """Return poses (F, joints, axes); raise ValueError when their shape is another."""
    array = np.asarray(poses, np.float64)
    if array.ndim != 3 or array.shape[1] not in counts or array.shape[2] != axes:
        raise ValueError(
            f'{what} has shape {array.shape}; expected (frames, {" or ".join(map(str, counts))}, '
            f'{axes})'
        )
    return array
