"""People of PoseTrack, COCO and JHMDB as training samples, read from disk when asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import re

import cv2
from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.formats.files import read_labels
from diffpose_ros.data.formats.labels import FrameLabels, PersonLabels
from diffpose_ros.data.labelled import countable, FOLDS, MAX_SIDE, People, VALIDATION
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

MIN_JOINTS = 4  # whoever has fewer labelled teaches little
AROUND = 2.0  # a cut-out is that many times larger than the person: room for random views


@dataclass(frozen=True)
class Target:
    """
    One labelled person in one frame.

    picture   the frame on disk
    is_video  whether pictures with neighbouring numbers show the same scene
    box       pixels of the frame
    xy        (J, 2)  pixels of the frame
    labelled  (J,)
    """

    picture: Path
    is_video: bool
    box: Box
    xy: NDArray[np.float64]
    labelled: NDArray[np.bool_]


def read_targets(labels: Path, root: Path) -> list[Target]:
    """
    Read the people of one label file, or of all in a folder.

    root  the folder below which the file names in the labels lie
    """
    files = sorted(labels.glob('*.json')) if labels.is_dir() else [labels]
    contents = [read_labels(path) for path in files]
    targets = [
        make_target(root, frame, person, content.is_video)
        for content in contents
        for frame in content.frames
        for person in frame.people
        if person.labelled.sum() >= MIN_JOINTS
    ]
    missing = next((t.picture for t in targets if not t.picture.is_file()), None)
    if missing or not targets:
        what = f'{missing} is missing' if missing else f'{labels} labels nobody'
        raise ValueError(f'{what}; give labels and the folder that their file names start from')
    return targets


def make_target(root: Path, frame: FrameLabels, person: PersonLabels, is_video: bool) -> Target:
    """Return a person with a box that holds every labelled joint."""
    points = person.xy[person.labelled]
    if person.box is not None:
        points = np.concatenate([points, person.box.corners.reshape(2, 2)])
    xy = np.nan_to_num(person.xy)
    return Target(root / frame.name, is_video, Box.around(points), xy, person.labelled)


@dataclass(frozen=True)
class Cutout:
    """
    The part of a frame that is kept for one person.

    left, top, right, bottom  pixels of the frame; the part beyond its border is not there
    share                     pixels of the cut-out per pixel of the frame
    """

    left: int
    top: int
    right: int
    bottom: int
    share: float

    @classmethod
    def around(cls, box: Box) -> 'Cutout':
        """Return a square about the box, no larger than MAX_SIDE after scaling."""
        half = AROUND / 2 * max(box.width, box.height, 8.0)
        low = np.floor([box.x_center - half, box.y_center - half]).astype(int)
        left, top = np.maximum(low, 0)
        right, bottom = low + int(np.ceil(2 * half))
        share = min(1.0, MAX_SIDE / max(right - left, bottom - top, 1))
        return cls(int(left), int(top), int(right), int(bottom), float(share))

    def cut(self, image: Picture) -> Picture:
        """Return the part of an image (H, W, 3)."""
        part = image[self.top : self.bottom, self.left : self.right]
        if not part.size:
            raise ValueError(
                f'a person at {(self.left, self.top)} is outside of a picture of {image.shape};'
                ' give the pictures that the labels were made for'
            )
        if self.share == 1:
            return part.copy()
        size = [max(1, round(n * self.share)) for n in part.shape[1::-1]]
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)

    def to_cutout(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn points (..., 2) of the frame into points of the cut-out."""
        return (xy - [self.left, self.top] + 0.5) * self.share - 0.5


class Cutouts(Sequence[Picture]):
    """The pictures of people: read and cut out when asked for, nothing is kept."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = tuple(targets)
        self.parts = tuple(Cutout.around(target.box) for target in self.targets)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> Picture:  # type: ignore[override]
        """Return the picture of one person (h, w, 3), RGB."""
        return self.parts[i].cut(read_picture(self.targets[i].picture))

    def neighbours(self, i: int, offsets: Sequence[int]) -> list[Picture | None]:
        """Return the same part of frames before and after, by offset; None = no such frame."""
        target = self.targets[i]
        around = frames_around(target.picture, offsets)
        return [
            self.parts[i].cut(read_picture(path))
            if path and (target.is_video or path == target.picture)
            else None
            for path in around
        ]


def frames_around(picture: Path, offsets: Sequence[int]) -> list[Path | None]:
    """Return the frames before and after that are on disk, by offset; the picture is always."""
    paths = [neighbour(picture, int(offset)) for offset in offsets]
    return [path if path == picture or path.is_file() else None for path in paths]


def neighbour(picture: Path, offset: int) -> Path:
    """Return the path of the frame that comes so many frames later; names start with numbers."""
    digits = re.match(r'\d+', picture.name)
    if digits is None:
        raise ValueError(f'{picture} has no frame number; name frames like 000001.jpg')
    number = int(digits.group()) + offset
    return picture.with_name(f'{number:0{digits.end()}d}{picture.name[digits.end() :]}')


def read_picture(path: Path) -> Picture:
    """Read a picture (h, w, 3), RGB."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise ValueError(f'{path} is no picture; get it again')
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


class Past(Sequence[list[Picture]]):
    """The frames before each person's, oldest first, back to the first that is missing."""

    def __init__(self, cutouts: Cutouts, count: int) -> None:
        self.cutouts, self.count = cutouts, count

    def __len__(self) -> int:
        return len(self.cutouts)

    def __getitem__(self, i: int) -> list[Picture]:  # type: ignore[override]
        """Return up to count pictures (h, w, 3), RGB."""
        frames = self.cutouts.neighbours(i, range(-self.count, 0))
        known: list[Picture] = []
        for frame in reversed(frames):
            if frame is None:
                break
            known.insert(0, frame)
        return known


def scene(target: Target) -> str:
    """Return what a person shares with others of the same video, or of the same picture."""
    return str(target.picture.parent if target.is_video else target.picture)


def split(targets: Sequence[Target]) -> tuple[list[Target], list[Target]]:
    """
    Return who to train on, and who to validate with: people with a whole torso, which PCK needs.

    No scene is in both.
    """
    numbers = {name: i for i, name in enumerate(sorted({scene(t) for t in targets}))}
    kept = [numbers[scene(t)] % FOLDS == VALIDATION for t in targets]
    training = [t for t, k in zip(targets, kept, strict=True) if not k]
    validation = [t for t, k in zip(targets, kept, strict=True) if k]
    return training, [t for t in validation if countable(t.labelled[None], POSETRACK_15)]


def as_people(targets: Sequence[Target], past: int = 0) -> People:
    """Return the people as a source for training, with so many earlier frames; none is kept."""
    cutouts = Cutouts(targets)
    xy = [part.to_cutout(t.xy) for part, t in zip(cutouts.parts, targets, strict=True)]
    return People(
        pictures=cutouts,
        xy=np.stack(xy).astype(np.float32),
        labelled=np.stack([t.labelled for t in targets]),
        numbers=np.arange(len(targets)),
        earlier=Past(cutouts, past),
    )
