"""Light: the networks see dark and hazy pictures with their grey levels spread."""

import cv2
import numpy as np
from numpy.typing import NDArray

EDGE = 0.02  # share of the values at either end that count as outliers
DARK, BRIGHT = 25.0, 200.0  # a picture whose values reach both is well lit
MOST_GAIN = 16.0  # or a covered lens would show its noise
MOST_CONTRAST = 3.0  # or a bare wall would hide who is before it

WHOLE = (slice(None), slice(None))


def well_lit(picture: NDArray[np.uint8], part: tuple[slice, slice] = WHOLE) -> NDArray[np.uint8]:
    """
    Return a picture (h, w, 3), brightened until its values reach BRIGHT, and then spread to DARK.

    One whose values reach both is returned as it is. All colours change alike; black stays black.

    part  rows and columns whose levels count
    """
    seen = picture[part]
    if not seen.size:
        return picture
    counts = cv2.calcHist([seen.reshape(len(seen), -1)], [0], None, [256], [0, 256])
    shares = np.cumsum(counts) / seen.size
    low, high = (float(level) for level in np.searchsorted(shares, (EDGE, 1 - EDGE)))
    if high == low:
        return picture
    gain = min(max(BRIGHT / high, 1.0), MOST_GAIN)
    top, bottom = gain * high, min(gain * low, DARK)
    contrast = min((top - bottom) / (gain * (high - low)), MOST_CONTRAST)
    if gain == contrast == 1:
        return picture
    levels = top - contrast * gain * (high - np.arange(256))
    return np.asarray(cv2.LUT(picture, np.clip(levels, 0, 255).round().astype(np.uint8)))
