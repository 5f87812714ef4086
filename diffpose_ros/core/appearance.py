"""What people wear: colours along their limbs tell apart those whose places do not."""

import cv2
from diffpose_ros.core.people import Pose2D
from diffpose_ros.core.skeleton import H36M_17
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Each shows one piece of cloth or skin; left and right count as one, because crossed legs swap.
LINES = (
    ('shoulder', 'hip'),
    ('shoulder', 'elbow'),
    ('elbow', 'wrist'),
    ('hip', 'knee'),
    ('knee', 'ankle'),
)
ENDS = np.array([[H36M_17.index(f'{s}_{a}', f'{s}_{b}') for s in 'lr'] for a, b in LINES])
ALONG = np.linspace(0.2, 0.8, 5)[:, None, None]  # where a line is looked at, shares of its length
GREY = 100.0  # grey level that an image has on average where colours are compared
TOLD_BY = 2000  # of its pixels, spread evenly, that tell the average
LEAST_POINTS = 3  # in the image that tell a colour
LIGHTNESS = 0.5  # its weight against the two axes of colour: shadows and exposure change it
SAME_COLOUR = 10.0  # by which the colour of a person may well differ from one image to the next
UNKNOWN = np.full((len(LINES), 3), np.nan)  # nobody looked


def colours(image: NDArray[np.uint8], pose: Pose2D, threshold: float) -> Floats:
    """
    Return the median colour along each of the LINES of a body, were the image GREY on average.

    So exposure and white balance, which cameras change by themselves, change little.

    image      (H, W, 3)  RGB
    pose       in H36M_17, pixels of the image
    threshold  score from which a joint is known
    returns    (L, 3)     CIE L*a*b*, L* times LIGHTNESS; NaN where the image does not show it
    """
    height, width = image.shape[:2]
    known = (pose.score >= threshold) & np.isfinite(pose.xy).all(axis=1)
    found = UNKNOWN.copy()
    stride = max(1, round((height * width / TOLD_BY) ** 0.5))
    average = image[::stride, ::stride].reshape(-1, 3).mean(axis=0)
    gain = GREY / np.maximum(average, 1.0) / 255
    for line, sides in enumerate(ENDS):
        ends = pose.xy[sides[known[sides].all(axis=1)]]  # (sides, 2, 2)
        along = ends[:, 0] + ALONG * (ends[:, 1] - ends[:, 0])
        x, y = np.rint(along.reshape(-1, 2)).astype(int).T
        shown = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if shown.sum() >= LEAST_POINTS:
            rgb = np.minimum(gain * image[y[shown], x[shown]], 1.0).astype(np.float32)
            lab = cv2.cvtColor(rgb[None], cv2.COLOR_RGB2LAB)[0]
            found[line] = np.median(lab, axis=0) * [LIGHTNESS, 1, 1]
    return found


def resemblance(a: Floats, b: Floats) -> float:
    """Return how alike two people's colours (L, 3) are, 0 to 1; 1 where no line tells."""
    off = np.linalg.norm(a - b, axis=1)
    told = np.isfinite(off)
    return float(np.exp(-((off[told] / SAME_COLOUR) ** 2) / 2).mean()) if told.any() else 1.0
