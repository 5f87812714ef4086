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


def read_dictionary(path: Path, key: str) -> dict[str, Any]:
    """
    Read a pickled dictionary of arrays from an npz file without running code from it.

    raises  ValueError when the file, the key or the content is another
    """
    data = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = io.BytesIO(archive.read(f'{key}.npy'))
        np.lib.format.read_magic(member)
        np.lib.format.read_array_header_1_0(member)
        return dict(_built(_ArrayUnpickler(member, encoding='latin1').load()).item())
    except Exception as error:
        raise ValueError(
            f'{path} holds no dictionary of arrays under {key!r} ({error}); give the file as '
            'VideoPose3D or P-STMO prepare it'
        ) from error


class _Type:
    """What a pickle says of an array's numbers: numpy.dtype, which would believe anything."""

    def __init__(self, code: str, *_: Any) -> None:
        self._code, self._order = code, '='

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = state[1]

    def numbers(self, raw: bytes | str) -> NDArray[Any]:
        """Return what the bytes hold; old files have them as text."""
        data = raw.encode('latin1') if isinstance(raw, str) else raw
        return np.frombuffer(data, np.dtype(self._code).newbyteorder(self._order))


class _Array:
    """What a pickle says of an array; NumPy builds it when all is read."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self._shape, self._type, self._by_columns, self._raw = state

    def built(self) -> NDArray[Any]:
        """Return the array."""
        if isinstance(self._raw, list):
            flat = np.empty(len(self._raw), object)
            for i, value in enumerate(self._raw):
                flat[i] = _built(value)
        else:
            flat = self._type.numbers(self._raw)
        return flat.reshape(self._shape, order='F' if self._by_columns else 'C')


def _built(value: Any) -> Any:
    """Return containers with their arrays built."""
    if isinstance(value, dict):
        return {key: _built(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_built(item) for item in value]
    return value.built() if isinstance(value, _Array) else value


# All that a pickled dictionary of arrays and numbers needs; old files name it by old paths.
ARRAY_PARTS = {
    '_reconstruct': _Array,
    'scalar': lambda kind, raw: kind.numbers(raw)[0],
    'ndarray': _Array,
    'dtype': _Type,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Builds arrays and the containers of Python, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split('.')[0] == 'numpy' and name in ARRAY_PARTS:
            return ARRAY_PARTS[name]
        if (module, name) == ('_codecs', 'encode'):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'it asks for {module}.{name}')


def check_poses(what: str, poses: Any, axes: int, counts: Sequence[int] = (JOINTS,)) -> Floats:
    """Return poses (F, joints, axes); raise ValueError when they are other ones, or not finite."""
    array = np.asarray(poses, np.float64)
    if array.ndim != 3 or array.shape[1] not in counts or array.shape[2] != axes:
        raise ValueError(
            f'{what} has shape {array.shape}; expected (frames, {" or ".join(map(str, counts))}, '
            f'{axes})'
        )
    if not np.isfinite(array).all():
        raise ValueError(f'{what} has numbers that are not finite; get the file again')
    return array
