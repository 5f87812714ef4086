"""Random views of a labelled picture: what the field does to crops, and smooth camera motion."""

from dataclasses import dataclass

import cv2
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import Skeleton
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Affine = NDArray[np.float64]  # (2, 3), pixels of the picture to pixels of the crop

UPPER = 'r_wrist r_elbow r_shoulder l_shoulder l_elbow l_wrist neck nose head_top'.split()
MOST_PACE = 1.4  # logarithm; frames of a slow processor are four times as far apart as at 30 Hz
HALF_BODY_JOINTS = 3  # labelled joints that a half body must show


@dataclass(frozen=True)
class Strength:
    """How far the random views go; the defaults are those of the PoseTrack literature."""

    scale: float = 0.35  # standard deviation and limit of the zoom
    turn_deg: float = 45.0  # standard deviation; twice that is the limit
    turn_share: float = 0.6
    flip_share: float = 0.5
    half_body_share: float = 0.3
    shift: float = 0.07  # standard deviation of the box centre, share of the box
    aspect: float = 0.15  # standard deviation of log(width / height)
    cut_share: float = 0.15
    cover_share: float = 0.3
    blur_share: float = 0.25
    grain_share: float = 0.2
    grey_share: float = 0.3

    @classmethod
    def gentle(cls) -> 'Strength':
        """Return what suits a short run, which never sees a picture often."""
        return cls(
            scale=0.25,
            turn_deg=30.0,
            turn_share=0.5,
            half_body_share=0.1,
            shift=0.05,
            aspect=0.1,
            cut_share=0.1,
            cover_share=0.15,
            blur_share=0.15,
            grain_share=0.1,
        )


def chance(rng: Generator, share: float) -> bool:
    """Return True in that share of the calls."""
    return bool(rng.random() < share)


def half_body(xy: NDArray, labelled: NDArray, skeleton: Skeleton, rng: Generator) -> NDArray:
    """Return which joints (J,) a crop of the upper or the lower half must hold."""
    upper = np.isin(skeleton.joints, UPPER)
    chosen = labelled & (upper if chance(rng, 0.5) else ~upper)
    return chosen if chosen.sum() >= HALF_BODY_JOINTS else labelled


def draw_view(
    xy: NDArray,
    labelled: NDArray,
    skeleton: Skeleton,
    size: tuple[int, int],
    rng: Generator,
    strength: Strength,
) -> Affine:
    """
    Draw a crop as a detector might give it, or stranger.

    xy        (J, 2)  pixels of the picture
    labelled  (J,)    bool
    size      (columns, rows) of the crop
    """
    shown = labelled
    if labelled.sum() > len(labelled) // 2 and chance(rng, strength.half_body_share):
        shown = half_body(xy, labelled, skeleton, rng)
    box = Box.around(xy[shown])
    aspect = np.exp(rng.normal(0, strength.aspect))
    box = Box(
        box.x_center + rng.normal(0, strength.shift) * box.width,
        box.y_center + rng.normal(0, strength.shift) * box.height,
        max(box.width, 8) * aspect,
        max(box.height, 8) / aspect,
    )
    zoom = np.clip(1 + strength.scale * rng.normal(), 1 - strength.scale, 1 + strength.scale)
    turn = 0.0
    if chance(rng, strength.turn_share):
        limit = 2 * strength.turn_deg
        turn = np.clip(strength.turn_deg * rng.normal(), -limit, limit)
    view = similarity(plain_view(box, size), size, zoom, turn)
    return mirror_view(size) @ to_square(view) if chance(rng, strength.flip_share) else view


def plain_view(box: Box, size: tuple[int, int]) -> Affine:
    """Return the view of Crop.around, without any chance."""
    crop = Crop.around(box, size)
    low, high = crop.to_crop(np.zeros(2)), crop.to_crop(np.ones(2))
    return np.column_stack([np.diag(high - low), low])


def similarity(
    view: Affine,
    size: tuple[int, int],
    zoom: float,
    turn_deg: float,
    shift: tuple[float, float] = (0, 0),
) -> Affine:
    """Return the view with what it shows enlarged, turned about the crop's centre and shifted."""
    center = (np.array(size) - 1) / 2
    change = cv2.getRotationMatrix2D(tuple(center), turn_deg, zoom)
    change[:, 2] += shift
    return change @ to_square(view)


def to_square(view: Affine) -> NDArray[np.float64]:
    """Append the row that makes views multiply."""
    return np.vstack([view, [0, 0, 1]])


def mirror_view(size: tuple[int, int]) -> Affine:
    """Return the view that exchanges left and right of a crop."""
    return np.array([[-1.0, 0, size[0] - 1], [0, 1, 0]])


def is_mirrored(view: Affine) -> bool:
    """Say whether the view shows people as in a mirror."""
    return bool(np.linalg.det(view[:, :2]) < 0)


def move_points(view: Affine, xy: NDArray) -> NDArray[np.float64]:
    """Return the points (J, 2) as the view shows them."""
    return xy @ view[:, :2].T + view[:, 2]


