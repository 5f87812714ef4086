"""Labelled pictures of people: read, and split into those to learn from and those held out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import re

import cv2
from diffpose_ros.core.files import read_arrays
from diffpose_ros.core.skeleton import POSETRACK_15, Skeleton
from diffpose_ros.data import archives
import numpy as np
from numpy.typing import NDArray

FOLDS = 9
TEST, VALIDATION = 0, 1  # folds by file number: never trained on
FOLD_NUMBERS = {'test': TEST, 'validation': VALIDATION}
TORSO = ('r_shoulder', 'l_hip')
LEAST_LABELLED = 3  # joints that a person to learn from must have
COLUMNS = {
    'filenames': 'strings N [T]',
    'joints_px': 'numbers N [T] J 2',
    'joint_names': 'strings J',
}
MAX_SIDE = 400  # larger pictures are kept at this size


@dataclass(frozen=True)
class People:
    """
    Labelled people, each with a picture of its own, in memory or read when asked for.

    pictures  N arrays  (h, w, 3) uint8 RGB, the key frames
    xy        (N, J, 2)  pixels of the picture, pixel centres at integers
    labelled  (N, J)     bool
    numbers   (N,)       file numbers; they fix the split
    earlier   N lists    the frames before the key frame, oldest first; empty for photographs
    """

    pictures: Sequence[NDArray[np.uint8]]
    xy: NDArray[np.float32]
    labelled: NDArray[np.bool_]
    numbers: NDArray[np.int64]
    earlier: Sequence[list[NDArray[np.uint8]]]
    skeleton: Skeleton = POSETRACK_15

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, chosen: NDArray) -> 'People':
        """Return some of the people; chosen holds positions or is a mask (N,)."""
        rows = np.arange(len(self))[chosen]
        return replace(
            self,
            pictures=[self.pictures[i] for i in rows],
            xy=self.xy[rows],
            labelled=self.labelled[rows],
            numbers=self.numbers[rows],
            earlier=[self.earlier[i] for i in rows],
        )


def read_people(images: Path, labels: Path, skeleton: Skeleton = POSETRACK_15) -> People:
    """
    Read a tar of pictures and an npz of labels; joints that the labels lack stay unlabelled.

    The npz holds filenames (N,) and joints_px (N, J, 2), or filenames (N, T) and joints_px
    (N, T, J, 2) of films that end with their key frame; joint_names, and labelled (N, J) where
    not every joint is.
    """
    return label(dict(read_pictures(images)), labels, skeleton)


def label(
    found: Mapping[str, NDArray[np.uint8]], labels: Path, skeleton: Skeleton = POSETRACK_15
) -> People:
    """Return the people whom an npz as of read_people labels in pictures, by name."""
    names, xy, labelled = read_labels(labels, skeleton)
    missing = [name for name in names.flat if name not in found]
    if missing:
        raise ValueError(
            f'there is no readable picture {missing[0]}, nor {len(missing) - 1} more of {labels}; '
            'name the tar that belongs to it'
        )
    films = []
    for i, row in enumerate(names):
        frames, shares = zip(*(bounded(found[name]) for name in row), strict=True)
        films.append(list(frames))
        xy[i] = (xy[i] + 0.5) * shares[-1] - 0.5
    return People(
        [film[-1] for film in films],
        xy,
        labelled,
        np.array([file_number(name) for name in names[:, -1]]),
        [film[:-1] for film in films],
        skeleton,
    )


def read_labels(
    labels: Path, skeleton: Skeleton
) -> tuple[NDArray[np.str_], NDArray[np.float32], NDArray[np.bool_]]:
    """Return file names (N, T), and of the key frames xy (N, J, 2) and labelled (N, J)."""
    table = read_arrays(labels, COLUMNS, {'labelled': 'booleans N J'})
    names, joints, given = table['filenames'], table['joints_px'], table['joint_names'].tolist()
    unknown = sorted(set(given) - set(skeleton.joints))
    if unknown:
        raise ValueError(f'{labels} has joints {unknown}; give those of {skeleton.joints}')
    joints = joints[:, -1] if joints.ndim == 4 else joints
    known = np.isfinite(joints).all(axis=-1) & table.get('labelled', True)
    xy = np.zeros((len(names), len(skeleton.joints), 2), np.float32)
    labelled = np.zeros(xy.shape[:2], bool)
    places = skeleton.index(*given)
    xy[:, places], labelled[:, places] = np.nan_to_num(joints), known
    return names.reshape(len(names), -1), xy, labelled


def read_pictures(images: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield name and RGB pixels of each picture in a tar."""
    for name, picture in archives.pictures(images):
        yield name, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def bounded(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Return the picture at no more than MAX_SIDE pixels, and the factor of its size."""
    share = min(1.0, MAX_SIDE / max(picture.shape[:2]))
    if share == 1:
        return picture, share
    return cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), share


def read_all(folder: Path, pattern: str) -> People:
    """Read all shards in a folder, pairs of .tar and .npz whose .npz fits the pattern."""
    shards = sorted(folder.glob(pattern))
    if not shards:
        raise ValueError(f'{folder} holds no {pattern}; make it or leave this source out')
    parts = [read_people(shard.with_suffix('.tar'), shard) for shard in shards]
    return People(
        [picture for part in parts for picture in part.pictures],
        np.concatenate([part.xy for part in parts]),
        np.concatenate([part.labelled for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        [earlier for part in parts for earlier in part.earlier],
    )


def file_number(name: str) -> int:
    """Return the number in a file's name."""
    digits = re.search(r'\d+', name)
    if digits is None:
        raise ValueError(f'{name} has no number; pictures must be named like im00001.webp')
    return int(digits.group())


def read_duplicates(path: Path) -> list[tuple[int, int]]:
    """Read pairs of file numbers that show the same photograph."""
    pairs = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(int(a), int(b)) for a, b in pairs]


