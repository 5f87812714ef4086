"""Pickled dictionaries of arrays, as data sets of 3D poses are passed on, read without harm."""

from collections.abc import Sequence
import io
from pathlib import Path
import pickle
from typing import Any
import zipfile

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
