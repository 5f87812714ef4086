"""Training scenes for the detector: frames, tiles of them, pasted people, rendered crowds."""

from collections.abc import Callable
from dataclasses import dataclass
import math

import cv2
from diffpose_ros.core.detector import body_corners
from diffpose_ros.data.frames import Frames, Image, Picture
from diffpose_ros.data.rendered import Rendered
from diffpose_ros.train.degrade import degraded, recoloured
from diffpose_ros.train.scene_parts import body_mask, clutter
import numpy as np
from numpy.typing import NDArray

LEAST_VISIBLE = 0.35  # share of the joints below which a person need not be found
MOST_ENLARGED = 2.5
BONE_JOINTS = 14
RENDERED_SHARE = 0.3  # of the scenes, where there are rendered pictures


@dataclass
class Body:
    """One labelled person: joints {name: (2,)} in pixels of the canvas, some hidden; its paste."""

    joints: dict[str, NDArray[np.float64]]
    hidden: frozenset[str]
    paste: int

    @property
    def points(self) -> NDArray[np.float64]:
        """Labelled joints (n, 2) without their names."""
        return np.stack(list(self.joints.values()))


class Canvas:
    """
    A picture in the making.

    image   (H, W, 3)  RGB
    unsure  (H, W)     True where somebody unlabelled may be
    owner   (H, W)     number of the paste that is seen
    """

    def __init__(self, background: Image) -> None:
        self.image = background
        self.unsure = np.zeros(background.shape[:2], bool)
        self.owner = np.zeros(background.shape[:2], np.int16)
        self.bodies: list[Body] = []
        self._pastes = 0

    def paste(self, image: Image, alpha: Image, unsure: bool) -> None:
        """Put image (H, W, 3) over what is there, seen where alpha (H, W) is 255."""
        self._pastes += 1
        weight = (alpha * np.float32(1 / 255))[..., None]
        self.image = (weight * image + (1 - weight) * self.image + 0.5).astype(np.uint8)
        self.owner[alpha > 127] = self._pastes
        self.unsure[alpha > 127] = unsure

    def add_body(self, picture: Picture, matrix: NDArray) -> None:
        """Label the person of the newest paste, which came through an affine matrix (2, 3)."""
        moved = {name: matrix @ (*xy, 1) for name, xy in picture.joints.items()}
        self.bodies.append(Body(moved, picture.hidden, self._pastes))

    def seen(self, body: Body) -> dict[str, NDArray[np.float64]]:
        """Return the joints of a body that are in the picture and not covered."""
        height, width = self.owner.shape
        return {
            name: xy
            for name, xy in body.joints.items()
            if name not in body.hidden
            and 0 <= round(xy[0]) < width
            and 0 <= round(xy[1]) < height
            and self.owner[round(xy[1]), round(xy[0])] == body.paste
        }


@dataclass(frozen=True)
class Scene:
    """
    A finished training picture.

    image    (H, W, 3)  RGB
    boxes    (n, 4)     left, top, right, bottom of every labelled body, cut at the border
    trust    (n,)       0 to 1, how complete the labels behind the box are; 0 = may go unfound
    joints   (name, (2,)) of every labelled joint that is seen
    unsure   (H, W)     True where somebody unlabelled may be
    """

    image: Image
    boxes: NDArray[np.float64]
    trust: NDArray[np.float64]
    joints: list[tuple[str, NDArray[np.float64]]]
    unsure: NDArray[np.bool_]


