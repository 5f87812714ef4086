"""Pictures in tars; train.teacher reads them where there is little but NumPy and OpenCV."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import lzma
from pathlib import Path
import tarfile
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray


def pictures(images: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield name and BGR pixels of each picture in a tar; other files in it are passed over."""
    found = files(images)
    with ThreadPoolExecutor() as pool:
        for name, picture in zip(found, pool.map(decode, found.values()), strict=True):
            if picture is not None:
                yield Path(name).name, picture


def files(archive: Path) -> dict[str, bytes]:
    """Return the files of a tar by name; raise ValueError when it is none, or not whole."""
    try:
        with tarfile.open(archive) as tar:
            streams = ((member.name, tar.extractfile(member)) for member in tar)
            return {name: stream.read() for name, stream in streams if stream}
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f'{archive} is no whole tar; give a tar of pictures') from error


def decode(data: bytes) -> NDArray[np.uint8] | None:
    """Return the BGR pixels of an encoded picture; None if it is none."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
