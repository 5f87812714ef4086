"""Crops: a rectangle of whole image pixels, resampled to the network's size, and its inverse."""

from dataclasses import dataclass
import math

import cv2
from diffpose_ros.core.light import well_lit
from diffpose_ros.core.people import Box
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

MAX_SHIFT = 0.05  # heights by which a crop may be off its person and still be kept
MAX_GROWTH = 0.05  # and the same for its size, as a logarithm


@dataclass(frozen=True)
class Crop:
    """
    A rectangle of the image (it may reach beyond the border) shown at another size.

    left, top      pixels of the image, the rectangle's first column and row
    width, height  pixels of the image
    size           (columns, rows) that the network sees
    """

    left: int
    top: int
    width: int
    height: int
    size: tuple[int, int]

    @classmethod
    def around(cls, box: Box, size: tuple[int, int], enlarge: float = 1.25) -> 'Crop':
        """Return the crop with the size's aspect ratio that holds the box enlarged."""
        scale = enlarge * max(box.width / size[0], box.height / size[1], 1e-3)
        width, height = (max(2, round(n * scale)) for n in size)
        left = math.floor(box.x_center - (width - 1) / 2 + 0.5)
        top = math.floor(box.y_center - (height - 1) / 2 + 0.5)
        return cls(left, top, width, height, size)

    def cut(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """
        Return the pixels (rows, columns, 3) of the crop, well lit; black beyond the border.

        By itself, so somebody in the dark corner of a bright image is well lit, too.
        """
        shrinks = self.width > self.size[0]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cut = np.asarray(cv2.resize(self._part(image), self.size, interpolation=method), np.uint8)
        return well_lit(cut, self._inside(image))

    def _inside(self, image: NDArray[np.uint8]) -> tuple[slice, slice]:
        """Return the rows and columns of the crop that show the image."""
        height, width = image.shape[:2]
        corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])
        low, high = np.clip(np.rint(self.to_crop(corners) + 0.5), 0, self.size).astype(int)
        return slice(low[1], high[1]), slice(low[0], high[0])

    def _part(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the rectangle at its own size, without a copy where it is inside the image."""
        above, before = max(-self.top, 0), max(-self.left, 0)  # rows, columns beyond the border
        rows = slice(self.top + above, max(self.top + self.height, 0))
        columns = slice(self.left + before, max(self.left + self.width, 0))
        part = image[rows, columns]
        if part.shape[:2] == (self.height, self.width):
            return part
        whole = np.zeros((self.height, self.width, 3), np.uint8)
        height, width = part.shape[:2]
        whole[above : above + height, before : before + width] = part
        return whole

    @property
    def centre(self) -> NDArray[np.float64]:
        """Middle of the rectangle, pixels of the image."""
        return np.array([self.left + (self.width - 1) / 2, self.top + (self.height - 1) / 2])

    @property
    def scale(self) -> NDArray[np.float64]:
        """Image pixels per crop pixel, along x and y."""
        return np.array([self.width, self.height]) / np.array(self.size)

    def to_image(self, points: Floats) -> NDArray[np.float64]:
        """Turn points (..., 2) of the crop into points of the image, both in pixels."""
        return (points + 0.5) * self.scale - 0.5 + np.array([self.left, self.top])

    def to_crop(self, points: Floats) -> NDArray[np.float64]:
        """Turn points (..., 2) of the image into points of the crop, both in pixels."""
        return (points - np.array([self.left, self.top]) + 0.5) / self.scale - 0.5

    def covariance_to_image(self, covariance: Floats) -> NDArray[np.float64]:
        """Turn covariances (..., 2, 2) in crop pixels squared into image pixels squared."""
        return covariance * self.scale[:, None] * self.scale[None, :]

    def suits(self, box: Box) -> bool:
        """Say whether the crop still shows the box, whole, nearly as a new one would."""
        ideal = Crop.around(box, self.size)
        moved = np.abs(self.centre - ideal.centre).max() / ideal.height
        grown = abs(math.log(self.height / ideal.height))
        return bool(moved < MAX_SHIFT and grown < MAX_GROWTH)
