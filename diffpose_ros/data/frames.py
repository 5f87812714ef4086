"""Whole pictures with one labelled person each (LSP Extended)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from diffpose_ros.core.files import read_arrays
from diffpose_ros.data import archives
from diffpose_ros.data.labelled import file_number, FOLDS, held_out, read_duplicates
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
COLUMNS = {
    'filenames': 'strings N',
    'joint_names': 'strings J',
    'joints_px': 'numbers N J 2',
    'labelled': 'booleans N J',
}
BYSTANDERS = {
    'filenames': 'strings N',
    'joints_px': 'numbers N J 2',
    'visible': 'booleans N J',
    'joint_names': 'strings J',
}


@dataclass(frozen=True)
class Picture:
    """
    One picture and the joints of one person in it; others may be in it, too.

    image   (H, W, 3)  RGB
    joints  {name: (2,)}  labelled joints, pixels, pixel centres at integers
    hidden  names of those joints that something covers
    others  who else was found in the picture
    """

    image: Image
    joints: dict[str, NDArray[np.float64]]
    hidden: frozenset[str] = frozenset()
    others: tuple['Picture', ...] = ()

    @property
    def points(self) -> NDArray[np.float64]:
        """Labelled joints (n, 2) without their names."""
        return np.stack(list(self.joints.values()))


class Frames:
    """
    Labelled pictures of lsp_extended_frames, kept compressed in memory, decoded when asked for.

    folder      holds lsp_extended_frames.tar, .npz and lsp_extended_duplicate_ids.txt
    fold        TEST or VALIDATION of data.labelled; None = the pictures to train on
    bystanders  NPZ of train.bystanders: people whom nobody labelled
    """

    def __init__(
        self, folder: Path, fold: int | None = None, bystanders: Path | None = None
    ) -> None:
        archive, labels = folder / 'lsp_extended_frames.tar', folder / 'lsp_extended_frames.npz'
        for path in (archive, labels):
            if not path.is_file():
                raise FileNotFoundError(f'{path} is missing; give the folder that holds it')
        table = read_arrays(labels, COLUMNS)
        names = table['filenames'].tolist()
        self._labelled = table['labelled'] & np.isfinite(table['joints_px']).all(axis=-1)
        known = np.flatnonzero(self._labelled.any(axis=1))
        self._chosen = np.intersect1d(side(names, folder, fold), known)
        self.names = [names[i] for i in self._chosen]
        self._joint_names = table['joint_names'].tolist()
        self._joints = table['joints_px']
        self._files = read_files(archive, self.names, labels)
        self._others = read_bystanders(bystanders) if bystanders else {}

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, position: int) -> Picture:
        row = self._chosen[position]
        joints = {
            name: self._joints[row, j].astype(float)
            for j, name in enumerate(self._joint_names)
            if self._labelled[row, j]
        }
        name = self.names[position]
        image = decode(self._files[name], name)
        others = [Picture(image, *person) for person in self._others.get(name, [])]
        return Picture(image, joints, others=tuple(others))


def read_files(archive: Path, names: Sequence[str], labels: Path) -> dict[str, bytes]:
    """Return the files of a tar by name; raise ValueError where one that is labelled is not."""
    files = archives.files(archive)
    missing = [name for name in names if name not in files]
    if missing:
        raise ValueError(
            f'there is no picture {missing[0]}, nor {len(missing) - 1} more of {labels}, in '
            f'{archive}; give the tar that belongs to it'
        )
    return files


def read_bystanders(path: Path) -> dict[str, list[tuple[dict[str, NDArray], frozenset[str]]]]:
    """Return joints and names of the hidden ones of each person, by the picture's name."""
    people = defaultdict(list)
    table = read_arrays(path, BYSTANDERS)
    *columns, joint_names = table.values()
    joints = joint_names.tolist()
    for name, xy, visible in zip(*columns, strict=True):
        hidden = frozenset(j for j, seen in zip(joints, visible, strict=True) if not seen)
        people[str(name)].append((dict(zip(joints, xy.astype(float), strict=True)), hidden))
    return people


def side(names: Sequence[str], folder: Path, fold: int | None) -> NDArray[np.int64]:
    """Return the positions of the files of one fold, or of all that may be trained on."""
    numbers = np.array([file_number(name) for name in names])
    if fold is not None:
        return np.flatnonzero(numbers % FOLDS == fold)
    pairs = read_duplicates(folder / 'lsp_extended_duplicate_ids.txt')
    return np.flatnonzero(~held_out(numbers, pairs))


def decode(data: bytes, name: str) -> Image:
    """Return the RGB picture of an encoded file's bytes; raise ValueError when it is none."""
    picture = archives.decode(data)
    if picture is None:
        raise ValueError(f'{name} is no readable picture; get its tar again')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
