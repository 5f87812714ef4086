"""Photographs without people: scikit-image's, and the empty sides of labelled pictures."""

import io
from pathlib import Path
import tarfile

import cv2
from diffpose_ros.core.files import read_arrays
from diffpose_ros.data.frames import decode, read_files
from diffpose_ros.data.labelled import file_number, FOLDS, TEST
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# Pictures that scikit-image carries, in colour and without people.
CARRIED = ('chelsea', 'coffee', 'rocket', 'hubble_deep_field', 'retina', 'immunohistochemistry')
TEXTURES = ('brick', 'grass', 'gravel', 'text', 'page', 'coins')
COLUMNS = {'filenames': 'strings N', 'joints_px': 'numbers N J 2', 'labelled': 'booleans N J'}
MIN_SIDE_PX = 80
MARGIN = 0.6  # of the person's box, left free around it


def carried_photographs() -> list[Picture]:
    """Return scikit-image's colour photographs."""
    from skimage import data

    return [np.ascontiguousarray(getattr(data, name)()[..., :3]) for name in CARRIED]


def carried_textures() -> list[Picture]:
    """Return scikit-image's grey textures as (rows, columns, 3)."""
    from skimage import data

    return [np.repeat(getattr(data, name)()[..., None], 3, axis=2) for name in TEXTURES]


def empty_sides(archive: Path, count: int, only_above: bool = False) -> list[Picture]:
    """
    Cut the parts beside and above the people out of labelled whole pictures.

    archive     lsp_extended_frames.tar with its .npz beside it
    only_above  leave out the sides, where unlabelled people may stand
    returns     pieces of at least MIN_SIDE_PX, none from test pictures
    """
    columns = read_arrays(archive.with_suffix('.npz'), COLUMNS)
    files = read_files(archive, columns['filenames'].tolist(), archive.with_suffix('.npz'))
    pieces: list[Picture] = []
    for name, joints, labelled in zip(*columns.values(), strict=True):
        if len(pieces) >= count:
            break
        if labelled.any() and file_number(name) % FOLDS != TEST:
            pieces += _around(decode(files[name], name), joints[labelled], only_above)
    return pieces[:count]


def encoded(picture: Picture, quality: int = 85) -> bytes:
    """Return a picture (RGB) as WebP."""
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    return cv2.imencode('.webp', np.ascontiguousarray(picture[..., ::-1]), options)[1].tobytes()


def add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with fixed date and owner to an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _around(picture: Picture, joints: NDArray[np.floating], only_above: bool) -> list[Picture]:
    width = picture.shape[1]
    low, high = joints.min(0), joints.max(0)
    room = MARGIN * max(40.0, *(high - low))
    left, top = np.floor(low - room).astype(int)
    right = int(high[0] + room)
    parts = [picture[: max(top, 0)]]
    if not only_above:
        parts += [picture[:, : max(left, 0)], picture[:, min(right, width) :]]
    return [np.ascontiguousarray(p) for p in parts if min(p.shape[:2]) >= MIN_SIDE_PX]
