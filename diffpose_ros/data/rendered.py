"""Rendered pictures in which everybody is labelled, as train.synthetic writes them."""

from pathlib import Path

from diffpose_ros.core.files import read_arrays
from diffpose_ros.data.frames import decode, Image, Picture, read_files
import numpy as np
from numpy.typing import NDArray

COLUMNS = {
    'filenames': 'strings N 1',
    'count': 'integers N',
    'joints_px': 'numbers N P J 2',
    'visible': 'booleans N P J',
}
UNLABELLED = 'nose'  # by the photographs


class Rendered:
    """
    The shards pictures_*.tar and .npz of a folder, kept compressed in memory.

    raises  ValueError when the folder holds none
    """

    def __init__(self, folder: Path) -> None:
        shards = sorted(folder.glob('pictures_*.npz'))
        if not shards:
            raise ValueError(f'{folder} holds no pictures_*.npz; make them or leave it out')
        self._files: list[tuple[str, bytes]] = []  # by name
        self._people: list[list[tuple[NDArray, NDArray]]] = []  # joints and what is seen of them
        for shard in shards:
            self._read(shard)

    def _read(self, shard: Path) -> None:
        table = read_arrays(shard, {**COLUMNS, 'joint_names': 'strings J'})
        self._names = table['joint_names'].tolist()
        names, *columns = (table[name] for name in COLUMNS)
        files = read_files(shard.with_suffix('.tar'), names[:, 0].tolist(), shard)
        for (name,), n, joints, visible in zip(names, *columns, strict=True):
            self._files.append((str(name), files[name]))
            self._people.append(list(zip(joints[:n], visible[:n], strict=True)))

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, position: int) -> tuple[Image, list[Picture]]:
        """Return a picture, and as many views of it as it has labelled people."""
        name, data = self._files[position]
        image = decode(data, name)
        people = [self._person(image, *person) for person in self._people[position]]
        return image, [person for person in people if person.joints]

    def _person(self, image: Image, joints: NDArray, visible: NDArray) -> Picture:
        # What lies beyond the border is drawn to it: a body ends where its picture ends.
        inside = np.clip(joints.astype(float), 0, np.array(image.shape[1::-1]) - 1)
        known = {
            name: xy
            for name, xy in zip(self._names, inside, strict=True)
            if name != UNLABELLED and not np.isnan(xy).any()
        }
        hidden = {name for name, seen in zip(self._names, visible, strict=True) if not seen}
        return Picture(image, known, frozenset(hidden))
