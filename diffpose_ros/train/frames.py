"""Whole pictures with one labelled person each (LSP Extended), and backgrounds without anybody."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
import tarfile

import cv2
from diffpose_ros.core.files import read_arrays
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.train import teacher
from diffpose_ros.train.labelled import file_number, FOLDS, held_out, read_duplicates
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
BONES = (*(bone for bone in POSETRACK_15.bones if 'nose' not in bone), ('neck', 'head_top'))
TORSO = ('r_shoulder', 'l_shoulder', 'l_hip', 'r_hip')
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

# Photographs without people that come with installed packages; each is used if it is there.
PHOTOGRAPHS = {
    'skimage': (
        'data/chelsea.png data/coffee.png data/coins.png data/motorcycle_left.png data/rocket.jpg'
        ' data/motorcycle_right.png data/hubble_deep_field.jpg data/brick.png data/grass.png'
        ' data/gravel.png data/retina.jpg data/page.png data/text.png data/clock_motion.png'
    ).split(),
    'sklearn': ['datasets/images/china.jpg', 'datasets/images/flower.jpg'],
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
    fold        TEST or VALIDATION of train.labelled; None = the pictures to train on
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
    try:
        with tarfile.open(archive) as tar:
            files = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
    except tarfile.TarError as error:
        raise ValueError(f'{archive} is no whole tar; give a tar of pictures') from error
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
    picture = teacher.decode(data)
    if picture is None:
        raise ValueError(f'{name} is no readable picture; get its tar again')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def photographs() -> list[Image]:
    """Return the pictures without people that installed packages carry; there may be none."""
    found = []
    for package, names in PHOTOGRAPHS.items():
        spec = find_spec(package)
        folder = Path(spec.origin).parent if spec and spec.origin else Path('/nonexistent')
        paths = [folder / name for name in names if (folder / name).is_file()]
        found += [decode(path.read_bytes(), path.name) for path in paths]
    return found


def body_mask(picture: Picture) -> Image:
    """Return where the labelled person is, (H, W) 0 to 255, drawn around the bones, soft edge."""
    joints = picture.joints
    mask = np.zeros(picture.image.shape[:2], np.uint8)
    extent = np.ptp(picture.points, axis=0).max()
    lengths = [np.linalg.norm(joints[a] - joints[b]) for a, b in BONES if {a, b} <= set(joints)]
    width = float(np.clip(np.median(lengths), 0.1 * extent, 0.3 * extent))
    for a, b in BONES:
        if a in joints and b in joints:
            reach = joints[b] + (0.25 * (joints[b] - joints[a]) if is_end(b) else 0)
            thick = width * (1.0 if b == 'head_top' else 0.6)
            cv2.line(mask, pixel(joints[a]), pixel(reach), 255, max(2, round(thick)))
    torso = [pixel(joints[name]) for name in TORSO if name in joints]
    cv2.fillConvexPoly(mask, cv2.convexHull(np.array(torso or [(0, 0)], np.int32)), 255)
    return cv2.GaussianBlur(mask, (0, 0), 0.5 + 0.02 * extent)


def is_end(joint: str) -> bool:
    """Say whether a body part without a joint of its own lies beyond: hands and feet."""
    return joint.endswith(('wrist', 'ankle'))


def pixel(point: NDArray[np.floating]) -> tuple[int, int]:
    """Return the nearest pixel as OpenCV's drawing takes it."""
    return round(float(point[0])), round(float(point[1]))


def clutter(rng: np.random.Generator, width: int, height: int) -> Image:
    """Return a made-up background: smooth colours, boards, poles and discs, never a person."""
    coarse = rng.integers(0, 256, (rng.integers(2, 9), rng.integers(2, 9), 3)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=int(rng.choice([1, 2])))
    for _ in range(rng.integers(0, 25)):
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        a, b = (rng.uniform(-0.1, 1.1, 2) * (width, height) for _ in range(2))
        shape = rng.integers(4)
        if shape == 0:
            cv2.line(image, pixel(a), pixel(b), colour, int(rng.integers(1, 16)))
        elif shape == 1:
            cv2.line(image, pixel(a), (round(a[0]), round(b[1])), colour, int(rng.integers(2, 24)))
        elif shape == 2:
            cv2.rectangle(image, pixel(a), pixel(b), colour, int(rng.choice([-1, 2, 4])))
        else:
            cv2.ellipse(image, (pixel(a), pixel(abs(b - a) / 2), rng.uniform(0, 180)), colour, -1)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 2))
