"""Light: the networks see dark and hazy pictures with their grey levels spread."""

import cv2
import numpy as np
from numpy.typing import NDArray

EDGE = 0.02  # share of the values at either end that count as outliers
DARK, BRIGHT = 25.0, 200.0  # a picture whose values reach both is well lit
MOST = 16.0  # times, or a covered lens would show its noise


WHOLE = (slice(None), slice(None))


def well_lit(picture: NDArray[np.uint8], part: tuple[slice, slice] = WHOLE) -> NDArray[np.uint8]:
    """
    Return a picture (h, w, 3), its levels spread linearly until they reach from DARK to BRIGHT.

    One whose levels do is returned as it is. All colours are spread alike, and black stays black.

    part  rows and columns whose levels count
    """
    seen = picture[part]
    if not seen.size:
        return picture
    counts = cv2.calcHist([seen.reshape(len(seen), -1)], [0], None, [256], [0, 256])
    shares = np.cumsum(counts) / seen.size
    low, high = (float(level) for level in np.searchsorted(shares, (EDGE, 1 - EDGE)))
    lowest, highest = min(low, DARK), max(high, BRIGHT)
    if high == low or (low, high) == (lowest, highest):
        return picture
    times = min((highest - lowest) / (high - low), MOST)
    levels = lowest + times * (np.arange(256) - low)
    return np.asarray(cv2.LUT(picture, np.clip(levels, 0, 255).round().astype(np.uint8)))
