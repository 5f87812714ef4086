"""Files that appear whole or not at all, and arrays out of files that may be damaged."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    path: Path, needed: Sequence[str], also: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """
    Return arrays of an .npz file by name: those needed, and of the others what is there.

    raises  OSError when it cannot be opened, ValueError when it is damaged or lacks one
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
    return arrays