def camera_path(
    view: Affine, size: tuple[int, int], offsets: NDArray[np.integer], rng: Generator
) -> list[Affine]:
    """
    Return the views of neighbour frames under smooth motion of the camera.

    offsets  (T,)  frames from the key frame; at 0 the view is unchanged
    """
    pace = np.exp(rng.uniform(0, MOST_PACE))
    speed = pace * rng.normal(0, [0.015, 0.015, 0.015, 1.5])  # share of the crop, log zoom, deg
    change = pace * rng.normal(0, [0.004, 0.004, 0.004, 0.4])
    path = offsets[:, None] * speed + offsets[:, None] ** 2 * change
    return [
        similarity(view, size, float(np.exp(zoom)), turn, (x * size[0], y * size[1]))
        for x, y, zoom, turn in path
    ]


def show(picture: Picture, view: Affine, size: tuple[int, int], fill: Picture | None) -> Picture:
    """
    Return the view of a picture.

    fill  what stands beyond the picture's border, at the size of the crop; None = black
    """
    if fill is None:
        return cv2.warpAffine(picture, view, size)
    kept = cv2.BORDER_TRANSPARENT
    return cv2.warpAffine(picture, view, size, dst=fill.copy(), borderMode=kept)


@dataclass(frozen=True)
class Shown:
    """The part of a crop that its picture fills: low and high corners (2,), whole pixels."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def beyond(self, xy: NDArray) -> NDArray[np.float64]:
        """Return how many pixels the points (J, 2) lie outside; below 0 = inside."""
        return np.maximum(self.low - xy, xy - self.high).max(axis=1)

    def hide_the_rest(self, frames: Picture) -> None:
        """Blacken frames (T, h, w, 3) outside, in place."""
        left, top = self.low.astype(int)
        right, bottom = self.high.astype(int) + 1
        kept = frames[:, top:bottom, left:right].copy()
        frames[:] = 0
        frames[:, top:bottom, left:right] = kept


def cut_person(shown: Shown, xy: NDArray, rng: Generator) -> Shown:
    """Let the picture end within the person (J, 2): mostly the legs are beyond its border."""
    axis = int(chance(rng, 0.75))
    low, high = xy[:, axis].min(), xy[:, axis].max()
    share = rng.uniform(0.1, 0.6) * (high - low)
    edges = Shown(shown.low.copy(), shown.high.copy())
    if chance(rng, 0.8):
        edges.high[axis] = np.clip(round(high - share), shown.low[axis], shown.high[axis])
    else:
        edges.low[axis] = np.clip(round(low + share), shown.low[axis], shown.high[axis])
    return edges


def colour_table(rng: Generator) -> Picture:
    """Return a random change of exposure, brightness, contrast, gamma and colour, (1, 256, 3)."""
    level = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.2))
    level *= np.exp(rng.normal(0, 0.25))
    contrast, brightness = np.exp(rng.normal(0, 0.2)), rng.normal(0, 0.1)
    colour = np.exp(rng.normal(0, 0.12, 3))
    table = ((level - 0.5) * contrast + 0.5 + brightness) * colour
    return (np.clip(table, 0, 1) * 255).astype(np.uint8)[None]


def grey(pictures: Picture) -> Picture:
    """Return pictures (..., h, w, 3) as a camera without colours shows them."""
    tall = cv2.cvtColor(pictures.reshape(-1, *pictures.shape[-2:]), cv2.COLOR_RGB2GRAY)
    return np.repeat(tall.reshape(*pictures.shape[:-1], 1), 3, axis=-1)


def blur(picture: Picture, rng: Generator) -> Picture:
    """Return the picture out of focus, moved during exposure, or seen from afar."""
    height, width = picture.shape[:2]
    kind = rng.integers(3)
    if kind == 0:
        return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 0.014 * height))
    if kind == 1:
        return cv2.filter2D(picture, -1, motion_kernel(rng.uniform(2, 0.06 * height), rng))
    share = rng.uniform(0.25, 0.8)
    small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def motion_kernel(length: float, rng: Generator) -> NDArray[np.float32]:
    """Return a line of the given length in pixels, in any direction, of sum 1."""
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = np.round(half - reach).astype(int), np.round(half + reach).astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0)
    return kernel / kernel.sum()


def grain(picture: Picture, rng: Generator) -> Picture:
    """Return the picture with sensor noise."""
    noise = rng.uniform(2, 16) * rng.standard_normal(picture.shape, np.float32)
    return cv2.add(picture, noise, dtype=cv2.CV_8U)


def cover(picture: Picture, other: Picture, rng: Generator) -> Picture:
    """Return the picture with patches of one colour or of another picture in front."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(1, 4)):
        center = rng.integers([width, height])
        reach = (rng.uniform(0.04, 0.18, 2) * height).astype(int)
        if chance(rng, 0.5):
            turn = rng.uniform(0, 180)
            cv2.ellipse(mask, center.tolist(), reach.tolist(), turn, 0, 360, 1, -1)
        else:
            cv2.rectangle(mask, (center - reach).tolist(), (center + reach).tolist(), 1, -1)
    patch = np.full_like(picture, rng.integers(0, 256, 3))
    if chance(rng, 0.5):
        patch = cv2.resize(other, (width, height))
    return cv2.copyTo(patch, mask, picture.copy())
