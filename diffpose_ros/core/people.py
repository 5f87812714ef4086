"""What crosses every border: frames, boxes, poses, people. Arrays are checked once, here."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
import math

from diffpose_ros.core.camera import Camera
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

SCORE_RADIUS = 0.2  # torso lengths; a 2D joint's score is how likely the truth is that near


class TrackState(IntEnum):
    """Life of a track, in the order it is lived."""

    TENTATIVE = 0
    CONFIRMED = 1
    OCCLUDED = 2
    TERMINATED = 3


class JointState(IntEnum):
    """How a joint came to be known."""

    INVALID = 0
    MEASURED = 1
    INFERRED = 2
    OUT_OF_VIEW = 3


class ScaleSource(IntEnum):
    """What fixed the size of a person, and so the distance."""

    NONE = 0
    BODY_PRIOR = 1
    DEPTH = 2
    HEIGHT = 3


def check_shape(name: str, array: NDArray, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError when the array does not have the shape; None fits any length."""
    fits = array.ndim == len(shape) and all(
        want in (None, got) for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        expected = tuple('any' if n is None else n for n in shape)
        raise ValueError(f'{name} has shape {array.shape}, expected {expected}')


def check_finite(source: str, *arrays: NDArray) -> None:
    """Raise ValueError when a network answers with anything that is not a number."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(
            f'{source} answers with numbers that are not finite; install its checkpoint again, '
            'or try another device'
        )


def finite(*arrays: NDArray) -> NDArray[np.bool_]:
    """Return (J,) which of the rows of arrays (J, ...) hold nothing but finite numbers."""
    rows = [array.reshape(len(array), math.prod(array.shape[1:])) for array in arrays]
    return np.asarray(np.isfinite(np.concatenate(rows, axis=1)).all(axis=1))


@dataclass(frozen=True)
class Frame:
    """
    One image with its time and camera, and what others know of it.

    image     (H, W, 3)  uint8, RGB
    stamp_ns  int        exposure time
    camera    Camera     None where the intrinsics are unknown
    depth     (H, W)     float32, metres along the optical axis at each pixel of the image;
                         0, NaN and Inf are invalid; None where there is no depth camera
    boxes     Box        people found by another detector; None where it said nothing
    """

    image: NDArray[np.uint8]
    stamp_ns: int
    camera: Camera | None = None
    depth: NDArray[np.float32] | None = None
    boxes: tuple['Box', ...] | None = None

    def __post_init__(self) -> None:
        check_shape('image', self.image, (None, None, 3))
        if self.image.dtype != np.uint8 or not self.image.size:
            raise ValueError(
                f'image has {self.image.size} values of {self.image.dtype}; give 8-bit RGB'
            )
        if self.depth is not None:
            check_shape('depth', self.depth, self.image.shape[:2])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image in pixels."""
        height, width = self.image.shape[:2]
        return width, height

    @property
    def visible_boxes(self) -> list['Box'] | None:
        """What the image shows of the boxes that another detector found; None: it said nothing."""
        if self.boxes is None:
            return None
        parts = (box.within(*self.size) for box in self.boxes)
        return [part for part in parts if part is not None]


@dataclass(frozen=True)
class Box:
    """A person's bounding box in image pixels, pixel centres at integers; score 0 to 1."""

    x_center: float
    y_center: float
    width: float
    height: float
    score: float = 1.0

    @classmethod
    def around(cls, points: Floats, score: float = 1.0) -> 'Box':
        """Return the tight box of points (n, 2) in pixels."""
        low, high = points.min(axis=0), points.max(axis=0)
        (x, y), (width, height) = (low + high) / 2, high - low
        return cls(float(x), float(y), float(width), float(height), score)

    @classmethod
    def whole(cls, width: int, height: int) -> 'Box':
        """Return the box of an entire image of that size in pixels."""
        return cls((width - 1) / 2, (height - 1) / 2, float(width), float(height))

    def within(self, width: int, height: int) -> 'Box | None':
        """Return the part that lies in an image of that size in pixels; None = nothing does."""
        edges = np.array([width, height, width, height]) - 0.5
        left, top, right, bottom = np.clip(self.corners, -0.5, edges).tolist()
        if left >= right or top >= bottom:
            return None
        middle = (left + right) / 2, (top + bottom) / 2
        return Box(*middle, right - left, bottom - top, self.score)

    def moved(self, by: Floats) -> 'Box':
        """Return the box elsewhere, by (2,) pixels."""
        x, y = self.x_center + float(by[0]), self.y_center + float(by[1])
        return replace(self, x_center=x, y_center=y)

    @property
    def center(self) -> NDArray[np.float64]:
        """Its x and y (2,) in pixels."""
        return np.array([self.x_center, self.y_center])

    @property
    def corners(self) -> NDArray[np.float64]:
        """Left, top, right, bottom in pixels."""
        half = np.array([self.width, self.height]) / 2
        return np.concatenate([self.center - half, self.center + half])


def corners_of(boxes: Iterable[Box]) -> NDArray[np.float64]:
    """Return the corners (n, 4) of boxes, in pixels."""
    return np.array([box.corners for box in boxes]).reshape(-1, 4)


def overlaps(a: Floats, b: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return intersection over union, and over the smaller, (n, m), of corners (n, 4), (m, 4)."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    area_a, area_b = ((c[:, 2:] - c[:, :2]).prod(axis=-1) for c in (a, b))
    union, smaller = area_a[:, None] + area_b - shared, np.minimum(area_a[:, None], area_b)
    return shared / np.maximum(union, 1e-9), shared / np.maximum(smaller, 1e-9)


@dataclass(frozen=True)
class Pose2D:
    """
    Joints in the image as distributions.

    xy          (J, 2)     pixels of the image as received, NaN = no estimate
    covariance  (J, 2, 2)  pixels squared
    score       (J,)       0 to 1, probability of lying within the PCK radius; 0 without estimate
    """

    xy: Floats
    covariance: Floats
    score: Floats

    def __post_init__(self) -> None:
        joints = len(self.xy)
        check_shape('xy', self.xy, (None, 2))
        check_shape('covariance', self.covariance, (joints, 2, 2))
        check_shape('score', self.score, (joints,))
        known = finite(self.xy, self.covariance, self.score)
        object.__setattr__(self, 'score', np.where(known, self.score, 0.0))


@dataclass(frozen=True)
class Pose3D:
    """
    Joints in space as distributions, in the camera's optical frame, metres.

    xyz                  (J, 3)     mean of the hypotheses
    covariance           (J, 3, 3)  metres squared, of xyz
    relative_covariance  (J, 3, 3)  metres squared, of the pose against its own hip
    root_covariance      (3, 3)     metres squared, of the hip alone
    hypotheses           (H, J, 3)  in the order of falling weight
    weights              (H,)       sum 1
    state                (J,)       JointState; INVALID where the mean or covariance is no number
    """

    xyz: Floats
    covariance: Floats
    relative_covariance: Floats
    root_covariance: Floats
    hypotheses: Floats
    weights: Floats
    state: NDArray[np.uint8]
    scale_source: ScaleSource

    def __post_init__(self) -> None:
        joints = len(self.xyz)
        check_shape('xyz', self.xyz, (None, 3))
        check_shape('covariance', self.covariance, (joints, 3, 3))
        check_shape('relative_covariance', self.relative_covariance, (joints, 3, 3))
        check_shape('root_covariance', self.root_covariance, (3, 3))
        check_shape('hypotheses', self.hypotheses, (None, joints, 3))
        check_shape('weights', self.weights, (len(self.hypotheses),))
        check_shape('state', self.state, (joints,))
        known = finite(self.xyz, self.covariance)
        state = np.where(known, self.state, JointState.INVALID).astype(np.uint8)
        object.__setattr__(self, 'state', state)


@dataclass(frozen=True)
class Person:
    """One tracked person in one frame; track_id follows REP 155 and is not an identity."""

    track_id: str
    track_state: TrackState
    age_s: float
    box: Box
    pose2d: Pose2D | None = None
    pose3d: Pose3D | None = None


@dataclass(frozen=True)
class InferenceInfo:
    """What was really done for a frame."""

    steps: int
    ensembles: int
    lift_steps: int
    hypotheses: int
    window_frames: int
    model_id: str
    lookahead_s: float = 0.0
    degraded: frozenset[str] = frozenset()
    window: int = 0  # images that the 2D model looks at, later ones not counted; 0 = not told


@dataclass(frozen=True)
class FrameResult:
    """The people of one frame, and the ids of those who were lost with it."""

    stamp_ns: int
    people: tuple[Person, ...]
    info: InferenceInfo
    lost: tuple[str, ...] = field(default=())