def held_out(numbers: NDArray[np.int64], pairs: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Say which file numbers (N,) may not be trained on: two folds and their duplicates."""
    folds = TEST, VALIDATION
    twins = [n for pair in pairs for n in pair if any(m % FOLDS in folds for m in pair)]
    return np.isin(numbers % FOLDS, folds) | np.isin(numbers, twins)


def countable(labelled: NDArray[np.bool_], skeleton: Skeleton) -> NDArray[np.bool_]:
    """Say which people (N,) have both ends of the torso labelled (N, J)."""
    return labelled[:, skeleton.index(*TORSO)].all(axis=1)


def read_split(data: Path, name: str, labels: Path | None = None) -> tuple[People, People]:
    """
    Read the people to train on, and those to validate with, who have a whole torso.

    data    folder with NAME.tar, NAME.npz and lsp_extended_duplicate_ids.txt
    labels  npz of the same pictures to train with instead of NAME.npz; for validation it tells
            only of joints that NAME.npz never labels
    """
    pairs = read_duplicates(data / 'lsp_extended_duplicate_ids.txt')
    pictures = dict(read_pictures(data / f'{name}.tar'))
    people = label(pictures, data / f'{name}.npz')
    trained = people if labels is None else label(pictures, labels)
    validated = (people.numbers % FOLDS == VALIDATION) & countable(
        people.labelled, people.skeleton
    )
    known = trained.labelled.sum(axis=1) >= LEAST_LABELLED
    return (
        trained.take(~held_out(trained.numbers, pairs) & known),
        with_unlabelled_of(people, trained).take(validated),
    )


def with_unlabelled_of(people: People, taught: People) -> People:
    """Return the people, joints that none of them has labelled taken from other labels."""
    if not np.array_equal(people.numbers, taught.numbers):
        raise ValueError('the labels to train with are not of the same pictures; make them again')
    never = ~people.labelled.any(axis=0)
    return replace(
        people,
        xy=np.where(never[:, None], taught.xy, people.xy),
        labelled=np.where(never, taught.labelled, people.labelled),
    )
