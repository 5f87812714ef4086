"""What a camera does to a picture: motion blur, grain, softness."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def blurred(frames: Sequence[Picture]) -> Picture:
    """Return the mean of moments of one exposure: motion blur."""
    return np.clip(np.mean(frames, axis=0) + 0.5, 0, 255).astype(np.uint8)


def sensor_noise(picture: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Add the grain of a sensor, a little blurred as demosaicing does; sigma in grey values."""
    grain = rng.normal(0, sigma, picture.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (3, 3), 0.6)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def softened(picture: Picture, share: float) -> Picture:
    """Return the picture as a camera of this share of its resolution would see it."""
    height, width = picture.shape[:2]
    size = (max(8, round(width * share)), max(8, round(height * share)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