class SceneMaker:
    """Draws training scenes of one size."""

    def __init__(
        self, frames: Frames, photographs: list[Image], size: int, rendered: Rendered | None = None
    ) -> None:
        self._frames, self._photographs, self._size = frames, photographs, size
        self._rendered = rendered

    def draw(self, rng: np.random.Generator) -> Scene:
        """Return one scene; everything random comes from rng."""
        if self._rendered and rng.random() < RENDERED_SHARE:
            return finish(self._crowd(self._rendered, rng), rng)
        kinds: list[Callable[[np.random.Generator], Canvas]] = [
            self._whole, self._tiles, self._pasted, self._empty,
        ]  # fmt: skip
        kind = kinds[rng.choice(4, p=[0.5, 0.1, 0.3, 0.1])]
        return finish(kind(rng), rng)

    def _whole(self, rng: np.random.Generator) -> Canvas:
        canvas = Canvas(self._background(rng))
        self._add_frame(canvas, rng, np.array([0, 0, self._size, self._size]))
        return canvas

    def _tiles(self, rng: np.random.Generator) -> Canvas:
        canvas = Canvas(self._background(rng))
        x, y = (rng.uniform(0.35, 0.65, 2) * self._size).round()
        if rng.random() < 0.5:
            x = self._size
        for left, right in ((0, x), (x, self._size)):
            for top, bottom in ((0, y), (y, self._size)):
                if right > left:
                    self._add_frame(canvas, rng, np.array([left, top, right, bottom]))
        return canvas

    def _pasted(self, rng: np.random.Generator) -> Canvas:
        canvas = self._whole(rng) if rng.random() < 0.3 else self._empty(rng)
        count = int(rng.choice([1, 2, 3, 4, 5], p=[0.3, 0.3, 0.2, 0.1, 0.1]))
        lengths = np.sort(self._lengths(rng, count))  # the far ones first
        for length in lengths:
            self._add_cutout(canvas, rng, length, body=rng.random() < 0.8)
        return canvas

    def _empty(self, rng: np.random.Generator) -> Canvas:
        canvas = Canvas(self._background(rng))
        if rng.random() < 0.6:
            beside = beside_person(self._any_frame(rng))
            if min(beside.shape[:2]) > 40:
                size = (self._size, self._size)
                beside = cv2.warpAffine(beside, covering(beside, self._size, rng), size)
                canvas.paste(beside, np.full(size, 255, np.uint8), unsure=True)
        for _ in range(rng.integers(0, 3)):
            self._add_cutout(canvas, rng, float(self._lengths(rng, 1)[0]), body=False)
        return canvas

    def _crowd(self, rendered: Rendered, rng: np.random.Generator) -> Canvas:
        canvas = Canvas(self._background(rng))
        image, people = rendered[int(rng.integers(len(rendered)))]
        matrix = covering(image, self._size, rng)
        if people:
            one = people[rng.integers(len(people))]
            length, target = self._lengths(rng, 1)[0], self._size * rng.uniform(0.15, 0.85, 2)
            matrix = placement(one.points, length, target, rng)
        size = (self._size, self._size)
        alpha = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), matrix, size)
        # The photograph behind the rendered people may show somebody, too.
        canvas.paste(cv2.warpAffine(image, matrix, size), alpha, unsure=True)
        for person in people:
            canvas.add_body(person, matrix)
        return canvas

    def _background(self, rng: np.random.Generator) -> Image:
        if rng.random() < 0.4:
            return np.full((self._size, self._size, 3), rng.choice([0, 127, 255]), np.uint8)
        if rng.random() < 0.4 or not self._photographs:
            return clutter(rng, self._size, self._size)
        photograph = self._photographs[rng.integers(len(self._photographs))]
        matrix = covering(photograph, self._size, rng)
        return cv2.warpAffine(
            photograph, matrix, (self._size, self._size), borderMode=cv2.BORDER_REFLECT
        )

    def _lengths(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Return lengths of people (count,) in pixels of the canvas."""
        return log_uniform(rng, 0.16 * self._size, 1.1 * self._size, count)

    def _any_frame(self, rng: np.random.Generator) -> Picture:
        return self._frames[int(rng.integers(len(self._frames)))]

    def _add_frame(self, canvas: Canvas, rng: np.random.Generator, region: NDArray) -> None:
        """Put a whole frame into a region of the canvas, one of its people mostly inside."""
        picture = self._any_frame(rng)
        people = (picture, *picture.others)
        one = people[rng.integers(len(people))]
        sides = region[2:] - region[:2]
        length = log_uniform(rng, 0.2 * sides.min(), 1.1 * sides.max())
        target = region[:2] + sides * rng.uniform(0.15, 0.85, 2)
        matrix = placement(one.points, length, target, rng)
        size = (self._size, self._size)
        alpha = cv2.warpAffine(np.full(picture.image.shape[:2], 255, np.uint8), matrix, size)
        left, top, right, bottom = region.astype(int)
        window = np.zeros_like(alpha)
        window[top:bottom, left:right] = alpha[top:bottom, left:right]
        canvas.paste(cv2.warpAffine(picture.image, matrix, size), window, unsure=True)
        for person in people:
            canvas.add_body(person, matrix)

    def _add_cutout(
        self, canvas: Canvas, rng: np.random.Generator, length: float, body: bool
    ) -> None:
        """Paste a person cut out along the bones, or something else cut out the same way."""
        picture = self._any_frame(rng)
        if len(picture.joints) < BONE_JOINTS - 2:
            return
        target = rng.uniform(0.05, 0.95, 2) * self._size
        matrix = placement(picture.points, length, target, rng)
        image, alpha = picture.image, body_mask(picture)
        if not body:
            other = beside_person(self._any_frame(rng))
            if min(other.shape[:2]) < 40 or rng.random() < 0.3:
                other = self._background(rng)
            image = cv2.resize(other, image.shape[1::-1])
        size = (self._size, self._size)
        image = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.warpAffine(alpha, matrix, size)
        canvas.paste(recoloured(image, rng, 0.5), alpha, unsure=False)
        if body:
            canvas.add_body(picture, matrix)


def log_uniform(
    rng: np.random.Generator, low: float, high: float, count: int | None = None
) -> NDArray:
    """Return numbers whose logarithm is uniform."""
    return np.exp(rng.uniform(math.log(low), math.log(high), count))


def placement(
    points: NDArray, length: float, target: NDArray, rng: np.random.Generator
) -> NDArray[np.float64]:
    """
    Return an affine matrix (2, 3): mirror, tilt like a camera on a robot, scale, move.

    points  (n, 2)  joints; their box's centre goes to the target
    length          pixels that the longer side of their box gets, if that does not blur too much
    target  (2,)    pixels
    """
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min(length / max(1.0, np.max(high - low)), MOST_ENLARGED)
    tilt = rng.uniform(-35, 35) if rng.random() < 0.2 else rng.normal(0, 6)
    turn = scale * cv2.getRotationMatrix2D((0, 0), tilt, 1)[:, :2]
    turn = turn @ np.diag([rng.choice([-1, 1]), 1]) @ np.diag([rng.uniform(0.85, 1.15), 1])
    return np.column_stack([turn, target - turn @ (low + high) / 2])


def covering(image: Image, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return an affine matrix (2, 3) that fills a square canvas with a random part of an image."""
    height, width = image.shape[:2]
    scale = size / min(height, width) * rng.uniform(1, 1.8)
    mirror = rng.choice([-1, 1])
    turn = scale * np.diag([mirror, 1.0])
    spare = scale * np.array([width, height]) - size
    corner = -rng.uniform(0, 1, 2) * spare
    corner[0] += scale * (width - 1) if mirror < 0 else 0
    return np.column_stack([turn, corner])


def beside_person(picture: Picture) -> Image:
    """Return the largest part of a frame, cut straight, that its labelled person is not in."""
    image = picture.image
    height, width = image.shape[:2]
    left, top, right, bottom = body_corners(picture.points)
    left, right = np.clip([left, right], 0, width).astype(int)
    top, bottom = np.clip([top, bottom], 0, height).astype(int)
    parts = [image[:, :left], image[:, right:], image[:top], image[bottom:]]
    return max(parts, key=lambda part: min(part.shape[:2]))


def finish(canvas: Canvas, rng: np.random.Generator) -> Scene:
    """Label what is on the canvas and make it look like a camera's picture."""
    height, width = canvas.owner.shape
    boxes, trust = np.zeros((len(canvas.bodies), 4)), np.zeros(len(canvas.bodies))
    joints = []
    for i, body in enumerate(canvas.bodies):
        boxes[i] = np.clip(body_corners(body.points), 0, [width, height] * 2)
        seen = canvas.seen(body)
        joints += list(seen.items())
        if len(seen) >= LEAST_VISIBLE * len(body.joints):
            trust[i] = (len(body.joints) / BONE_JOINTS) ** 2
    shown = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) > 3
    image = degraded(recoloured(canvas.image, rng, 0.8), rng)
    return Scene(image, boxes[shown], trust[shown], joints, canvas.unsure)
