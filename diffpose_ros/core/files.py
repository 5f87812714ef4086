"""Files that appear whole or not at all, and arrays out of files that may be damaged."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {'numbers': 'iuf', 'integers': 'iu', 'booleans': 'biu', 'strings': 'U'}  # NumPy's letters
NONE: Mapping[str, str] = MappingProxyType({})


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """
    Yield another path to write to; what was written there takes the place of path at the end.

    When the block fails, path stays as it was and nothing else is left behind. Its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.stem}.partial{path.suffix}')
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document for people to read, whole or not at all."""
    write_atomically(path, (json.dumps(document, indent=2) + '\n').encode())


def check_name(path: Path, suffix: str) -> None:
    """Raise ValueError when no file of that kind can be written there."""
    if path.suffix != suffix:
        raise ValueError(f'{path} does not end in {suffix}; name it NAME{suffix}')
    if path.is_dir():
        raise ValueError(f'{path} is a folder; name a file')


def read_arrays(
    path: Path, needed: Mapping[str, str], also: Mapping[str, str] = NONE
) -> dict[str, NDArray[Any]]:
    """
    Return arrays of an .npz file by name: those needed, and of the others what is there.

    needed, also  by name what an array is, its kind and its axes: 'numbers F [P] 17 2'; a letter
                  stands for the same length in all arrays, in brackets for one that may be missing
                  from all
    raises        OSError when it cannot be opened, ValueError when it is damaged, lacks an array
                  or has another
    """
    try:
        with np.load(path) as content:
            missing = sorted(set(needed) - set(content.files))
            arrays = {name: content[name] for name in (*needed, *also) if name in content.files}
    except FileNotFoundError:
        raise FileNotFoundError(f'no file {path}; check the path') from None
    except OSError:
        raise
    except Exception as error:  # NumPy and zipfile fail in many ways on a stranger's file
        raise ValueError(
            f'{path} is not a readable .npz file ({type(error).__name__}); get it again'
        ) from error
    if missing:
        raise ValueError(f'{path} lacks {missing}; give a file that holds these arrays')
    return _checked(path, arrays, {**needed, **also})


def _checked(
    path: Path, arrays: dict[str, NDArray[Any]], forms: Mapping[str, str]
) -> dict[str, NDArray[Any]]:
    """Return the arrays; raise ValueError where one is not of its form."""
    lengths: dict[str, int] = {}
    for name, array in arrays.items():
        kind, *axes = forms[name].split()
        known = [(axis, lengths[axis]) for axis in axes if axis in lengths]
        told = ', '.join(f'{axis} = {n}' if n >= 0 else f'no {axis}' for axis, n in known)
        if array.dtype.kind not in KINDS[kind] or not _fits(array.shape, axes, lengths):
            raise ValueError(
                f'{path} has {name} of {array.dtype} and shape {array.shape}; give {kind} of '
                f'shape ({", ".join(axes)})' + (f', here {told}' if told else '')
            )
        if kind == 'booleans':  # some write them as integers
            arrays[name] = array != 0
    return arrays


def _fits(shape: tuple[int, ...], axes: list[str], lengths: dict[str, int]) -> bool:
    """Say whether a shape has these axes; new lengths are noted, -1 = missing."""
    found = list(shape)
    optional = [i for i, axis in enumerate(axes) if axis.startswith('[')]
    if optional and len(found) == len(axes) - 1:
        found.insert(optional[0], -1)
    return len(found) == len(axes) and all(
        n == (int(axis) if axis.isdigit() else lengths.setdefault(axis, n))
        for axis, n in zip(axes, found, strict=True)
    )
