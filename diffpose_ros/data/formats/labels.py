"""What every label file is read into: frames, their people, regions to leave out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

J = len(POSETRACK_15.joints)
NO_SCORE = -9999.0  # what the official evaluators assume where no score is written


@dataclass(frozen=True)
class PersonLabels:
    """
    One person in one frame, labelled or predicted; POSETRACK_15, pixels of the frame.

    xy        (J, 2)  NaN = this joint is not labelled
    score     (J,)    NO_SCORE = none given
    head      (4,)    left, top, right, bottom of the head; None = not labelled
    track_id  the same for one person through a video; None = not given
    """

    xy: Floats
    score: Floats
    box: Box | None = None
    head: Floats | None = None
    track_id: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.track_id, int | float | None):
            raise ValueError(f'track_id is {self.track_id!r}, expected a number')

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Say which joints (J,) are there."""
        return np.all(np.isfinite(self.xy), axis=-1)


@dataclass(frozen=True)
class FrameLabels:
    """
    One frame and its people.

    name      the picture's path below the data set's folder
    number    the picture's id in the file, or its place in it
    ignored   polygons (n, 2) in pixels: what lies in them is not evaluated
    labelled  whether somebody looked for people here at all
    """

    name: str
    number: int
    people: tuple[PersonLabels, ...]
    ignored: tuple[Floats, ...] = ()
    labelled: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f'the name of a picture is {self.name!r}, expected text')


@dataclass(frozen=True)
class LabelFile:
    """
    One label file.

    name    of the file, without its ending
    format  posetrack17, posetrack18, posetrack21, coco or jhmdb
    """

    name: str
    format: str
    frames: tuple[FrameLabels, ...]

    @property
    def is_video(self) -> bool:
        """Say whether pictures with neighbouring numbers are neighbours in time."""
        return self.format != 'coco'


def numbers(entry: Mapping[str, Any], key: str, count: int) -> Floats:
    """Return a list of finite numbers from a JSON object; raise ValueError unless it is one."""
    values = np.array(entry[key], dtype=np.float64)
    if values.shape != (count,):
        raise ValueError(f'{key} has shape {values.shape}, expected {count} numbers')
    if not np.isfinite(values).all():
        raise ValueError(f'{key} has null or NaN, expected numbers')
    return values


def box_of(person: PersonLabels) -> Box:
    """Return the person's box, or the tight one of the joints where none was given."""
    return person.box or Box.around(person.xy[person.labelled])
