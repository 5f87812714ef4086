"""Files that appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
from pathlib import Path
from typing import Any


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
