"""Pictures in tars; train.teacher reads them where there is little but NumPy and OpenCV."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import tarfile

import cv2
import numpy as np
from numpy.typing import NDArray


def pictures(images: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield name and BGR pixels of each picture in a tar; other files in it are passed over."""
    with tarfile.open(images) as archive:
        streams = ((member.name, archive.extractfile(member)) for member in archive)
        files = [(Path(name).name, stream.read()) for name, stream in streams if stream]
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(decode, (data for _, data in files))
        for (name, _), picture in zip(files, decoded, strict=True):
            if picture is not None:
                yield name, picture


def decode(data: bytes) -> NDArray[np.uint8] | None:
    """Return the BGR pixels of an encoded picture; None if it is none."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
