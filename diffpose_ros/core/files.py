"""Files that appear whole or not at all, and arrays from files that may be any."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray


@contextmanager
def whole(path: Path) -> Iterator[Path]:
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
    with whole(path) as partial:
        partial.write_bytes(data)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document for people to read, whole or not at all."""
    write_atomically(path, (json.dumps(document, indent=2) + '\n').encode())


def read_arrays(path: Path, *needed: str) -> dict[str, NDArray[Any]]:
    """Return what an npz file holds; raise ValueError when it is none or lacks what is needed."""
    try:
        with np.load(path) as content:
            arrays = dict(content)
    except (ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(f'{path} is no npz file of arrays; give one that is') from error
    missing = sorted(set(needed) - set(arrays))
    if missing:
        raise ValueError(f'{path} lacks {missing}; give a file that holds {list(needed)}')
    return arrays
